"""When a model fits: the one rule, and what is left alone of each device's free memory."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.fit.plan import DevicePlan, Fit

# Of the free memory, what may be taken with room to spare: other programs want some too, and a
# desktop draws on its GPU.
COMFORTABLE_SHARE = 0.85
ENOUGH_BYTES = 3_000_000_000  # left free, it is room to spare whatever the share
ENOUGH_GPU_BYTES = 1_000_000_000
# What a backend takes of a GPU for itself before it computes (context, kernels, staging buffers).
_RESERVES = {
    "cuda": 450_000_000,
    "rocm": 450_000_000,
    "hip": 450_000_000,
    "sycl": 400_000_000,
    "vulkan": 200_000_000,
    "metal": 100_000_000,
}
_UNKNOWN_RESERVE = 300_000_000


def reserve_bytes(backend: str) -> int:
    """What stays free of a GPU. Source: measured or documented overheads, rounded up."""
    return _RESERVES.get(backend, _UNKNOWN_RESERVE)


def judge(devices: Sequence[DevicePlan]) -> Fit:
    """The worst verdict over `devices`, the processor last.

    A GPU that has no memory of its own takes it from the processor's, so that it counts there too.
    """
    shared = sum(device.total_bytes for device in devices if device.is_shared)
    verdicts = [
        _judge(d.total_bytes, d.free_bytes - d.reserve_bytes, ENOUGH_GPU_BYTES)
        for d in devices[:-1]
    ]
    processor = devices[-1]
    verdicts.append(_judge(processor.total_bytes + shared, processor.free_bytes, ENOUGH_BYTES))
    return max(verdicts, key=[Fit.FITS, Fit.TIGHT, Fit.DOES_NOT_FIT].index)


def has_room(need: int, free: int, enough: int = ENOUGH_BYTES) -> bool:
    """Whether enough is left of `free` bytes for everybody else."""
    return need <= max(free * COMFORTABLE_SHARE, free - enough)


def _judge(need: int, free: int, enough: int) -> Fit:
    if has_room(need, free, enough):
        return Fit.FITS
    return Fit.TIGHT if need <= free else Fit.DOES_NOT_FIT


def gpus_hold(devices: Sequence[DevicePlan]) -> bool:
    """Whether the GPUs hold their part, whatever is left for the processor."""
    return all(d.total_bytes <= d.free_bytes - d.reserve_bytes for d in devices[:-1])
