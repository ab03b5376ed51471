"""Why a variant is recommended, in two to four sentences; or why none is.

Words only: what is preferred to what, `app.core.policy` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.core.catalog_model import CatalogModel, FileKind
from app.core.choosing import Judged, grade_for
from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.core.fit.split import n_offloadable
from app.core.policy import COMFORTABLE_TPS, CRAWLING_TPS, GRADES, READING_TPS, Grade
from app.core.recommendation import Assessment
from app.core.room import is_roomy, is_whole, left_bytes, missing_bytes

_ORDER = tuple(GRADES)
_KNOWN = Grade.ALMOST_NONE  # Q8_0, the better variant that people ask about


def reasons_for(judged: Judged) -> tuple[Message, ...]:
    """`judged.pick` is there."""
    pick = judged.pick
    assert pick is not None
    return (
        *_memory(pick),
        speed_sentence(pick.predicted_tps),
        *_context(pick, judged.n_ctx),
        *_variant(pick, judged.others),
    )


def reasons_against(judged: Judged) -> tuple[Message, ...]:
    """What is in the way of every candidate: memory, speed or what would be lost."""
    if not judged.others:
        return (_NOTHING,)
    least = min(judged.others, key=lambda trial: trial.plan.total_bytes)
    name, plan = least.candidate.variant, least.plan
    if not plan.fits:
        need, missing = size_text(plan.total_bytes), size_text(missing_bytes(plan))
        said = _TOO_LARGE if len(judged.others) > 1 else _IS_TOO_LARGE
        return (said.fill(variant=name, need=need, missing=missing),)
    if least.predicted_tps < CRAWLING_TPS:
        return (_TOO_SLOW.fill(variant=name, tps=tps_text(least.predicted_tps)),)
    return (_TOO_COARSE.fill(variant=name),)


def instead_sentence(model: CatalogModel, pick: Assessment) -> Message:
    """What would do where something else is refused."""
    return _INSTEAD.fill(
        model=model.name,
        variant=pick.candidate.variant,
        size=size_text(pick.candidate.size_bytes),
        tps=tps_text(pick.predicted_tps),
    )


def speed_sentence(tps: float) -> Message:
    if tps >= COMFORTABLE_TPS:
        return _FASTER.fill(tps=tps_text(tps))
    return (_AS_FAST if tps >= READING_TPS else _SLOWER).fill(tps=tps_text(tps))


def tps_text(tps: float) -> str:
    return f"{tps:.0f}" if tps >= 3 else f"{tps:.1f}"


def size_text(n_bytes: float) -> str:
    """For people, in decimal units."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def _memory(pick: Assessment) -> Iterator[Message]:
    plan, shape = pick.plan, pick.candidate.shape
    gpus = [device for device in plan.devices[:-1] if device.weights_bytes]
    own = [gpu for gpu in gpus if not gpu.is_shared]
    if own and is_whole(plan, shape):
        need, free = sum(g.total_bytes for g in own), sum(g.free_bytes for g in own)
        name = " + ".join(gpu.device for gpu in own)
        yield _ON_GPU.fill(gpu=name, need=size_text(need), free=size_text(free))
    elif gpus and not is_whole(plan, shape):
        n, total = plan.n_gpu_layers, n_offloadable(shape)
        yield _SPLIT.fill(n=n, total=total, gpu=" + ".join(gpu.device for gpu in gpus))
    if not is_roomy(plan):
        yield _LEAVES_ONLY.fill(size=size_text(left_bytes(plan)))
    elif not own:
        yield _LEAVES.fill(size=size_text(left_bytes(plan)))


def _context(pick: Assessment, wanted: int) -> Iterator[Message]:
    most = pick.candidate.shape.n_ctx_train or wanted
    if pick.use.n_ctx < min(wanted, most):
        yield _LESS_CONTEXT.fill(n=pick.use.n_ctx, wanted=wanted)
    if pick.use.kv_type == "q8_0":
        yield _SMALLER_CACHE


def _variant(pick: Assessment, others: Sequence[Assessment]) -> Iterator[Message]:
    """What there is to say of its quality, or of the better variant that was passed over."""
    kinds = {FileKind.QAT: _TRAINED, FileKind.ORIGINAL: _PUBLISHED}
    grade = grade_for(pick.candidate)
    if pick.candidate.kind in kinds:
        yield kinds[pick.candidate.kind]
    elif _ORDER.index(grade) <= _ORDER.index(_KNOWN):
        yield _NO_LOSS
    elif _ORDER.index(grade) >= _ORDER.index(Grade.CLEAR):
        yield _CLEAR_LOSS
    better = _better(pick, others)
    if better and _ORDER.index(grade) < _ORDER.index(Grade.CLEAR):
        yield from _passed_over(better, pick)


