"""How a model is loaded: with as many layers on the GPUs as fit, and with less where that fails.

A prediction can be wrong, and other programs take memory meanwhile. So the engine has a list of
ways, each smaller than the one before it, and takes the first that works. Pure: no llama.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.core.assessing import assess
from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.core.fit import MemoryPlan, ModelShape, Use, plan
from app.core.fit.split import n_offloadable
from app.core.hardware import Hardware
from app.core.recommendation import Candidate
from app.core.running import n_ctx_for

_LAYER_SHARES = (0.75, 0.5, 0.25, 0.0)  # of the layers that should have fitted
LEAST_CONTEXT = 1024  # less is of no use in a conversation


def settled(shape: ModelShape, use: Use, hardware: Hardware) -> Use:
    """`use` with its number of GPU layers, where it left that open: as many as fit, or none where
    that is faster."""
    if use.n_gpu_layers >= 0:
        return use
    found = assess(Candidate("", shape, 0), hardware, use.n_ctx, use.kv_type)
    return replace(use, n_gpu_layers=found.use.n_gpu_layers)


@dataclass(frozen=True, slots=True)
class Attempts:
    """`wanted`: what was asked for, `ways`: what is tried, in this order; none where memory is
    short for all. `n_layers`: all that a GPU could hold."""

    wanted: Use
    ways: tuple[Use, ...]
    n_layers: int

    def given_up(self, taken: Use) -> Message | None:
        """One sentence on what `taken` has less than was wanted; None where it has all."""
        if taken.n_ctx < self.wanted.n_ctx:
            return _CONTEXT.fill(wanted=f"{self.wanted.n_ctx:,}", n=f"{taken.n_ctx:,}")
        if taken.n_gpu_layers >= self.wanted.n_gpu_layers:
            return None
        if taken.n_gpu_layers == 0:
            return _PROCESSOR
        return _LAYERS.fill(n=taken.n_gpu_layers, total=self.n_layers)


def attempts(shape: ModelShape, use: Use, hardware: Hardware) -> Attempts:
    """The ways to load `shape`: fewer layers on the GPUs first, then a smaller context.

    What the processor's memory cannot hold is left out: the system would end the process over it,
    not refuse it. A number of layers that was asked for is not changed.
    """
    wanted = replace(settled(shape, use, hardware), n_ctx=n_ctx_for(use.n_ctx, shape.n_ctx_train))
    ways = [wanted]
    if use.n_gpu_layers < 0:
        layers = [int(wanted.n_gpu_layers * share) for share in _LAYER_SHARES]
        ways += [replace(wanted, n_gpu_layers=n) for n in layers if n < wanted.n_gpu_layers]
    ways += [replace(ways[-1], n_ctx=n_ctx) for n_ctx in _smaller(wanted.n_ctx)]
    held = (way for way in dict.fromkeys(ways) if _is_held(plan(shape, way, hardware), hardware))
    return Attempts(wanted, tuple(held), n_offloadable(shape))


def _smaller(n_ctx: int) -> Iterator[int]:
    while n_ctx // 2 >= LEAST_CONTEXT:
        n_ctx = n_ctx // 2 // 256 * 256
        yield n_ctx


def _is_held(planned: MemoryPlan, hardware: Hardware) -> bool:
    """Whether the processor's memory has room for what cannot be left in the file."""
    *gpus, processor = planned.devices
    need = processor.kv_bytes + processor.compute_bytes + processor.host_bytes
    need += sum(gpu.total_bytes for gpu in gpus if gpu.is_shared)
    return need <= hardware.ram_available_bytes


_CONTEXT = QT_TRANSLATE_NOOP(
    "engine",
    "The free memory does not hold a context of {wanted} tokens, so it is {n} tokens long.",
)
_LAYERS = QT_TRANSLATE_NOOP(
    "engine",
    "The graphics processor's memory was short, so it holds {n} of {total} layers; "
    "answers are slower.",
)
_PROCESSOR = QT_TRANSLATE_NOOP(
    "engine",
    "The graphics processor's memory was short, so the model runs on the processor; "
    "answers are slower.",
)
