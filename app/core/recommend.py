"""Which variant to take on this computer, how to run it, and why.

Puts together what `app.core.fit` and `app.core.speed` predict and what `app.core.policy` prefers.
Knows no file and no device; the opinions are all in the policy's tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from app.core.assessing import assess
from app.core.catalog import CatalogModel, FileKind, load_catalog
from app.core.choosing import choose, grade_for
from app.core.errors import Message
from app.core.fit import shape_from
from app.core.hardware import Hardware
from app.core.policy import BEGIN_GPU_SHARE, BEGIN_TPS, WORTH_BEGINNING_WITH
from app.core.reasons import instead_sentence, reasons_against, reasons_for
from app.core.recommendation import Assessment, Candidate, Recommendation
from app.core.room import gpu_share, is_roomy
from app.core.speed import SpeedRecord, default_threads

__all__ = [
    "Assessment",
    "Candidate",
    "Recommendation",
    "SpeedRecord",
    "assess",
    "candidates_of",
    "recommend",
    "recommend_model",
]

N_CTX = 8192  # what a conversation with a document or two wants


def candidates_of(model: CatalogModel) -> tuple[Candidate, ...]:
    """The model's variants, from the largest to the smallest; `key` is the CatalogFile."""
    mmproj_bytes = model.mmproj.size_bytes if model.mmproj else 0
    return tuple(
        Candidate(
            variant=file.variant,
            shape=shape_from(
                model.geometry,
                model.architecture,
                file.variant,
                file.size_bytes,
                model.n_params,
                model.n_params_active,
                model.n_ctx_train,
                mmproj_bytes,
            ),
            size_bytes=file.size_bytes,
            kind=file.kind,
            key=file,
        )
        for file in model.files
    )


def recommend(
    candidates: Sequence[Candidate],
    hardware: Hardware,
    n_ctx: int = N_CTX,
    kv_type: str | None = None,
    measured: Sequence[SpeedRecord] = (),
) -> Recommendation:
    """The variant to take and how to run it; or none, and what would fit instead.

    `kv_type` None: chosen as well. Of a single candidate only the way to run it is in question.
    """
    found = _choose(candidates, hardware, n_ctx, kv_type, measured)
    if found.pick:
        return found
    instead = _instead(hardware, n_ctx, tuple(measured))
    return Recommendation(None, found.n_threads, (*found.reasons, *instead), found.others)


def recommend_model(
    models: Sequence[CatalogModel],
    hardware: Hardware,
    n_ctx: int = N_CTX,
    measured: Sequence[SpeedRecord] = (),
) -> tuple[CatalogModel, Recommendation] | None:
    """The best of the models to begin with that runs comfortably here, in the variant to take.

    Where none is comfortable, the best that keeps up with a reader, else the smallest that fits.
    """
    ranked = sorted((m for m in models if m.rank), key=lambda m: m.rank, reverse=True)
    found: dict[str, Recommendation] = {}
    for least_tps in BEGIN_TPS:
        for model in ranked:
            if model.id not in found:
                found[model.id] = _choose(candidates_of(model), hardware, n_ctx, None, measured)
            if _is_good(model, found[model.id].pick, n_ctx, least_tps):
                return model, found[model.id]
    fitting = [model for model in reversed(ranked) if found[model.id].pick]
    return (fitting[0], found[fitting[0].id]) if fitting else None


def _choose(
    candidates: Sequence[Candidate],
    hardware: Hardware,
    n_ctx: int,
    kv_type: str | None,
    measured: Sequence[SpeedRecord],
) -> Recommendation:
    judged = choose(candidates, hardware, n_ctx, kv_type, measured)
    reasons = reasons_for(judged) if judged.pick else reasons_against(judged)
    threads = default_threads(hardware.cpu)
    return Recommendation(judged.pick, threads, reasons, judged.others)


@lru_cache(maxsize=8)  # a page asks for many models at once
def _instead(
    hardware: Hardware, n_ctx: int, measured: tuple[SpeedRecord, ...]
) -> tuple[Message, ...]:
    found = recommend_model(load_catalog(), hardware, n_ctx, measured)
    if found is None or found[1].pick is None:
        return ()
    return (instead_sentence(found[0], found[1].pick),)


def _is_good(model: CatalogModel, pick: Assessment | None, n_ctx: int, least_tps: float) -> bool:
    """All or nearly all in fast memory, at that speed, and little given up for it.

    A model that always thinks before it answers has to be twice as fast.
    """
    return (
        pick is not None
        and gpu_share(pick.plan, pick.candidate.shape) >= BEGIN_GPU_SHARE
        and is_roomy(pick.plan)
        and (
            pick.candidate.kind is not FileKind.QUANTIZED
            or grade_for(pick.candidate) in WORTH_BEGINNING_WITH
        )
        and pick.use.n_ctx * 2 >= min(n_ctx, model.n_ctx_train)
        and pick.predicted_tps >= least_tps * (2 if model.always_thinks else 1)
    )
