"""Where a plan puts a model, and what it leaves to the other programs."""

from __future__ import annotations

from app.core.fit import MemoryPlan, ModelShape
from app.core.fit.judging import has_room
from app.core.fit.split import n_offloadable


def is_fast(plan: MemoryPlan, shape: ModelShape) -> bool:
    """Every layer, and the output, is on the GPUs; without GPUs RAM is as fast as it gets."""
    return len(plan.devices) == 1 or is_whole(plan, shape)


def is_whole(plan: MemoryPlan, shape: ModelShape) -> bool:
    """Nothing but the embeddings is left to the processor."""
    return plan.n_gpu_layers >= n_offloadable(shape)


def is_roomy(plan: MemoryPlan) -> bool:
    """Of the memory that all programs share there is a good part left. A GPU's own is no matter:
    nobody else wants it for long."""
    return has_room(_shared_need(plan), plan.devices[-1].free_bytes)


def gpu_share(plan: MemoryPlan, shape: ModelShape) -> float:
    """Of the layers, the share that is on GPUs; 1 without GPUs, where nothing is slower."""
    return plan.n_gpu_layers / n_offloadable(shape) if len(plan.devices) > 1 else 1.0


def left_bytes(plan: MemoryPlan) -> int:
    """Of the free RAM, what is left to other programs."""
    return max(0, plan.devices[-1].free_bytes - _shared_need(plan))


def missing_bytes(plan: MemoryPlan) -> int:
    """By how much it does not fit, over the devices; 0 where it does."""
    own = [d.total_bytes - (d.free_bytes - d.reserve_bytes) for d in plan.devices[:-1]]
    shared = _shared_need(plan) - plan.devices[-1].free_bytes
    return sum(max(0, missing) for missing in (*own, shared))


def _shared_need(plan: MemoryPlan) -> int:
    processor = plan.devices[-1]
    return processor.total_bytes + sum(d.total_bytes for d in plan.devices if d.is_shared)
