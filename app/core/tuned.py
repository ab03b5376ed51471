"""How a model is run best on this computer, as it was measured once: threads, flash attention …

Kept in the database by the window, and readable beside it: whoever loads a model looks here. What
was measured stays in force until the file, the processor, the device or llama.cpp is another.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from app.core import hardware

TUNED_SQL = "SELECT record FROM tuned WHERE model = ? AND machine = ?"
ALL_TUNED_SQL = "SELECT record FROM tuned WHERE machine = ? ORDER BY created_at DESC"
_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class TuneKey:
    """`model`: a file as it is now, `machine`: the processor that was measured."""

    model: str
    machine: str


@dataclass(frozen=True, slots=True)
class TuneRecord:
    """`name` and `variant` are for people. `device`: what the engine ran on; `llama_cpp`: the
    build. `pass_costs`: what a pass over n tokens takes against one over a single token."""

    name: str
    variant: str
    device: str
    llama_cpp: str
    n_threads: int
    flash_attn: str
    kv_type: str
    pass_costs: tuple[tuple[int, float], ...] = ()


def key_for(path: Path) -> TuneKey | None:
    """None for a file that is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return TuneKey(f"{path.name} {status.st_size} {status.st_mtime_ns}", this_machine())


@cache
def this_machine() -> str:
    return f"{hardware.cpu_name()}, {os.cpu_count()} threads"


def unpacked(packed: str) -> TuneRecord | None:
    """A record as it was kept; None for one that this version cannot read."""
    try:
        record = msgspec.json.decode(packed, type=TuneRecord)
    except msgspec.MsgspecError:
        return None
    return record if record.n_threads > 0 else None


def read_tuned(database: Path, path: Path) -> TuneRecord | None:
    """What is known of the model at `path`; None where nothing is, or it cannot be read."""
    key = key_for(path)
    if key is None:
        return None
    found = _read(database, TUNED_SQL, (key.model, key.machine))
    return found[0] if found else None


def read_all_tuned(database: Path) -> tuple[TuneRecord, ...]:
    """All that was measured on this computer, the newest first."""
    return _read(database, ALL_TUNED_SQL, (this_machine(),))


def _read(database: Path, sql: str, values: tuple[str, ...]) -> tuple[TuneRecord, ...]:
    if not database.is_file():
        return ()
    uri = f"{database.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_TIMEOUT_S)) as connection:
            rows = connection.execute(sql, values).fetchall()
    except sqlite3.Error:
        return ()
    return tuple(record for row in rows if (record := unpacked(row[0])) is not None)
