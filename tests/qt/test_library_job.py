"""Hashing in quiet times: it waits for the engine, ends at close, and can be asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core import hashes
from app.core.errors import ModelFileError
from app.core.hashes import Known
from app.core.settings import Settings
from app.engine.protocol import Generate, Load, PromptMessage
from app.engine.requests import sampling
from app.jobs.engine import EngineJob
from app.jobs.library import LibraryCheck
from quantize.control import Control
from tests.helpers.fake_engine import FakeEngine


class Reading:
    """In place of `hashes.rehash`: reads until told to go on."""

    def __init__(self) -> None:
        self.begun: list[Path] = []
        self.go_on = threading.Event()
        self.n_checks = 0

    def __call__(self, path: Path, control: Control, expected: str) -> Known:
        self.begun.append(path)
        while not self.go_on.wait(0.005):
            control.check()
            self.n_checks += 1
        if "bad" in path.name:
            raise ModelFileError(hashes._unreadable(path, OSError()).text)
        return Known(expected or "f" * 64, 1, 1, 0.0)


@pytest.fixture
def engine(qtbot: QtBot, fake: FakeEngine) -> Iterator[EngineJob]:
    job = EngineJob(fake.make_client)
    job.start()
    job.load(Load("/models/m.gguf"))
    qtbot.waitUntil(lambda: job.state.loaded is not None)
    yield job
    job.close()


@pytest.fixture
def make_check(engine: EngineJob) -> Iterator[Callable[..., LibraryCheck]]:
    made: list[LibraryCheck] = []

    def make(reading: Reading, idle_ms: int = 1) -> LibraryCheck:
        made.append(LibraryCheck(engine, idle_ms=idle_ms, rehash=reading))
        return made[-1]

    yield make
    for check in made:
        check.close()


def ask(engine: EngineJob, tmp_path: Path) -> None:
    chosen = sampling(Settings(tmp_path / "settings.json"))
    engine.generate(Generate(0, (PromptMessage("user", "Hi"),), chosen, 10))


def test_files_are_read_one_after_the_other(
    qtbot: QtBot, make_check: Callable[..., LibraryCheck]
) -> None:
    reading = Reading()
    reading.go_on.set()
    check = make_check(reading)
    heard: list[tuple[Path, str]] = []
    check.checked.connect(lambda path, known: heard.append((path, known.sha256)))
    with qtbot.waitSignal(check.finished):
        check.want({Path("/a"): "", Path("/bad"): "", Path("/b"): "b" * 64})
    assert heard == [(Path("/a"), "f" * 64), (Path("/b"), "b" * 64)]
    assert reading.begun == [Path("/a"), Path("/bad"), Path("/b")]
    assert not check.is_running


def test_an_answer_comes_first(
    qtbot: QtBot,
    fake: FakeEngine,
    engine: EngineJob,
    make_check: Callable[..., LibraryCheck],
    tmp_path: Path,
) -> None:
    reading = Reading()
    check = make_check(reading)
    check.want({Path("/a"): ""})
    qtbot.waitUntil(lambda: reading.n_checks > 0)
    ask(engine, tmp_path)
    qtbot.wait(20)  # the reader may be between two looks at its control
    n_checks = reading.n_checks
    qtbot.wait(50)
    assert reading.n_checks == n_checks
    fake.finish()
    qtbot.waitUntil(lambda: reading.n_checks > n_checks)
    with qtbot.waitSignal(check.finished):
        reading.go_on.set()


def test_nothing_begins_while_the_engine_works(
    qtbot: QtBot,
    fake: FakeEngine,
    engine: EngineJob,
    make_check: Callable[..., LibraryCheck],
    tmp_path: Path,
) -> None:
    reading = Reading()
    reading.go_on.set()
    check = make_check(reading)
    ask(engine, tmp_path)
    check.want({Path("/a"): ""})
    check.want_now({Path("/asked"): ""})
    qtbot.wait(30)
    assert reading.begun == []
    with qtbot.waitSignal(check.finished):
        fake.finish()
    assert reading.begun == [Path("/asked"), Path("/a")]


def test_what_was_asked_for_outlives_a_new_list(
    qtbot: QtBot, make_check: Callable[..., LibraryCheck]
) -> None:
    reading = Reading()
    check = make_check(reading, idle_ms=60_000)
    check.want_now({Path("/asked"): "", Path("/asked too"): ""})
    check.want({})
    with qtbot.waitSignal(check.finished):
        reading.go_on.set()
    assert reading.begun == [Path("/asked"), Path("/asked too")]


def test_closing_does_not_wait_for_the_file(
    qtbot: QtBot, make_check: Callable[..., LibraryCheck]
) -> None:
    reading = Reading()
    check = make_check(reading)
    check.want({Path("/a"): "", Path("/b"): ""})
    qtbot.waitUntil(lambda: reading.n_checks > 0)
    check.close()
    assert not check.is_running
    check.want({Path("/c"): ""})
    qtbot.wait(20)
    assert reading.begun == [Path("/a")]


def test_a_paused_reader_can_be_closed(
    qtbot: QtBot,
    engine: EngineJob,
    make_check: Callable[..., LibraryCheck],
    tmp_path: Path,
) -> None:
    reading = Reading()
    check = make_check(reading)
    check.want({Path("/a"): ""})
    qtbot.waitUntil(lambda: reading.n_checks > 0)
    ask(engine, tmp_path)
    check.close()
    assert not check.is_running


def test_a_real_file_is_hashed(qtbot: QtBot, engine: EngineJob, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"some weights")
    check = LibraryCheck(engine, idle_ms=1)
    with qtbot.waitSignal(check.finished):
        check.want({path: "0" * 64})
    known = hashes.known(path)
    assert known is not None
    assert known.has_changed
    check.close()
