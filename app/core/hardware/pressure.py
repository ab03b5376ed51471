"""Whether memory is about to run out, while there is still time to do something about it.

The kernel kills the largest process, and that is the model. Before that, programs wait for memory:
Linux counts how long (PSI), macOS has a level, Windows only has what is free. Reading takes less
than a millisecond. Knows what is so, not what is to be done.
Source: Documentation/accounting/psi.rst of the kernel; cgroup-v2.rst, "memory.pressure".
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import IntEnum

import psutil

from app.core.hardware import cgroup
from app.core.hardware.files import Files, SystemFiles, number
from app.core.hardware.memory import Memory, linux_memory
from app.core.hardware.platforms import read_sysctl

# All programs stood still for so much of the last ten seconds, waiting for memory.
_STALLED_PERCENT = 15.0
_SOME_STALLED_PERCENT = 40.0  # one at least
# What is left is little or short below both the share of all memory and the bytes.
_LITTLE = (0.04, 200_000_000)
_SHORT = (0.08, 500_000_000)


class Pressure(IntEnum):
    NONE = 0
    SHORT = 1  # it is getting short
    CRITICAL = 2  # something is about to be killed, or hardly moves any more


_MACOS_LEVELS = {1: Pressure.NONE, 2: Pressure.SHORT, 4: Pressure.CRITICAL}


@dataclass(frozen=True, slots=True)
class Reading:
    """`some_percent`, `full_percent`: how much of ten seconds one or all of the programs waited for
    memory. `level`: what the system itself says, where it says something."""

    memory: Memory
    some_percent: float = 0.0
    full_percent: float = 0.0
    level: Pressure = Pressure.NONE


def read(files: Files | None = None) -> Reading:
    """How it is now. `files` in place of this computer's: those of a Linux machine."""
    if files is not None or sys.platform == "linux":
        return read_linux(files or SystemFiles())
    now = psutil.virtual_memory()
    return Reading(Memory(now.total, now.available), level=_macos_level())


def read_linux(files: Files) -> Reading:
    """The computer's own figures, and those of the tightest group that this process is in."""
    places = ["/proc/pressure/memory"]
    places += [f"{folder}/memory.pressure" for folder in cgroup.memory_folders(files)]
    stalls = [parse_psi(files.text(place)) for place in places]
    return Reading(
        linux_memory(files),
        some_percent=max(some for some, _ in stalls),
        full_percent=max(full for _, full in stalls),
    )


def parse_psi(text: str) -> tuple[float, float]:
    """The ten-second averages of "some" and "full", in percent; 0 for what is not there."""
    found = {"some": 0.0, "full": 0.0}
    for line in text.splitlines():
        words = line.split()
        if words and words[0] in found:
            found[words[0]] = _average(words[1:])
    return found["some"], found["full"]


def _average(words: list[str]) -> float:
    for word in words:
        name, _, value = word.partition("=")
        if name == "avg10":
            try:
                percent = float(value)
            except ValueError:
                return 0.0
            return percent if 0.0 <= percent <= 100.0 else 0.0
    return 0.0


def judge(reading: Reading) -> Pressure:
    """How bad it is. Where nothing is known, nothing is wrong."""
    total, left = reading.memory.total_bytes, reading.memory.available_bytes
    if reading.level is Pressure.CRITICAL or reading.full_percent >= _STALLED_PERCENT:
        return Pressure.CRITICAL
    if not total:
        return reading.level
    is_short = _is_below(left, total, *_SHORT)
    if _is_below(left, total, *_LITTLE) or (
        is_short and reading.some_percent >= _SOME_STALLED_PERCENT
    ):
        return Pressure.CRITICAL
    return max(reading.level, Pressure.SHORT if is_short else Pressure.NONE)


def _is_below(left: int, total: int, share: float, n_bytes: int) -> bool:
    return left < min(total * share, n_bytes)


def _macos_level() -> Pressure:
    if sys.platform != "darwin":
        return Pressure.NONE
    return macos_level(read_sysctl(("kern.memorystatus_vm_pressure_level",)))


def macos_level(text: str) -> Pressure:
    """From "kern.memorystatus_vm_pressure_level: 2", as sysctl prints it."""
    return _MACOS_LEVELS.get(number(text.partition(":")[2]), Pressure.NONE)
