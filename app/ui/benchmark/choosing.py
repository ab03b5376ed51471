"""Which of the kept benchmarks stand for what: a model's latest, and those to compare it with."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.benchmarks import BenchRecord, latest_of_each
from app.engine.protocol import Loaded


def latest_of(loaded: Loaded | None, records: Sequence[BenchRecord]) -> BenchRecord | None:
    """The newest one of the loaded file."""
    if loaded is None:
        return None
    wanted = (loaded.name, loaded.variant, loaded.size_bytes)
    return next((record for record in records if record.same_file == wanted), None)


def earlier_of(
    shown: BenchRecord | None, records: Sequence[BenchRecord]
) -> tuple[BenchRecord, ...]:
    """The same file's, before the one that is shown."""
    if shown is None:
        return ()
    same = (record for record in records if record.same_file == shown.same_file)
    return tuple(record for record in same if record is not shown)


def fastest_first(records: Sequence[BenchRecord]) -> tuple[BenchRecord, ...]:
    """The newest of every file on this computer, by how fast it writes."""
    return tuple(sorted(latest_of_each(records), key=lambda r: r.tg_tps, reverse=True))
