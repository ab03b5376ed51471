"""Each platform's source of graphics processors, on what the platform says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.hardware import known, sentences
from app.core.hardware.bandwidths import bandwidth_of
from app.core.hardware.types import FoundGpu
from app.engine.gpus import nvidia
from app.engine.gpus.apple import AppleSource, working_set
from app.engine.gpus.drm import DrmSource, largest_window, name_in_pci_ids
from app.engine.gpus.dxgi import DxgiSource
from app.engine.gpus.dxgi import Reading as Adapter
from tests.helpers.fuzz import fuzz
from tests.helpers.recording import RecordedFiles

GIB = 1 << 30


# --- NVIDIA -----------------------------------------------------------------------------------


def test_nvml_becomes_our_words() -> None:
    reading = nvidia.Reading(
        "Tesla T4", "00000000:3B:00.0", 15 * GIB, 14 * GIB, "550.1", (7, 5), 256, 5001
    )
    (gpu,) = nvidia.NvidiaSource(lambda: [reading]).find()
    assert (gpu.name, gpu.pci, gpu.compute) == ("NVIDIA Tesla T4", "0000:3b:00.0", "7.5")
    assert gpu.bandwidth == 320_064_000_000  # the data sheet says 320 GB/s


def test_what_nvml_does_not_support_is_left_out() -> None:
    (gpu,) = nvidia.NvidiaSource(lambda: [nvidia.Reading("NVIDIA GB10", "", 0, 0, "580")]).find()
    assert (gpu.compute, gpu.bandwidth, gpu.pci, gpu.total_bytes) == ("", 0, "", 0)


class Nvml(SimpleNamespace):
    """The module pynvml, as far as it is used; `error` is what nvmlInit fails with."""

    NVML_ERROR_LIBRARY_NOT_FOUND = 12
    NVML_ERROR_DRIVER_NOT_LOADED = 9
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18
    NVML_ERROR_NO_PERMISSION = 4
    NVML_CLOCK_MEM = 2

    class NVMLError(Exception):
        def __init__(self, value: int) -> None:
            self.value = value

    error = 0
    shut_down = False

    def nvmlInit(self) -> None:
        if self.error:
            raise self.NVMLError(self.error)

    def nvmlShutdown(self) -> None:
        self.shut_down = True

    def nvmlSystemGetDriverVersion(self) -> bytes:
        return b"575.57.08"

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, i: int) -> int:
        return i

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "NVIDIA GeForce RTX 4090"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(total=24 * GIB, free=23 * GIB)

    def nvmlDeviceGetPciInfo(self, handle: int) -> Any:
        return SimpleNamespace(busId=b"00000000:01:00.0")

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> list[int]:
        return [8, 9]

    def nvmlDeviceGetMemoryBusWidth(self, handle: int) -> int:
        raise self.NVMLError(3)  # not supported

    def nvmlDeviceGetMaxClockInfo(self, handle: int, kind: int) -> int:
        return 10501


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    module = Nvml()
    monkeypatch.setitem(__import__("sys").modules, "pynvml", module)
    return module


def test_nvml_is_asked_and_closed(nvml: Nvml) -> None:
    (reading,) = nvidia.read_nvml()
    assert reading == nvidia.Reading(
        "NVIDIA GeForce RTX 4090",
        "00000000:01:00.0",
        24 * GIB,
        23 * GIB,
        "575.57.08",
        (8, 9),
        0,
        10501,
    )
    assert nvml.shut_down


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (12, sentences.NVIDIA_LIBRARY),
        (9, sentences.NVIDIA_DRIVER),
        (18, sentences.NVIDIA_MISMATCH),
        (4, sentences.GPU_ACCESS),
        (999, ""),
    ],
)
def test_a_missing_driver_and_a_missing_library_are_told_apart(
    nvml: Nvml, error: int, missing: str
) -> None:
    nvml.error = error
    with pytest.raises(nvidia.NvmlError) as caught:
        nvidia.read_nvml()
    assert caught.value.missing == missing


# --- Linux ------------------------------------------------------------------------------------

PCI = "/sys/bus/pci/devices"


def _pci(address: str, vendor: str, device: str, driver: str = "", **more: str) -> dict[str, str]:
    files = {"class": "0x030000", "vendor": vendor, "device": device, **more}
    files["uevent"] = f"DRIVER={driver}\n" if driver else "PCI_CLASS=30000\n"
    return {f"{PCI}/{address}/{name}": text for name, text in files.items()}


def _drm(*devices: dict[str, str], **more: str) -> tuple[FoundGpu, ...]:
    texts = {path: text for device in devices for path, text in device.items()}
    return DrmSource(RecordedFiles({**texts, **more})).find()


def test_amdgpu_tells_its_memory() -> None:
    memory = {"mem_info_vram_total": str(16 * GIB), "mem_info_vram_used": str(GIB)}
    (gpu,) = _drm(_pci("0000:0B:00.0", "0x1002", "0x747e", "amdgpu", **memory))
    assert gpu.name == "AMD Radeon RX 7700 XT/7800 XT"
    assert (gpu.total_bytes, gpu.free_bytes, gpu.pci) == (16 * GIB, 15 * GIB, "0000:0b:00.0")
    assert not gpu.is_integrated
    assert gpu.missing == ""


def test_an_integrated_one_takes_ram_too() -> None:
    memory = {"mem_info_vram_total": str(GIB), "mem_info_vram_used": str(GIB // 2)}
    more = {"mem_info_gtt_total": str(7 * GIB), "mem_info_gtt_used": str(GIB // 2)}
    (gpu,) = _drm(_pci("0000:c1:00.0", "0x1002", "0x15bf", "amdgpu", **memory, **more))
    assert (gpu.name, gpu.is_integrated) == ("AMD Radeon 780M", True)
    assert (gpu.total_bytes, gpu.free_bytes) == (8 * GIB, 7 * GIB)


def test_nouveau_is_not_nvidias_driver() -> None:
    (gpu,) = _drm(_pci("0000:01:00.0", "0x10de", "0x2484", "nouveau"))
    assert gpu.missing == sentences.NVIDIA_DRIVER
    (gpu,) = _drm(_pci("0000:01:00.0", "0x10de", "0x2484", "nvidia"))
    assert gpu.missing == ""


def test_a_card_without_any_driver_is_found() -> None:
    (gpu,) = _drm(_pci("0000:03:00.0", "0x8086", "0x56a0"))
    assert (gpu.name, gpu.missing) == ("Intel Arc A770", "kernel driver")


def test_a_render_node_that_may_not_be_opened() -> None:
    node = {f"{PCI}/0000:0b:00.0/drm/renderD128/dev": "226:128"}
    files = RecordedFiles({**_pci("0000:0b:00.0", "0x1002", "0x747e", "amdgpu"), **node})
    (gpu,) = DrmSource(files, lambda path: path != "/dev/dri/renderD128").find()
    assert gpu.missing == sentences.GPU_ACCESS
    (gpu,) = DrmSource(files, lambda path: True).find()
    assert gpu.missing == ""


def test_no_graphics_are_a_virtual_screen_a_sound_chip_and_what_is_too_old() -> None:
    sound = {**_pci("0000:01:00.1", "0x10de", "0x22be"), f"{PCI}/0000:01:00.1/class": "0x040300"}
    virtual = _pci("0000:00:01.0", "0x1234", "0x1111", "bochs-drm")
    sandy_bridge = _pci("0000:00:02.0", "0x8086", "0x0126", "i915")
    assert _drm(sound, virtual, sandy_bridge) == ()


def test_names_come_from_the_list_of_the_distribution() -> None:
    listed = (
        "# comment\n1002  AMD/ATI\n\t747e  Navi 32 [Radeon RX 7800 XT]\n"
        "10de  NVIDIA Corporation\n\t2684  AD102 [GeForce RTX 4090]\n\t\t1043 889d  Board [X]\n"
    )
    assert name_in_pci_ids(listed, 0x10DE, 0x2684) == "GeForce RTX 4090"
    assert name_in_pci_ids(listed, 0x10DE, 0x747E) == ""
    (gpu,) = _drm(
        _pci("0000:01:00.0", "0x10de", "0x2684", "nvidia"),
        **{"/usr/share/hwdata/pci.ids": listed, "/sys/module/nvidia/version": "575.1\n"},
    )
    assert (gpu.name, gpu.driver) == ("NVIDIA GeForce RTX 4090", "nvidia 575.1")


def test_the_largest_window_is_as_large_as_the_memory() -> None:
    large = "0x82000000 0x82ffffff 0x140204\n0x4000000000 0x43ffffffff 0x14220c\n"
    assert largest_window(large) == 16 * GIB
    assert largest_window("0xd0000000 0xdfffffff 0x14220c\n") == 0  # 256 MB: not resizable
    assert largest_window("nonsense\n1 2\n9 8 7\n") == 0


@fuzz
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=120))
def test_whatever_sysfs_holds_only_gpus_come_out(word: str, number: str, text: str) -> None:
    device = _pci("0000:01:00.0", "0x1002", number, word, mem_info_vram_total=number)
    other = _pci(word.replace("/", "") or "x", "0x10de", "0x2684", word, resource=text)
    for gpu in _drm(device, other, **{"/usr/share/misc/pci.ids": text}):
        assert gpu.name
        assert 0 <= gpu.free_bytes <= gpu.total_bytes or not gpu.free_bytes


# --- Windows ----------------------------------------------------------------------------------

RADEON = Adapter("AMD Radeon RX 6600", 0x1002, 0x73FF, 8 * GIB, 8 * GIB, 1, 0, 7 * GIB, GIB)


def test_dxgi_names_its_adapters() -> None:
    (gpu,) = DxgiSource(lambda: [RADEON]).find()
    assert (gpu.name, gpu.vendor, gpu.is_integrated) == ("AMD Radeon RX 6600", known.AMD, False)
    assert (gpu.total_bytes, gpu.free_bytes) == (8 * GIB, 6 * GIB)


def test_an_adapter_is_listed_once_and_a_renderer_is_none() -> None:
    basic = Adapter("Microsoft Basic Render Driver", 0x1414, 0x8C, 0, 8 * GIB, 9, 2)
    remote = Adapter("Microsoft Remote Display Adapter", 0x1414, 0x8C, 0, 8 * GIB, 10)
    second = replace(RADEON, luid=2)
    found = DxgiSource(lambda: [RADEON, RADEON, basic, remote, second]).find()
    assert [gpu.name for gpu in found] == ["AMD Radeon RX 6600"] * 2


def test_an_integrated_adapter_shares_the_ram() -> None:
    iris = Adapter("Intel(R) Iris(R) Xe Graphics", 0x8086, 0x9A49, 128 << 20, 8 * GIB, 3)
    (gpu,) = DxgiSource(lambda: [iris]).find()
    assert (gpu.name, gpu.is_integrated) == ("Intel Iris Xe Graphics", True)
    assert gpu.total_bytes == 8 * GIB + (128 << 20)


def test_windows_before_10_does_not_say_what_is_free() -> None:
    (gpu,) = DxgiSource(lambda: [replace(RADEON, budget_bytes=0, used_bytes=0)]).find()
    assert (gpu.total_bytes, gpu.free_bytes) == (8 * GIB, 0)


# --- macOS ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ram_gib", "limit_mb", "expected"),
    [
        (8, 0, 5_726_623_061),  # as Metal's log says it, in round figures
        (32, 0, 22_906_492_245),
        (64, 0, 51_539_607_552),
        (16, 14_000, 14_000 << 20),
        (16, 99_999, 16 * GIB),
    ],
)
def test_apples_working_set(ram_gib: int, limit_mb: int, expected: int) -> None:
    assert working_set(ram_gib * GIB, limit_mb) == expected


def test_apples_graphics_are_part_of_the_chip() -> None:
    text = f"machdep.cpu.brand_string: Apple M2\nhw.memsize: {16 * GIB}\niogpu.wired_limit_mb: 0\n"
    (gpu,) = AppleSource(lambda: text).find()
    assert (gpu.name, gpu.is_integrated, gpu.total_bytes) == ("Apple M2", True, 11_453_246_122)
    assert AppleSource(lambda: "machdep.cpu.brand_string: Intel(R) Core(TM) i5\n").find() == ()


# --- the table --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("Apple M1", 68),
        ("Apple M1 Max", 400),
        ("Apple M3 Max", 300),
        ("AMD Radeon RX 7900 XTX", 960),
        ("AMD Radeon RX 7900 XT", 800),
        ("AMD Radeon RX 7700 XT/7800 XT", 0),  # one of two: not known which
        ("NVIDIA GeForce RTX 4070 Ti SUPER", 672),
        ("NVIDIA GeForce RTX 4070 Laptop GPU", 0),  # slower than the card of that name
        ("Intel Arc A770 Graphics", 560),
        ("A graphics card of tomorrow", 0),
    ],
)
def test_bandwidth_by_name(name: str, gigabytes: int) -> None:
    assert bandwidth_of(name) == gigabytes * 10**9


def test_the_fuller_chip_of_a_name_has_the_wider_memory() -> None:
    assert bandwidth_of("Apple M3 Max", n_cores=16) == 400 * 10**9
