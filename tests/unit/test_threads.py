"""How many threads the engine takes: as many as there are fast cores that it may use."""

from __future__ import annotations

import pytest

from app.core.hardware.cpu import linux_cpu, macos_cpu
from app.core.hardware.platforms import sysctl_values
from app.core.hardware.types import Cpu
from app.core.speed import default_threads
from tests.helpers.recording import RecordedFiles

CPUS = "/sys/devices/system/cpu"
MOUNT = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def _hybrid(quota: str = "max 100000") -> RecordedFiles:
    """Four fast cores with two threads each, four slow ones with one."""
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)]
    siblings = {cpu: f"{pair[0]}-{pair[1]}" for pair in pairs for cpu in pair}
    siblings |= {cpu: str(cpu) for cpu in range(8, 12)}
    return RecordedFiles(
        {
            **{f"{CPUS}/cpu{n}/topology/core_cpus_list": each for n, each in siblings.items()},
            "/sys/devices/cpu_core/cpus": "0-7\n",
            "/sys/devices/cpu_atom/cpus": "8-11\n",
            "/proc/self/cgroup": "0::/\n",
            "/proc/self/mountinfo": MOUNT,
            "/sys/fs/cgroup/cpu.max": f"{quota}\n",
        }
    )


@pytest.mark.parametrize(
    ("allowed", "quota", "n_threads"),
    [
        (range(12), "max 100000", 4),  # slow cores and second threads are left out
        (range(12), "200000 100000", 2),
        (range(12), "600000 100000", 4),  # six processors' time: spent on the fast ones first
        (range(12), "450000 100000", 4),
        (range(2, 12), "max 100000", 3),  # bound to the others by an affinity
        (range(8, 12), "max 100000", 4),  # slow ones only: they are what there is
        (range(1), "50000 100000", 1),
    ],
)
def test_a_hybrid(allowed: range, quota: str, n_threads: int) -> None:
    cpu = linux_cpu(_hybrid(quota), frozenset(allowed))
    assert default_threads(cpu) == n_threads


def test_a_mac_with_two_kinds_of_cores() -> None:
    text = (
        "hw.physicalcpu: 8\nhw.logicalcpu: 8\nhw.nperflevels: 2\n"
        "hw.perflevel0.name: Performance\nhw.perflevel0.physicalcpu: 4\n"
        "hw.perflevel1.name: Efficiency\nhw.perflevel1.physicalcpu: 4\n"
    )
    assert default_threads(macos_cpu(sysctl_values(text))) == 4


def test_one_kind_only() -> None:
    assert default_threads(Cpu("", 6, 0, 12)) == 6
