"""The questions the other way round: how many layers, how much context."""

from __future__ import annotations

from dataclasses import replace

from app.core.fit.judging import gpus_hold
from app.core.fit.plan import Use
from app.core.fit.planning import plan
from app.core.fit.shape import ModelShape
from app.core.fit.split import gpus_of, n_offloadable
from app.core.hardware import Hardware

STEP = 256  # contexts come in multiples of it
_LONGEST = 1_048_576


def most_gpu_layers(shape: ModelShape, use: Use, hardware: Hardware) -> int:
    """The most layers that the GPUs' free memory holds, the output counted as one: 0 to all.

    Found by halving: with more layers the GPUs hold more. Where several GPUs share them out
    unevenly that is true but for a layer or two, so the neighbours are looked at as well.
    """

    def holds(n: int) -> bool:
        planned = plan(shape, replace(use, n_gpu_layers=n), hardware)
        return planned.n_gpu_layers == n and gpus_hold(planned.devices)

    low, high = 0, n_offloadable(shape)
    if holds(high):
        return high
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    n_neighbours = 3 if len(gpus_of(hardware)) > 1 else 0
    above = range(min(low + n_neighbours, n_offloadable(shape)), low, -1)
    return next((n for n in above if holds(n)), low)


def largest_context(
    shape: ModelShape, use: Use, hardware: Hardware, up_to: int | None = None
) -> int:
    """The most tokens of context with which it fits, in steps of 256; 0: not even with 256.

    `up_to`: what the model was trained for where None, or a million where that is not known.
    """
    high = (up_to or shape.n_ctx_train or _LONGEST) // STEP
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        if plan(shape, replace(use, n_ctx=middle * STEP), hardware).fits:
            low = middle
        else:
            high = middle - 1
    return low * STEP
