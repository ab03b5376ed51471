"""What was measured of a model is found again, as long as it is the same file and processor."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import paths
from app.core import settings as s
from app.core.settings import Settings
from app.core.store import Store
from app.core.tuned import TuneRecord, key_for, read_all_tuned, read_tuned
from app.engine.requests import Way, load_command, way_for

COSTS = ((1, 1.0), (2, 1.25), (4, 1.5))
RECORD = TuneRecord("A model", "Q4_1", "CPU", "0.3.36", 4, "on", "q8_0", COSTS)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
def database(tmp_path: Path, model: Path) -> Path:
    """One in which `model` is known."""
    path = tmp_path / "conversations.db"
    store = Store(path, tmp_path / "lock")
    key = key_for(model)
    assert key is not None
    store.record_tuned(key, replace(RECORD, n_threads=2))
    store.record_tuned(key, RECORD)  # in place of the one before
    assert store.tuned(key) == RECORD
    store.close()
    return path


def test_it_is_read_beside_the_window(database: Path, model: Path) -> None:
    assert read_tuned(database, model) == RECORD
    assert read_all_tuned(database) == (RECORD,)


def test_a_changed_file_is_another_model(database: Path, model: Path) -> None:
    os.utime(model, ns=(1, 1))
    assert read_tuned(database, model) is None
    model.unlink()
    assert read_tuned(database, model) is None


def test_another_processor_knows_nothing(
    database: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.tuned.this_machine", lambda: "another")
    assert read_tuned(database, model) is None
    assert read_all_tuned(database) == ()


def test_no_database_and_a_bad_one(tmp_path: Path, model: Path) -> None:
    assert read_tuned(tmp_path / "none.db", model) is None
    (tmp_path / "bad.db").write_bytes(b"not a database at all" * 100)
    assert read_tuned(tmp_path / "bad.db", model) is None


def test_a_record_of_a_later_version_is_left_out(database: Path, model: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(database)
    connection.execute("UPDATE tuned SET record = '{\"n_threads\": 0}'")
    connection.commit()
    connection.close()
    assert read_tuned(database, model) is None


def test_what_was_measured_is_how_the_model_is_loaded(
    database: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "database_file", lambda: database)
    load = load_command(Settings(tmp_path / "settings.json"), model)
    assert (load.n_threads, load.flash_attn, load.kv_type) == (4, "on", "q8_0")
    assert load.pass_costs == COSTS


@pytest.mark.parametrize(
    ("chosen", "way"),
    [
        ({}, Way(4, "on", "q8_0", COSTS)),
        ({s.N_THREADS: 2}, Way(2, "on", "q8_0")),
        ({s.N_THREADS: 4}, Way(4, "on", "q8_0", COSTS)),
        ({s.FLASH_ATTN: "off"}, Way(4, "off", "f16")),
        ({s.FLASH_ATTN: "auto"}, Way(4, "on", "q8_0", COSTS)),
        ({s.KV_TYPE: "q4_0"}, Way(4, "on", "q4_0")),
        ({s.TUNE: "off"}, Way(0, "auto", "f16")),
    ],
)
def test_what_a_person_chose_wins(
    tmp_path: Path, chosen: dict[s.Setting[Any], object], way: Way
) -> None:
    settings = Settings(tmp_path / "settings.json")
    for setting, value in chosen.items():
        settings.set(setting, value)
    assert way_for(settings, RECORD) == way


def test_nothing_known(tmp_path: Path) -> None:
    assert way_for(Settings(tmp_path / "settings.json"), None) == Way(0, "auto", "f16")


def test_the_context_that_was_chosen_to_be_exact_stays_so(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.json")
    settings.set(s.KV_TYPE, "q8_0")
    settings.set(s.KV_TYPE, "f16")
    assert way_for(settings, RECORD).kv_type == "f16"
