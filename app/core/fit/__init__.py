"""What a model will take of this computer's memory, and whether that is there: predicted.

From a GGUF header alone (local, or the first bytes of a remote file), or from a catalogue entry.
Knows no file, no device and no llama.cpp: `Hardware` comes in, a `MemoryPlan` goes out.
"""

from __future__ import annotations

from app.core.fit.advising import advice
from app.core.fit.described import shape_from
from app.core.fit.header import shape_of
from app.core.fit.limits import largest_context, most_gpu_layers
from app.core.fit.plan import DevicePlan, Fit, MemoryPlan, Use
from app.core.fit.planning import plan
from app.core.fit.shape import Layer, ModelShape

__all__ = [
    "DevicePlan",
    "Fit",
    "Layer",
    "MemoryPlan",
    "ModelShape",
    "Use",
    "advice",
    "largest_context",
    "most_gpu_layers",
    "plan",
    "shape_from",
    "shape_of",
]
