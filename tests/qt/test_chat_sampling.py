"""What the window's sampling settings make of a question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core import settings as s
from app.core.chat import ChatMessage, Status
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Load
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, Phase
from tests.helpers.fake_engine import FakeEngine


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "settings.json")


@pytest.fixture
def chat(qtbot: QtBot, tmp_path: Path, fake: FakeEngine, settings: Settings) -> Iterator[ChatJob]:
    engine = EngineJob(fake.make_client)
    job = ChatJob(Store(tmp_path / "conversations.db", tmp_path / "lock"), settings, engine)
    engine.load(Load("/models/smollm2.gguf"))
    qtbot.waitUntil(lambda: engine.state.phase is Phase.READY)
    yield job
    job.close()


def test_the_settings_go_along_with_the_question(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine, settings: Settings
) -> None:
    settings.set(s.STOP_STRINGS, "User:\nEND")
    settings.set(s.JSON_SCHEMA, '{"type": "integer"}')
    settings.set(s.DRY_MULTIPLIER, 0.8)
    settings.set(s.LOGIT_BIAS, "delve -5")
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(fake.requests) == 1)
    request = fake.requests[0]
    assert request.stop == ("User:", "END")
    assert request.sampling.dry_multiplier == 0.8
    assert request.sampling.logit_bias == (("delve", -5.0),)
    assert "root ::= integer" in request.sampling.grammar


def test_a_schema_with_a_mistake_ends_the_answer_with_its_sentence(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine, settings: Settings
) -> None:
    finished: list[ChatMessage] = []
    chat.answer_finished.connect(finished.append)
    settings.set(s.JSON_SCHEMA, '{"type": "colour"}')
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(finished) == 1)
    assert finished[0].status is Status.FAILED
    assert "JSON schema" in str(finished[0].error)
    assert fake.requests == []
    settings.reset(s.JSON_SCHEMA)
    chat.regenerate(finished[0].id)
    qtbot.waitUntil(lambda: len(fake.requests) == 1)
