"""What would make a model fit: the ways on, in words, the one that costs least first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.core.fit.limits import largest_context, most_gpu_layers
from app.core.fit.plan import MemoryPlan, Use
from app.core.fit.planning import plan
from app.core.fit.shape import ModelShape
from app.core.fit.split import n_offloadable
from app.core.hardware import Hardware

_LEAST_CONTEXT = 1024  # less is of no use in a conversation


def advice(shape: ModelShape, use: Use, hardware: Hardware) -> tuple[Message, ...]:
    """Ways to make it fit; none where it does. Each is checked: with it, it fits."""
    planned = plan(shape, use, hardware)
    if planned.fits:
        return ()
    return (*_ways(shape, use, hardware, planned),)


def _ways(
    shape: ModelShape, use: Use, hardware: Hardware, planned: MemoryPlan
) -> Iterator[Message]:
    if planned.n_gpu_layers:
        n = most_gpu_layers(shape, use, hardware)
        if plan(shape, replace(use, n_gpu_layers=n), hardware).fits:
            if n:
                yield _LAYERS.fill(n=n, total=n_offloadable(shape))
            else:
                yield _PROCESSOR
    smaller = replace(use, kv_type="q8_0")
    if use.kv_type == "f16" and plan(shape, smaller, hardware).fits:
        yield _CACHE
    n_ctx = largest_context(shape, use, hardware, up_to=planned.n_ctx)
    if n_ctx >= _LEAST_CONTEXT:
        yield _CONTEXT.fill(n=n_ctx)
    yield from _freeing(planned, hardware)


def _freeing(planned: MemoryPlan, hardware: Hardware) -> Iterator[Message]:
    """Where closing programs could do: the machine has the memory, it is only in use."""
    processor = planned.devices[-1]
    need = processor.total_bytes + sum(d.total_bytes for d in planned.devices if d.is_shared)
    missing = need - processor.free_bytes
    if missing > 0 and need < hardware.ram_total_bytes * _FREEABLE_SHARE:
        yield _FREE.fill(size=size_text(missing))


_FREEABLE_SHARE = 0.9  # a system keeps the rest to itself


def size_text(n_bytes: int) -> str:
    """For people, in decimal units."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


_LAYERS = QT_TRANSLATE_NOOP(
    "fit", "With {n} of its {total} layers on the graphics processor it fits; the rest is slower."
)
_PROCESSOR = QT_TRANSLATE_NOOP("fit", "On the processor alone it fits, but is slower.")
_CACHE = QT_TRANSLATE_NOOP("fit", "With the context kept as q8_0, at almost no loss, it fits.")
_CONTEXT = QT_TRANSLATE_NOOP("fit", "With a context of {n} tokens it fits.")
_FREE = QT_TRANSLATE_NOOP("fit", "Close other programs: {size} more must be free.")
