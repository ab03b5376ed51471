"""One list of graphics processors, in its states, out of several views; and out of lies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import hardware
from app.core.hardware import Cpu, Device, FoundGpu, Gpu, GpuState, Hardware, Probed, sentences
from app.core.hardware.merge import Surroundings, merge
from app.core.hardware.sizes import is_sane
from tests.helpers.fuzz import fuzz

GIB = 1 << 30
AROUND = Surroundings(32 * GIB, 24 * GIB, ("cuda", "cpu"), (750, 860, 890), 50 * 10**9)
CPU = Device("CPU", "A processor", "cpu", "cpu", 32 * GIB, 32 * GIB)
CUDA = Device("CUDA0", "NVIDIA GeForce RTX 4060", "cuda", "gpu", 8 * GIB, 7 * GIB, "0000:01:00.0")
VULKAN = Device(
    "Vulkan0", "NVIDIA GeForce RTX 4060", "vulkan", "gpu", 8 * GIB, 8 * GIB, "0000:01:00.0"
)
NVML = FoundGpu(
    "nvml",
    "NVIDIA GeForce RTX 4060",
    "nvidia",
    8 * GIB,
    6 * GIB,
    "0000:01:00.0",
    driver="575",
    bandwidth=272 * 10**9,
    compute="8.9",
)
DRM = FoundGpu("drm", "NVIDIA 2882", "nvidia", pci="0000:01:00.0", driver="nvidia 575")
RADEON = FoundGpu("drm", "AMD Radeon RX 7600", "amd", 8 * GIB, 7 * GIB, "0000:03:00.0")
IGPU = Device("Vulkan1", "Intel(R) UHD Graphics 770 (RPL-S)", "vulkan", "igpu", 48 * GIB, 47 * GIB)


def _one(*devices: Device, found: tuple[FoundGpu, ...] = (), around: Surroundings = AROUND) -> Gpu:
    (gpu,) = merge(devices, found, around)
    return gpu


# --- who is who -------------------------------------------------------------------------------


def test_what_llama_cpp_lists_is_used_and_the_smaller_free_counts() -> None:
    gpu = _one(CUDA, CPU, found=(NVML, DRM))
    assert gpu.state is GpuState.USED
    assert (gpu.total_bytes, gpu.free_bytes) == (8 * GIB, 6 * GIB)
    assert (gpu.driver, gpu.compute, gpu.bandwidth) == ("575", "8.9", 272 * 10**9)


def test_a_processor_seen_through_two_backends_is_one() -> None:
    assert _one(CUDA, VULKAN, CPU, found=(NVML,)).backend == "cuda"


def test_also_where_a_backend_does_not_know_its_address() -> None:
    assert _one(CUDA, replace(VULKAN, pci="")).backend == "cuda"


def test_two_of_the_same_kind_stay_two() -> None:
    second = replace(CUDA, name="CUDA1", pci="0000:02:00.0")
    blind = (replace(VULKAN, pci=""), replace(VULKAN, name="Vulkan1", pci=""))
    gpus = merge((CUDA, second, *blind), (NVML, replace(NVML, pci="0000:02:00.0")), AROUND)
    assert [gpu.pci for gpu in gpus] == ["0000:01:00.0", "0000:02:00.0"]


def test_without_addresses_names_are_compared_without_their_marks() -> None:
    device = Device(
        "Vulkan0", "Intel(R) Arc(TM) A770 Graphics", "vulkan", "gpu", 16 * GIB, 15 * GIB
    )
    dxgi = FoundGpu("dxgi", "Intel Arc A770 Graphics", "intel", 16 * GIB, 12 * GIB)
    gpu = _one(device, found=(dxgi,))
    assert (gpu.name, gpu.free_bytes) == ("Intel Arc A770 Graphics", 12 * GIB)


def test_a_renderer_on_the_processor_is_no_gpu() -> None:
    renderer = Device("Vulkan0", "llvmpipe (LLVM 17.0.6, 256 bits)", "vulkan", "gpu", GIB, GIB)
    assert merge((renderer, CPU), (), AROUND) == ()


def test_integrated_graphics_are_left_alone_beside_a_card() -> None:
    gpus = merge((CUDA, IGPU, CPU), (), AROUND)
    assert [gpu.state for gpu in gpus] == [GpuState.USED, GpuState.SPARE]


def test_alone_integrated_graphics_are_used_within_the_ram() -> None:
    gpu = _one(IGPU, CPU)
    assert (gpu.name, gpu.state) == ("Intel UHD Graphics 770", GpuState.USED)
    assert (gpu.total_bytes, gpu.free_bytes) == (32 * GIB, 24 * GIB)
    assert gpu.bandwidth == AROUND.ram_bandwidth


def test_what_the_firmware_set_aside_is_beside_the_ram() -> None:
    """A Strix Halo with 96 GiB set aside shows 32 GiB of RAM."""
    halo = replace(IGPU, total_bytes=112 * GIB, free_bytes=111 * GIB, pci="0000:c5:00.0")
    drm = FoundGpu("drm", "AMD Radeon 8060S", "amd", 112 * GIB, 110 * GIB, "0000:c5:00.0", True)
    gpu = _one(halo, found=(replace(drm, own_bytes=96 * GIB, own_free_bytes=95 * GIB),))
    assert (gpu.total_bytes, gpu.free_bytes) == (112 * GIB, 110 * GIB)
    gpu = _one(halo, found=(drm,))
    assert (gpu.total_bytes, gpu.free_bytes) == (32 * GIB, 24 * GIB)


def test_apple_shares_its_memory() -> None:
    metal = Device("MTL0", "Apple M2", "metal", "gpu", 22 * GIB, 22 * GIB)
    around = replace(AROUND, ram_available_bytes=9 * GIB)
    gpu = _one(metal, CPU, around=around)
    assert (gpu.vendor, gpu.is_integrated, gpu.free_bytes) == ("apple", True, 9 * GIB)


# --- states -----------------------------------------------------------------------------------


def test_a_build_without_kernels() -> None:
    gpu = _one(CPU, found=(RADEON,), around=replace(AROUND, backends=("cpu",)))
    assert (gpu.state, gpu.backend) == (GpuState.NO_KERNELS, "vulkan")
    assert "cannot compute" in str(hardware.gpu_sentence(gpu))
    assert "with Vulkan" in str(hardware.gpu_hint(gpu))


def test_a_card_older_than_the_builds_kernels() -> None:
    old = replace(NVML, compute="6.1")
    assert _one(CUDA, found=(old,)).state is GpuState.NO_KERNELS
    assert _one(CPU, found=(old,)).state is GpuState.NO_KERNELS


@pytest.mark.parametrize(
    ("missing", "words", "way_on"),
    [
        (sentences.NVIDIA_DRIVER, "not loaded", "nouveau"),
        (sentences.NVIDIA_LIBRARY, "library", "container"),
        (sentences.NVIDIA_MISMATCH, "do not match", "restart"),
        (sentences.GPU_ACCESS, "may not use it", "render"),
        ("kernel driver", "kernel driver", "Install"),
    ],
)
def test_what_is_missing_is_named_with_the_way_on(missing: str, words: str, way_on: str) -> None:
    gpu = _one(CPU, found=(replace(DRM, missing=missing),))
    assert (gpu.state, gpu.missing) == (GpuState.NO_DRIVER, missing)
    assert words in str(hardware.gpu_sentence(gpu))
    assert way_on in str(hardware.gpu_hint(gpu))


def test_kernels_that_find_no_device_lack_a_driver_they_can_work_with() -> None:
    assert _one(CPU, found=(NVML,)).missing == sentences.NVIDIA_NEWER
    vulkan = replace(AROUND, backends=("vulkan", "cpu"))
    assert _one(CPU, found=(RADEON,), around=vulkan).missing == sentences.VULKAN_DRIVER
    rocm = replace(AROUND, backends=("rocm", "cpu"))
    assert _one(CPU, found=(RADEON,), around=rocm).missing == sentences.ROCM_DRIVER
    assert _one(CPU, found=(NVML,), around=vulkan).missing == sentences.VULKAN_DRIVER


def test_a_failed_probe_is_inconclusive() -> None:
    gpu = _one(found=(NVML,), around=replace(AROUND, backends=()))
    assert gpu.state is GpuState.UNKNOWN
    assert "could not be found out" in str(hardware.gpu_sentence(gpu))
    assert hardware.gpu_hint(gpu)


def test_every_state_has_its_sentence() -> None:
    said = {str(hardware.gpu_sentence(replace(_one(CUDA), state=state))) for state in GpuState}
    assert len(said) == len(GpuState)
    assert all("RTX 4060" in text and "{" not in text for text in said)
    assert "(CUDA)" in str(hardware.gpu_sentence(_one(CUDA)))
    assert hardware.gpu_hint(_one(CUDA)) is None


# --- lies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "free", "expected"),
    [
        (8 * GIB, 9 * GIB, (8 * GIB, 8 * GIB)),  # more free than there is
        (8 * GIB, 2**64 - 4096, (8 * GIB, 0)),  # Vulkan: used more than the budget, and wrapped
        (8 * GIB, -5, (8 * GIB, 0)),
        (-1, -1, (0, 0)),
        (2**62, 2**61, (0, 0)),
        (0, 0, (0, 0)),
    ],
)
def test_impossible_sizes_are_put_right(total: int, free: int, expected: tuple[int, int]) -> None:
    gpu = _one(replace(CUDA, total_bytes=total, free_bytes=free))
    assert (gpu.total_bytes, gpu.free_bytes) == expected


def test_who_lies_is_not_asked_where_another_source_answers() -> None:
    gpu = _one(replace(CUDA, total_bytes=2**62, free_bytes=1), found=(NVML,))
    assert (gpu.total_bytes, gpu.free_bytes) == (8 * GIB, 6 * GIB)
    gpu = _one(CUDA, found=(replace(NVML, free_bytes=-7),))
    assert (gpu.total_bytes, gpu.free_bytes) == (8 * GIB, 7 * GIB)


def _completed(*devices: Device, found: tuple[FoundGpu, ...] = ()) -> Hardware:
    base = Hardware(Cpu("A processor"), 32 * GIB, 24 * GIB, GIB)
    return hardware.complete(base, Probed(devices=devices, gpus=found, backends=("cpu", "cuda")))


def test_a_lie_is_told_in_a_sentence_and_not_passed_on() -> None:
    found = _completed(replace(CUDA, total_bytes=GIB, free_bytes=3 * GIB, description="X\n Y"), CPU)
    assert "impossible amount of memory" in str(found.probe_error)
    assert found.devices[0].free_bytes == GIB
    assert found.devices[0].description == "X Y"
    assert _completed(CUDA, CPU).probe_error is None


@fuzz
@given(
    st.lists(
        st.builds(
            Device,
            st.text(max_size=9),
            st.sampled_from(["NVIDIA GeForce RTX 4060", "Apple M1", "", "x(y"]) | st.text(),
            st.sampled_from(["cuda", "vulkan", "metal", ""]),
            st.sampled_from(["gpu", "igpu", "cpu", "accel", "?"]),
            st.integers(-(2**65), 2**65),
            st.integers(-(2**65), 2**65),
            st.sampled_from(["", "0000:01:00.0", "0000:01:00.0-v1", "?"]),
        ),
        max_size=4,
    ),
    st.lists(
        st.builds(
            FoundGpu,
            st.sampled_from(["nvml", "drm", "dxgi"]),
            st.sampled_from(["NVIDIA GeForce RTX 4060", ""]) | st.text(),
            st.sampled_from(["nvidia", "amd", "intel", "?"]),
            st.integers(-(2**65), 2**65),
            st.integers(-(2**65), 2**65),
            st.sampled_from(["", "0000:01:00.0", "?"]),
            st.booleans(),
            st.text(max_size=5),
            st.integers(-(2**65), 2**65),
            st.sampled_from(["", "driver"]),
            st.sampled_from(["", "8.9", "x.y"]),
            st.integers(-(2**65), 2**65),
            st.integers(-(2**65), 2**65),
        ),
        max_size=4,
    ),
)
def test_whatever_is_said_the_hardware_is_sane(
    devices: list[Device], found: list[FoundGpu]
) -> None:
    result = _completed(*devices, found=tuple(found))
    for gpu in result.gpus:
        assert is_sane(gpu.total_bytes, gpu.free_bytes)
        assert gpu.name
        assert gpu.bandwidth >= 0
        assert str(hardware.gpu_sentence(gpu))
        if gpu.is_integrated:
            own = max((each.own_free_bytes for each in found), default=0)
            assert gpu.free_bytes <= result.ram_available_bytes + max(0, own)
    assert all(is_sane(device.total_bytes, device.free_bytes) for device in result.devices)
    addresses = [gpu.pci for gpu in result.used_gpus if gpu.pci]
    assert len(addresses) == len(set(addresses))
