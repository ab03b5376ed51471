"""The recorded computers, read by the real parsers: what must come out of each."""

from __future__ import annotations

import pytest

from app.core.hardware import GpuState
from tests.helpers.machines import MACHINES

GIB = 1 << 30
# name: cores, efficiency cores, threads, GiB of RAM, [(state, backend, GiB, GB/s)]
EXPECTED = {
    "macbook-air-m1-8": (8, 4, 8, 8.0, [("used", "metal", 5.33, 68)]),
    "mac-m3-max-64": (16, 4, 16, 64.0, [("used", "metal", 48.0, 400)]),
    "laptop-16-no-gpu": (4, 0, 8, 15.7, [("no_kernels", "vulkan", 8.0, 38)]),
    "rtx-3050-4": (8, 4, 12, 15.7, [("used", "cuda", 4.0, 192), ("no_kernels", "vulkan", 8.0, 41)]),
    "rtx-4060-8": (
        6,
        0,
        12,
        30.5,
        [("used", "cuda", 7.7, 272), ("no_kernels", "vulkan", 15.8, 58)],
    ),
    "rtx-4090-24": (16, 0, 32, 62.5, [("used", "cuda", 23.5, 1008)]),
    "two-gpus": (
        16,
        8,
        24,
        62.6,
        [("used", "cuda", 23.6, 936), ("used", "cuda", 11.6, 360), ("spare", "vulkan", 48.0, 71)],
    ),
    "radeon-vulkan": (8, 0, 16, 31.3, [("used", "vulkan", 16.0, 624)]),
    "intel-arc": (14, 8, 20, 31.1, [("used", "vulkan", 15.1, 560), ("spare", "vulkan", 23.3, 66)]),
    "old-4gb-no-avx2": (2, 0, 4, 3.7, []),
    "container-2gib": (2, 0, 2, 2.0, []),
}


def test_they_are_the_eleven() -> None:
    assert MACHINES.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_what_comes_out(name: str) -> None:
    machine = MACHINES[name]
    n_cores, n_efficiency, n_threads, ram, gpus = EXPECTED[name]
    cpu = machine.cpu
    assert (cpu.n_cores, cpu.n_efficiency, cpu.n_threads) == (n_cores, n_efficiency, n_threads)
    assert machine.ram_total_bytes / GIB == pytest.approx(ram, abs=0.06)
    assert 0 < machine.ram_available_bytes < machine.ram_total_bytes
    found = [
        (g.state.value, g.backend, g.total_bytes / GIB, g.bandwidth / 1e9) for g in machine.gpus
    ]
    assert [each[:2] for each in found] == [each[:2] for each in gpus]
    for (*_, size, speed), (*_, wanted_size, wanted_speed) in zip(found, gpus, strict=True):
        assert size == pytest.approx(wanted_size, abs=0.06)
        assert speed == pytest.approx(wanted_speed, abs=1)
    assert machine.probe_error is None
    assert machine.ram_bandwidth > 0


def test_names_are_as_people_know_them() -> None:
    assert MACHINES["intel-arc"].gpus[0].name == "Intel Arc A770 Graphics"
    assert MACHINES["radeon-vulkan"].gpus[0].name == "AMD Radeon RX 7800 XT"
    assert MACHINES["laptop-16-no-gpu"].cpu.name == "11th Gen Intel Core i5-1135G7 @ 2.40GHz"


def test_the_old_one_lacks_what_its_time_lacked() -> None:
    assert MACHINES["old-4gb-no-avx2"].cpu.features == ("sse4.2", "avx")


def test_the_container_says_what_limits_it() -> None:
    container = MACHINES["container-2gib"]
    assert container.ram_limited_by == "cgroup"
    assert container.ram_total_bytes == 2 * GIB
    # 475 MiB are taken, of which 232 MiB are old pages of files.
    assert container.ram_available_bytes == 2 * GIB - 498_073_600 + 243_269_632


def test_what_a_driver_said_twice_is_there_once() -> None:
    assert len(MACHINES["two-gpus"].devices) == 6
    assert [gpu.state for gpu in MACHINES["two-gpus"].gpus].count(GpuState.USED) == 2
