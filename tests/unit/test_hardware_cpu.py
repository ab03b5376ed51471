"""The processor as each system describes it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.hardware import features
from app.core.hardware.cpu import linux_cpu, macos_cpu, windows_cpu
from app.core.hardware.files import number, number_list
from app.core.hardware.platforms import sysctl_values
from app.core.hardware.types import Cpu
from app.engine.cpu_windows import count_efficiency, names_of
from tests.helpers.fuzz import fuzz
from tests.helpers.recording import RecordedFiles

CPUS = "/sys/devices/system/cpu"
MOUNT = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def _siblings(*lists: str) -> dict[str, str]:
    return {f"{CPUS}/cpu{i}/topology/core_cpus_list": f"{text}\n" for i, text in enumerate(lists)}


def test_two_threads_are_one_core() -> None:
    files = RecordedFiles(_siblings("0,2", "1,3", "0,2", "1,3"))
    cpu = linux_cpu(files, frozenset(range(4)))
    assert (cpu.n_cores, cpu.n_threads) == (2, 4)


def test_only_the_cores_that_the_process_may_use_count() -> None:
    files = RecordedFiles(_siblings("0,2", "1,3", "0,2", "1,3"))
    cpu = linux_cpu(files, frozenset({0, 2}))
    assert (cpu.n_cores, cpu.n_threads) == (1, 2)


def test_without_topology_each_processor_is_a_core() -> None:
    assert linux_cpu(RecordedFiles({}), frozenset({0, 1})) == Cpu("", 2, 0, 2)


@pytest.mark.parametrize(
    ("quota", "n"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("x y", 8)]
)
def test_a_containers_share_of_processor_time_counts(quota: str, n: int) -> None:
    texts = {
        **_siblings(*map(str, range(8))),
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": MOUNT,
        "/sys/fs/cgroup/cpu.max": quota,
    }
    cpu = linux_cpu(RecordedFiles(texts), frozenset(range(8)))
    assert (cpu.n_cores, cpu.n_threads) == (n, n)


def test_share_of_processor_time_of_the_old_kind() -> None:
    mount = "31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    texts = {
        "/proc/self/cgroup": "4:cpu,cpuacct:/docker/abc\n",
        "/proc/self/mountinfo": mount,
        "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "300000\n",
        "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert linux_cpu(RecordedFiles(texts), frozenset(range(8))).n_threads == 3


def test_intels_hybrids_name_their_efficiency_cores() -> None:
    texts = {
        **_siblings("0-1", "0-1", "2", "3"),
        "/sys/devices/cpu_core/cpus": "0-1\n",
        "/sys/devices/cpu_atom/cpus": "2-3\n",
    }
    cpu = linux_cpu(RecordedFiles(texts), frozenset(range(4)))
    assert (cpu.n_cores, cpu.n_efficiency) == (3, 2)


def test_arms_slow_cores_are_worth_less() -> None:
    worth = {f"{CPUS}/cpu{i}/cpu_capacity": w for i, w in enumerate(("414", "414", "1024", "980"))}
    info = (
        "processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp i8mm sve\nCPU implementer\t: 0x41\n"
    )
    files = RecordedFiles({**worth, "/proc/cpuinfo": f"{info}CPU part\t: 0xd0b\n"})
    cpu = linux_cpu(files, frozenset(range(4)))
    assert cpu.n_efficiency == 2
    assert cpu.name == "ARM Cortex-A76"
    assert cpu.features == ("neon", "fp16", "dotprod", "i8mm", "sve")


def test_a_board_names_what_its_processor_does_not() -> None:
    texts = {"/sys/firmware/devicetree/base/model": "Raspberry Pi 9\0"}
    assert linux_cpu(RecordedFiles(texts), frozenset({0})).name == "Raspberry Pi 9"


def test_a_mac_with_an_intel_processor() -> None:
    text = (
        "hw.physicalcpu: 4\nhw.logicalcpu: 8\nhw.nperflevels: 1\n"
        "machdep.cpu.brand_string: Intel(R) Core(TM) i7-1068NG7 CPU @ 2.30GHz\n"
        "machdep.cpu.features: FPU SSE4.2 AVX1.0 FMA F16C\n"
        "machdep.cpu.leaf7_features: BMI2 AVX2 AVX512F\n"
    )
    cpu = macos_cpu(sysctl_values(text))
    assert cpu.name == "Intel Core i7-1068NG7 CPU @ 2.30GHz"
    assert (cpu.n_cores, cpu.n_efficiency, cpu.n_threads) == (4, 0, 8)
    assert cpu.features == ("sse4.2", "avx", "avx2", "fma", "f16c", "bmi2", "avx512f")


def test_a_sysctl_that_says_nothing() -> None:
    assert macos_cpu({}) == Cpu("", 1, 0, 1)


def test_windows() -> None:
    cpu = windows_cpu("  AMD Ryzen 7 5800H with Radeon Graphics  ", 8, 16)
    assert cpu == Cpu("AMD Ryzen 7 5800H with Radeon Graphics", 8, 0, 16)


def test_windows_numbers_become_names() -> None:
    assert names_of([38, 39, 40]) == ("sse4.2", "avx", "avx2", "fma", "f16c", "bmi2")
    assert names_of([19, 43]) == ("neon", "dotprod")


def _core(efficiency_class: int, size: int = 48) -> bytes:
    return struct.pack("<IIBB", 0, size, 1, efficiency_class).ljust(size, b"\0")


def test_windows_counts_the_cores_below_the_highest_class() -> None:
    cache = struct.pack("<II", 2, 52).ljust(52, b"\0")
    assert count_efficiency(_core(1) + cache + _core(0) + _core(0, 64) + _core(1)) == 2
    assert count_efficiency(_core(0) + _core(0)) == 0
    assert count_efficiency(b"") == 0


def test_ggml_spells_some_features_its_own_way() -> None:
    found = features.from_ggml(["SSE3", "AVX512", "FP16_VA", "MATMUL_INT8", "LLAMAFILE"])
    assert found == ("avx512f", "fp16", "i8mm")


def test_lists_of_the_kernel() -> None:
    assert number_list("0-2,5,8-9\n") == {0, 1, 2, 5, 8, 9}
    assert number_list("x,1-,-2, ,3-1") == {1}
    assert len(number_list("0-99999999999")) == 65_536
    assert (number("0x10de"), number("12 kB"), number("-3"), number("max", 7)) == (4318, 12, 0, 7)


@fuzz
@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_whatever_the_files_hold_there_is_a_processor(info: str, cpus: str, quota: str) -> None:
    texts = {
        "/proc/cpuinfo": info,
        "/proc/self/cgroup": "0::/a\n" + cpus,
        "/proc/self/mountinfo": MOUNT + info,
        "/sys/fs/cgroup/a/cpu.max": quota,
        "/sys/devices/cpu_atom/cpus": cpus,
        "/sys/devices/cpu_core/cpus": cpus,
        f"{CPUS}/cpu1/topology/core_cpus_list": cpus,
        f"{CPUS}/cpu1/cpu_capacity": quota,
    }
    cpu = linux_cpu(RecordedFiles(texts), frozenset({0, 1}))
    assert 1 <= cpu.n_cores <= cpu.n_threads <= 2
    assert 0 <= cpu.n_efficiency <= cpu.n_cores
    macos_cpu(sysctl_values(info))


@fuzz
@given(st.binary(max_size=300))
def test_whatever_windows_returns_is_counted_or_not(entries: bytes) -> None:
    assert count_efficiency(entries) >= 0
