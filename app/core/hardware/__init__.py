"""What this computer has: processor, memory, disk, and what llama.cpp can compute on.

Headless and without drivers: whatever needs a native library is asked in the child "probe"
(`app.engine.examine`) and put together here.
"""

from __future__ import annotations

from app.core.hardware.machine import complete, cpu_name, free_disk, measure
from app.core.hardware.probed import Probed
from app.core.hardware.sentences import backend_name, gpu_hint, gpu_sentence
from app.core.hardware.simulate import simulated
from app.core.hardware.types import (
    Bandwidth,
    Cpu,
    Device,
    FoundGpu,
    Gpu,
    GpuState,
    Hardware,
)

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
