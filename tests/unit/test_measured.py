"""Predictions kept beside what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.fit import DevicePlan, Fit, MemoryPlan
from app.core.measured import LoadRecord, Taken, measured, read_speeds, taken_of
from app.core.speed import SpeedRecord
from app.core.store import Store

PREDICTED, ACTUAL = Taken(2_500, 1_200, 160), Taken(2_500, 1_210, 169)
RECORD = LoadRecord("Qwen3 4B", "Q4_K_M", "CPU", 8192, "f16", 0, PREDICTED, ACTUAL, 90, 4_000)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    opened = Store(database, database.with_name("lock"))
    yield opened
    opened.close()


def test_loads_are_kept_the_newest_first(store: Store) -> None:
    later = LoadRecord("Other", "Q8_0", "GPU", 512, "q8_0", 33, PREDICTED, ACTUAL)
    store.record_load(RECORD)
    store.record_load(later)
    assert store.loads() == (later, RECORD)
    assert RECORD.error == pytest.approx(19 / 3860)


def test_speeds_are_read_while_another_writes(store: Store, database: Path) -> None:
    store.record_speed(SpeedRecord("CPU", 20.0, 18.0), "Qwen3 4B", "Q4_K_M")
    store.record_speed(SpeedRecord("CPU", 20.0, 17.0))
    assert store.speeds() == (SpeedRecord("CPU", 20.0, 17.0), SpeedRecord("CPU", 20.0, 18.0))
    assert read_speeds(database) == store.speeds()


def test_only_so_many_stay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.store._N_MEASURED", 3)
    for tps in range(6):
        store.record_speed(SpeedRecord("CPU", 20.0, float(tps)))
    assert [record.measured_tps for record in store.speeds()] == [5.0, 4.0, 3.0]


def test_no_database_has_no_speeds(tmp_path: Path) -> None:
    assert read_speeds(tmp_path / "none.db") == ()
    (tmp_path / "bad.db").write_bytes(b"not a database, and long enough to be looked at" * 99)
    assert read_speeds(tmp_path / "bad.db") == ()


def _plan(*devices: DevicePlan) -> MemoryPlan:
    return MemoryPlan(devices, Fit.FITS, 8192, "f16", len(devices) - 1)


CPU = DevicePlan("CPU", 1000, 200, 50, 9999, host_bytes=90, scratch_bytes=30)


def test_actual_is_the_buffers_and_what_was_beside_them() -> None:
    taken = measured(1250, 1330, _plan(CPU))
    assert (taken.actual_bytes, taken.peak_rss_bytes) == (1330, 1330)
    assert taken.error == pytest.approx(1340 / 1330 - 1)
    assert taken_of(_plan(CPU)) == Taken(1000, 200, 50)


def test_buffers_that_were_never_touched_count_too() -> None:
    assert measured(1250, 1000, _plan(CPU)).actual_bytes == 1250 + 60


def test_what_is_on_a_gpu_is_not_in_the_process() -> None:
    gpu = DevicePlan("GPU", 800, 100, 100, 9999)
    assert measured(2250, 1350, _plan(gpu, CPU)).actual_bytes == 2250 + 100
