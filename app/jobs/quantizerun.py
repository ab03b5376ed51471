"""How far a run of the quantizer has come, and what an event changes in it. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.errors import AppError
from app.quantizer import Died, QuantizeError
from quantize.job import (
    AnyEvent,
    Failed,
    FileDone,
    Job,
    MatrixDone,
    MatrixProgress,
    Plan,
    Progress,
    TensorDone,
)


@dataclass(frozen=True, slots=True)
class Run:
    """How far a run has come. `plan` may be None until the child has read the source."""

    job: Job
    plan: Plan | None = None
    matrix: MatrixProgress | None = None
    matrix_done: MatrixDone | None = None
    tensor: TensorDone | None = None  # the last that is in every file
    latest: Progress | TensorDone | None = None  # the last figures
    done: tuple[FileDone, ...] = ()
    paused_by_user: bool = False
    paused_by_chat: bool = False
    is_cancelling: bool = False

    @property
    def is_paused(self) -> bool:
        return self.paused_by_user or self.paused_by_chat


def changes_by(run: Run, event: AnyEvent | Died) -> dict[str, object]:
    """What `event` changes in `run`."""
    if isinstance(event, Plan):
        return {"plan": event}
    if isinstance(event, MatrixProgress):
        return {"matrix": event}
    if isinstance(event, MatrixDone):
        return {"matrix": None, "matrix_done": event}
    if isinstance(event, TensorDone):
        return {"tensor": event, "latest": event}
    if isinstance(event, Progress):
        return {"latest": event}
    return {"done": (*run.done, event)} if isinstance(event, FileDone) else {}


def error_of(event: Failed | Died) -> AppError:
    if isinstance(event, Died):
        return event.error
    return QuantizeError(event.text, event.hint, event.detail)
