"""One candidate on one computer: how many layers on the GPUs, how much memory, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.fit import Use, most_gpu_layers, plan
from app.core.fit.split import n_offloadable
from app.core.hardware import Hardware
from app.core.policy import GPU_SHARE
from app.core.recommendation import Assessment, Candidate
from app.core.speed import SpeedRecord, predict_tps


def assess(
    candidate: Candidate,
    hardware: Hardware,
    n_ctx: int,
    kv_type: str | None = None,
    measured: Sequence[SpeedRecord] = (),
) -> Assessment:
    """`candidate` with all layers on the GPUs, else as many as fit, or none if that is faster."""
    shape = candidate.shape
    wanted = Use(n_ctx=min(n_ctx, shape.n_ctx_train or n_ctx), kv_type=kv_type or "f16")
    alone = _way(candidate, replace(wanted, n_gpu_layers=0), hardware, measured)
    if not hardware.used_gpus or _is_hopeless(alone, hardware):
        return alone
    most = most_gpu_layers(shape, wanted, _cautious(hardware))
    if most == 0:
        return alone
    shared = _way(candidate, replace(wanted, n_gpu_layers=most), hardware, measured)
    if most == n_offloadable(shape):
        return shared
    return max(shared, alone, key=lambda way: (way.plan.fits, way.predicted_tps))


def _is_hopeless(alone: Assessment, hardware: Hardware) -> bool:
    """All memory together would not do; how the layers are spread then makes no difference."""
    own = sum(gpu.free_bytes for gpu in hardware.used_gpus if not gpu.is_integrated)
    return alone.plan.total_bytes > hardware.ram_available_bytes + own


def _way(
    candidate: Candidate, use: Use, hardware: Hardware, measured: Sequence[SpeedRecord]
) -> Assessment:
    planned = plan(candidate.shape, use, hardware)
    tps = predict_tps(candidate.shape, use, planned, hardware, measured)
    return Assessment(candidate, use, planned, tps)


def _cautious(hardware: Hardware) -> Hardware:
    """Not to be filled to the brim: all GPUs with a little less that is free."""
    gpus = tuple(
        replace(gpu, free_bytes=round(gpu.free_bytes * GPU_SHARE)) for gpu in hardware.gpus
    )
    return replace(hardware, gpus=gpus)
