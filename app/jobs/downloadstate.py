"""What is known of one download: how far it is, what it waits for, what came of it. No Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import AppError, Message

if TYPE_CHECKING:
    from app.hub.pull import Request


class Stage(StrEnum):
    WAITING = "waiting"  # for its turn
    CHECKING = "checking"  # what is there already, and whether there is room
    FETCHING = "fetching"
    VERIFYING = "verifying"
    RETRYING = "retrying"  # a transfer that stumbled and goes on in a moment
    PAUSED = "paused"
    OFFLINE = "offline"  # there is no network: it goes on by itself when there is one
    FAILED = "failed"
    DONE = "done"


RUNNING = (Stage.CHECKING, Stage.FETCHING, Stage.VERIFYING, Stage.RETRYING)
OPEN = (*RUNNING, Stage.WAITING, Stage.PAUSED, Stage.OFFLINE)  # neither failed nor done


@dataclass(frozen=True, slots=True)
class DownloadState:
    """One download. `bytes_per_s` and `eta_s` are measured; `eta_s` is None where nobody knows.

    `error`: why it failed, or why it waits for the network. `note`: what a retry is about.
    `paths`: the files, whole and verified, once it is done.
    """

    id: int
    request: Request
    stage: Stage = Stage.WAITING
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float = 0.0
    eta_s: float | None = None
    note: Message | None = None
    error: AppError | None = None
    paths: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        return self.request.title

    @property
    def variant(self) -> str:
        return self.request.variant

    @property
    def phase(self) -> str:
        return self.stage.value

    @property
    def share(self) -> float:
        """How much of it is here, from 0 to 1."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0

    @property
    def is_running(self) -> bool:
        return self.stage in RUNNING

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN

    @property
    def model(self) -> Path | None:
        """The file to chat with, where there is one: the first part of a split model."""
        whole = (path for path in self.paths if path.suffix.lower() == ".gguf")
        return next((path for path in whole if "mmproj" not in path.name.lower()), None)


def total_speed(states: Iterable[DownloadState]) -> float:
    """Bytes per second of all that are being fetched."""
    return sum(state.bytes_per_s for state in states if state.stage is Stage.FETCHING)
