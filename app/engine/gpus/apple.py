"""The graphics half of Apple's chips: how much of the RAM it may take.

ggml's Metal device says it exactly (recommendedMaxWorkingSetSize) where the build has Metal. This
is for builds without: the user's own limit (sysctl iogpu.wired_limit_mb), else the share that macOS
allows by itself, two thirds of up to 32 GiB and three quarters of more.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.hardware.files import number
from app.core.hardware.known import APPLE
from app.core.hardware.platforms import read_sysctl, sysctl_values
from app.core.hardware.types import FoundGpu

_SMALL_BYTES = 32 << 30


class AppleSource:
    name = "macos"

    def __init__(self, read: Callable[[], str] = read_sysctl) -> None:
        self._read = read

    def find(self) -> tuple[FoundGpu, ...]:
        """Empty on a Mac with an Intel processor: their graphics are too slow to be of use."""
        values = sysctl_values(self._read())
        name = values.get("machdep.cpu.brand_string", "")
        if not name.startswith("Apple"):
            return ()
        total = working_set(
            number(values.get("hw.memsize", "")), number(values.get("iogpu.wired_limit_mb", ""))
        )
        return (FoundGpu("macos", name, APPLE, total, total, is_integrated=True),)


def working_set(ram_bytes: int, wired_limit_mb: int) -> int:
    """Bytes that the graphics half may take. `wired_limit_mb` 0: macOS decides."""
    if wired_limit_mb:
        return min(wired_limit_mb << 20, ram_bytes)
    return ram_bytes * 2 // 3 if ram_bytes <= _SMALL_BYTES else ram_bytes * 3 // 4