def _better(pick: Assessment, others: Sequence[Assessment]) -> Assessment | None:
    """Q8_0 where there is one, else the nearest that loses less."""
    if pick.candidate.kind is not FileKind.QUANTIZED:
        return None
    rank = _ORDER.index(grade_for(pick.candidate))
    found = {
        _ORDER.index(grade_for(other.candidate)): other
        for other in reversed(others)
        if other.candidate.kind is FileKind.QUANTIZED
    }
    known = _ORDER.index(_KNOWN)
    if known < rank and known in found:
        return found[known]
    return next((found[i] for i in range(rank - 1, known, -1) if i in found), None)


def _passed_over(better: Assessment, pick: Assessment) -> Iterator[Message]:
    name, plan = better.candidate.variant, better.plan
    if not plan.fits:
        missing = size_text(missing_bytes(plan))
        yield _BETTER_TOO_LARGE.fill(variant=name, missing=missing)
    elif is_roomy(pick.plan) and not is_roomy(plan):
        yield _BETTER_LEAVES.fill(variant=name, size=size_text(left_bytes(plan)))
    elif better.predicted_tps < pick.predicted_tps:
        yield _BETTER_SLOWER.fill(variant=name, tps=tps_text(better.predicted_tps))


_ON_GPU = QT_TRANSLATE_NOOP("recommend", "Fits into the memory of {gpu}: {need} of {free} free.")
_SPLIT = QT_TRANSLATE_NOOP(
    "recommend", "{n} of its {total} layers fit on {gpu}; the processor computes the rest."
)
_LEAVES = QT_TRANSLATE_NOOP("recommend", "Leaves {size} for your other programs.")
_LEAVES_ONLY = QT_TRANSLATE_NOOP("recommend", "Leaves only {size} for your other programs.")
_FASTER = QT_TRANSLATE_NOOP(
    "recommend", "About {tps} tokens per second, faster than you read (predicted)."
)
_AS_FAST = QT_TRANSLATE_NOOP(
    "recommend", "About {tps} tokens per second, about as fast as you read (predicted)."
)
_SLOWER = QT_TRANSLATE_NOOP(
    "recommend", "About {tps} tokens per second, slower than you read (predicted)."
)
_LESS_CONTEXT = QT_TRANSLATE_NOOP(
    "recommend", "Remembers {n} tokens at once; for {wanted} there is not enough memory."
)
_SMALLER_CACHE = QT_TRANSLATE_NOOP(
    "recommend", "Keeps its context as q8_0: half the memory at almost no loss."
)
_TRAINED = QT_TRANSLATE_NOOP("recommend", "Was trained for 4 bits: it loses next to nothing.")
_PUBLISHED = QT_TRANSLATE_NOOP(
    "recommend", "Was published at 4 bits: there is nothing better to take."
)
_NO_LOSS = QT_TRANSLATE_NOOP("recommend", "Loses almost nothing of the original.")
_CLEAR_LOSS = QT_TRANSLATE_NOOP(
    "recommend", "Loses clearly more than 4 bits would, which do not fit as well."
)
_BETTER_SLOWER = QT_TRANSLATE_NOOP(
    "recommend", "{variant} loses a little less, but would write at {tps} tokens per second."
)
_BETTER_LEAVES = QT_TRANSLATE_NOOP(
    "recommend", "{variant} would leave only {size} for your other programs."
)
_BETTER_TOO_LARGE = QT_TRANSLATE_NOOP(
    "recommend", "{variant} loses a little less, but needs {missing} more than is free."
)
_TOO_LARGE = QT_TRANSLATE_NOOP(
    "recommend", "Does not fit: even {variant} needs {need}, {missing} more than is free."
)
_IS_TOO_LARGE = QT_TRANSLATE_NOOP(
    "recommend", "Does not fit: {variant} needs {need}, {missing} more than is free."
)
_TOO_SLOW = QT_TRANSLATE_NOOP(
    "recommend", "Fits as {variant}, but would write only {tps} tokens per second."
)
_TOO_COARSE = QT_TRANSLATE_NOOP(
    "recommend", "Only {variant} would fit, and a model of this size loses too much by it."
)
_INSTEAD = QT_TRANSLATE_NOOP(
    "recommend",
    "{model} fits instead: {variant}, {size}, about {tps} tokens per second (predicted).",
)
_NOTHING = QT_TRANSLATE_NOOP("recommend", "There is no variant to choose from.")
