"""What this computer has: processor, memory, disk, and what llama.cpp can compute on.

Headless and without drivers: whatever needs a native library is asked in the child "probe"
(`app.engine.examine`) and put together here.

What looks at the computer is imported when it is first used: the window is to be there before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from app.core.hardware.types import (
    Bandwidth,
    Cpu,
    Device,
    FoundGpu,
    Gpu,
    GpuState,
    Hardware,
)

if TYPE_CHECKING:
    from app.core.hardware.machine import complete, cpu_name, free_disk, measure
    from app.core.hardware.probed import Probed
    from app.core.hardware.sentences import backend_name, gpu_hint, gpu_sentence
    from app.core.hardware.simulate import simulated
else:
    _HOMES = {
        **dict.fromkeys(("complete", "cpu_name", "free_disk", "measure"), "machine"),
        "Probed": "probed",
        **dict.fromkeys(("backend_name", "gpu_hint", "gpu_sentence"), "sentences"),
        "simulated": "simulate",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
        return globals().setdefault(name, getattr(module, name))


__all__ = [
    "Bandwidth",
    "Cpu",
    "Device",
    "FoundGpu",
    "Gpu",
    "GpuState",
    "Hardware",
    "Probed",
    "backend_name",
    "complete",
    "cpu_name",
    "free_disk",
    "gpu_hint",
    "gpu_sentence",
    "measure",
    "simulated",
]
