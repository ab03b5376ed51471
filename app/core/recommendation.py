"""What goes into a recommendation and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.catalog_model import FileKind
from app.core.errors import Message
from app.core.fit import MemoryPlan, ModelShape, Use


@dataclass(frozen=True, slots=True)
class Candidate:
    """A variant that can be had (or is here). `key` comes back with the pick."""

    variant: str
    shape: ModelShape
    size_bytes: int
    kind: FileKind = FileKind.QUANTIZED
    key: object = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """A candidate on this computer. `predicted_tps`: tokens per second, early in a conversation."""

    candidate: Candidate
    use: Use
    plan: MemoryPlan
    predicted_tps: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`pick` None: nothing fits, and `reasons` say what would. `others` in the order given: every
    candidate with the pick's context and KV type, or with those that were wanted."""

    pick: Assessment | None
    n_threads: int
    reasons: tuple[Message, ...]
    others: tuple[Assessment, ...]
