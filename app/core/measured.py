"""What this computer measured against its predictions: memory of loads, speed of answers.

Kept in the database by the window, and readable beside it: the command line predicts from it while
the window writes.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.core.fit import MemoryPlan  # the window is to be there before it is needed

LEAST_TOKENS = 32  # of an answer whose speed says something
MOST_TOKENS = 4096  # of a conversation in which it was written: later ones are slower for all
N_SPEEDS = 200
SPEEDS_SQL = (
    f"SELECT device, predicted_tps, measured_tps FROM speeds ORDER BY id DESC LIMIT {N_SPEEDS}"
)
_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class SpeedRecord:
    """What this machine measured: an answer's speed against what was predicted for it, without any
    correction. `device`: the one that held most of the weights, as a plan names it.
    """

    device: str
    predicted_tps: float
    measured_tps: float


@dataclass(frozen=True, slots=True)
class Taken:
    """llama.cpp's buffers on all devices together, in bytes."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.compute_bytes


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """One load. `host_bytes` were predicted for the process itself, `rss_bytes` are what it had."""

    model: str
    variant: str
    device: str
    n_ctx: int
    kv_type: str
    n_gpu_layers: int
    predicted: Taken
    actual: Taken
    host_bytes: int = 0
    rss_bytes: int = 0

    @property
    def error(self) -> float:
        """How far the actual figure is above the predicted one: 0.005 for half a percent."""
        predicted = self.predicted.total_bytes
        return self.actual.total_bytes / predicted - 1 if predicted else 0.0


def taken_of(plan: MemoryPlan) -> Taken:
    """Of a plan, what llama.cpp's buffers will come to."""
    return Taken(plan.weights_bytes, plan.kv_bytes, plan.compute_bytes)


@dataclass(frozen=True, slots=True)
class Measured:
    """A load whose context was filled. `buffers_bytes`: llama.cpp's own, on all devices.

    `actual_bytes`: these, and what the process had beside them when it had most. `error`: how far
    the prediction is above it; 0.01 for one percent too much, below 0 where it was too little.
    """

    buffers_bytes: int
    peak_rss_bytes: int
    actual_bytes: int
    error: float


def measured(buffers_bytes: int, peak_rss_bytes: int, planned: MemoryPlan) -> Measured:
    """`planned` tells what of the buffers is in the processor's memory, and what the process is
    without them: at least that is beside them, even where not all of them were ever touched."""
    on_gpus = sum(d.total_bytes for d in planned.devices[:-1] if not d.is_shared)
    host = peak_rss_bytes - max(buffers_bytes - on_gpus, 0)
    alone = planned.host_bytes - planned.devices[-1].scratch_bytes
    actual = buffers_bytes + max(host, alone)
    error = planned.total_bytes / actual - 1 if actual else 0.0
    return Measured(buffers_bytes, peak_rss_bytes, actual, error)


def read_speeds(database: Path) -> tuple[SpeedRecord, ...]:
    """The newest first; none where there is no database, or one that cannot be read."""
    import sqlite3  # the engine's child takes other things from here, and needs no database

    if not database.is_file():
        return ()
    uri = f"{database.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_TIMEOUT_S)) as connection:
            return tuple(SpeedRecord(*row) for row in connection.execute(SPEEDS_SQL))
    except sqlite3.Error:
        return ()
