"""The processor: its name, its cores of both kinds, what this process may use of it."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.hardware import features
from app.core.hardware.cgroup import cpu_limit
from app.core.hardware.files import Files, fields, number, number_list
from app.core.hardware.known import tidy
from app.core.hardware.types import Cpu

_MOST_LEVELS = 8
_CPUS = "/sys/devices/system/cpu"
_SLOW_SHARE = 0.6  # of the fastest core's capacity: what is slower is an efficiency core
# MIDR part numbers of arm64, which /proc/cpuinfo does not name (arch/arm64/include/asm/cputype.h).
_ARM_PARTS = {
    ("0x41", "0xd03"): "ARM Cortex-A53",
    ("0x41", "0xd05"): "ARM Cortex-A55",
    ("0x41", "0xd07"): "ARM Cortex-A57",
    ("0x41", "0xd08"): "ARM Cortex-A72",
    ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xd0c"): "ARM Neoverse N1",
    ("0x41", "0xd40"): "ARM Neoverse V1",
    ("0x41", "0xd49"): "ARM Neoverse N2",
    ("0x41", "0xd4f"): "ARM Neoverse V2",
    ("0x51", "0x001"): "Qualcomm Oryon",
}


def linux_cpu(files: Files, allowed: frozenset[int]) -> Cpu:
    """From /proc/cpuinfo and sysfs. `allowed`: the logical processors this process may run on."""
    first = fields(files.text("/proc/cpuinfo"))
    cores = _cores(files, allowed)
    limit = cpu_limit(files) or len(allowed) or 1
    slow = _slow_processors(files, allowed)
    n_cores = max(1, min(len(cores), limit))
    n_fast = sum(not core <= slow for core in cores)  # a limit of time is spent on these first
    return Cpu(
        name=_linux_name(files, first),
        n_cores=n_cores,
        n_efficiency=max(0, n_cores - n_fast),
        n_threads=max(1, min(len(allowed), limit)),
        features=features.from_linux(first.get("flags") or first.get("Features", "")),
    )


def _linux_name(files: Files, first: Mapping[str, str]) -> str:
    part = (first.get("CPU implementer", ""), first.get("CPU part", ""))
    board = files.text("/sys/firmware/devicetree/base/model").strip("\0\n ")
    return tidy(first.get("model name") or _ARM_PARTS.get(part) or board)


def _cores(files: Files, allowed: frozenset[int]) -> set[frozenset[int]]:
    """The physical cores under `allowed`, each as the set of its logical processors."""
    found = set()
    for processor in allowed:
        topology = f"{_CPUS}/cpu{processor}/topology"
        siblings = files.text(f"{topology}/core_cpus_list")
        siblings = siblings or files.text(f"{topology}/thread_siblings_list")
        found.add(number_list(siblings) & allowed or frozenset({processor}))
    return found


def _slow_processors(files: Files, allowed: frozenset[int]) -> frozenset[int]:
    """Intel's hybrids list theirs; ARM's say what each one is worth against the fastest."""
    atoms = number_list(files.text("/sys/devices/cpu_atom/cpus"))
    if atoms and number_list(files.text("/sys/devices/cpu_core/cpus")):
        return atoms
    worth = {cpu: number(files.text(f"{_CPUS}/cpu{cpu}/cpu_capacity")) for cpu in allowed}
    limit = max(worth.values(), default=0) * _SLOW_SHARE
    return frozenset(cpu for cpu, capacity in worth.items() if 0 < capacity < limit)


def macos_cpu(values: Mapping[str, str]) -> Cpu:
    """From the trees `hw` and `machdep.cpu` of sysctl. Level 0 are the fastest cores."""
    levels = range(min(_MOST_LEVELS, number(values.get("hw.nperflevels", ""))))
    slow = [n for n in levels if values.get(f"hw.perflevel{n}.name") == "Efficiency"]
    n_slow = sum(number(values.get(f"hw.perflevel{n}.physicalcpu", "")) for n in slow)
    return Cpu(
        name=tidy(values.get("machdep.cpu.brand_string", "")),
        n_cores=max(1, number(values.get("hw.physicalcpu", ""))),
        n_efficiency=n_slow,
        n_threads=max(1, number(values.get("hw.logicalcpu", ""))),
        features=features.from_sysctl(values),
    )


def windows_cpu(name: str, n_cores: int, n_threads: int) -> Cpu:
    """From the registry and the system's counts. Kinds and features are asked for in a child."""
    return Cpu(tidy(name), max(1, n_cores), 0, max(1, n_threads))
