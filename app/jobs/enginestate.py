"""What the engine of the window is doing, as everybody who shows it sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import AppError
from app.engine.protocol import Load, Loaded


class Phase(StrEnum):
    NONE = "none"  # no model chosen
    LOADING = "loading"
    READY = "ready"
    READING = "reading"  # the prompt
    WRITING = "writing"  # the answer
    RESTING = "resting"  # unloaded to free memory; `loaded` is what it was, `load` brings it back
    FAILED = "failed"  # no model; `error` says why


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the status line shows. `n_past` of `loaded.n_ctx` tokens of context are used.

    `has_died`: it failed because the child died, which need not happen again.
    """

    phase: Phase = Phase.NONE
    load: Load | None = None
    loaded: Loaded | None = None
    error: AppError | None = None
    has_died: bool = False
    n_past: int = 0
    tps: float = 0.0
    ttft_ms: float = 0.0
    n_read: int = 0
    n_to_read: int = 0

    @property
    def is_busy(self) -> bool:
        return self.phase in (Phase.READING, Phase.WRITING)
