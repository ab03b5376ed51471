"""What a subject means on this computer: its variants planned, the one to take picked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from app.core import recommend as recommending
from app.core.errors import ModelFileError
from app.core.fit import ModelShape, shape_of
from app.core.fit.scaling import scaled
from app.core.hardware import Hardware
from app.core.recommend import Candidate, SpeedRecord
from app.jobs.subjects import Assessed, Offer, Subject
from quantize.errors import GgufError
from quantize.gguf_split import read_model


@dataclass(frozen=True, slots=True)
class Wish:
    """How the model is to be run; as in the settings."""

    n_ctx: int = 4096
    kv_type: str = "f16"


def assess(
    subject: Subject, wish: Wish, hardware: Hardware, measured: Sequence[SpeedRecord] = ()
) -> Assessed:
    """A context longer than the model knows is taken for all that it knows."""
    n_ctx = min(wish.n_ctx, subject.n_ctx_train or wish.n_ctx)
    candidates = [
        Candidate(offer.variant, offer.shape, offer.size_bytes, offer.kind, key=number)
        for number, offer in enumerate(subject.offers)
        if offer.shape is not None
    ]
    if not candidates:
        nothing = (None,) * len(subject.offers)
        return Assessed(subject.key, n_ctx, wish.kv_type, hardware.ram_available_bytes, nothing)
    found = recommending.recommend(candidates, hardware, n_ctx, wish.kv_type, measured)
    known = {each.candidate.key: each for each in found.others}
    if found.pick is not None:
        known[found.pick.candidate.key] = found.pick
    assessments = tuple(known.get(number) for number in range(len(subject.offers)))
    pick = found.pick.candidate.key if found.pick is not None else None
    free = max((each.plan.free_bytes for each in known.values()), default=0)
    return Assessed(
        subject.key,
        n_ctx,
        wish.kv_type,
        free,
        assessments,
        pick if isinstance(pick, int) else None,
        found.reasons,
    )


def with_local_shapes(subject: Subject) -> Subject:
    """Read the headers of the files that are here. A file that has gone bad stays unknown."""
    offers = tuple(_with_shape(offer) for offer in subject.offers)
    return subject if offers == subject.offers else replace(subject, offers=offers)


def _with_shape(offer: Offer) -> Offer:
    if offer.installed is None or offer.shape is not None:
        return offer
    try:
        status = offer.installed.path.stat()
        shape = _shape_in(offer.installed.path, status.st_size, status.st_mtime_ns)
    except (OSError, GgufError, ModelFileError):
        return offer
    return replace(offer, shape=shape)


@lru_cache(maxsize=256)
def _shape_in(path: Path, _size: int, _mtime_ns: int) -> ModelShape:
    return shape_of(read_model(path))


def with_header(subject: Subject, number: int, shape: ModelShape) -> Subject:
    """The subject once the header of one offer was read: that one exactly, the others reckoned."""
    offers = []
    for place, offer in enumerate(subject.offers):
        if place == number:
            offers.append(replace(offer, shape=shape, is_estimate=False))
        elif offer.shape is None:
            guess = scaled(shape, offer.variant, offer.size_bytes)
            offers.append(replace(offer, shape=guess, is_estimate=True))
        else:
            offers.append(offer)
    return replace(
        subject,
        offers=tuple(offers),
        n_params=shape.n_params or subject.n_params,
        n_params_active=shape.n_params_active,
        n_ctx_train=shape.n_ctx_train,
    )
