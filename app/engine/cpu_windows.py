"""What only a call of Windows tells of the processor: instruction sets and kinds of cores.

On other systems the files say it (app.core.hardware.cpu), and nothing is asked here. Source:
IsProcessorFeaturePresent and SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX of the Windows SDK (winnt.h).
"""

from __future__ import annotations

import ctypes
import struct
import sys

from app.core.hardware.features import ordered

_PRESENT = {  # PF_… of winnt.h; it has no number for FMA, F16C, BMI2 and the newer AVX-512 sets
    38: "sse4.2",
    39: "avx",
    40: "avx2",
    41: "avx512f",
    19: "neon",
    43: "dotprod",
    46: "sve",
    47: "sve2",
    66: "i8mm",
    67: "fp16",
    70: "sme",
}
# Every processor with AVX2 has these: Haswell, Excavator and what came after.
_WITH_AVX2 = ("fma", "f16c", "bmi2")
_CORES = 0  # RelationProcessorCore
_HEAD = struct.Struct("<II")  # relationship, size
_EFFICIENCY_CLASS = 9  # bytes from the start of an entry: head, flags, class


def features() -> tuple[str, ...]:
    """Empty where this is not Windows."""
    if sys.platform != "win32":
        return ()
    is_present = ctypes.WinDLL("kernel32").IsProcessorFeaturePresent
    return names_of(number for number in _PRESENT if is_present(number))


def names_of(numbers: object) -> tuple[str, ...]:
    """The instruction sets behind the PF_ numbers that are present."""
    found = [_PRESENT[number] for number in numbers]  # type: ignore[attr-defined]
    return ordered([*found, *(_WITH_AVX2 if "avx2" in found else ())])


def n_efficiency() -> int:
    """0 where all cores are of one kind, and where this is not Windows."""
    if sys.platform != "win32":
        return 0
    ask = ctypes.WinDLL("kernel32").GetLogicalProcessorInformationEx
    size = ctypes.c_uint32(0)
    ask(_CORES, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(max(1, size.value))
    if not ask(_CORES, buffer, ctypes.byref(size)):
        return 0
    return count_efficiency(buffer.raw[: size.value])


def count_efficiency(entries: bytes) -> int:
    """How many cores are below the highest class. Entries are of different sizes."""
    classes: list[int] = []
    place = 0
    while place + _EFFICIENCY_CLASS < len(entries):
        relationship, size = _HEAD.unpack_from(entries, place)
        if size <= _EFFICIENCY_CLASS:
            break  # nonsense: no entry is that short
        if relationship == _CORES:
            classes.append(entries[place + _EFFICIENCY_CLASS])
        place += size
    return sum(each < max(classes) for each in classes)
