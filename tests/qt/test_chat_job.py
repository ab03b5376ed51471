"""ChatJob between a real store and a scripted engine: nothing lost, nothing mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core.chat import ChatMessage, Status
from app.core.errors import AppError
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Load, Text
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, Phase
from tests.helpers.fake_engine import FakeEngine


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def chat(qtbot: QtBot, tmp_path: Path, fake: FakeEngine) -> Iterator[ChatJob]:
    store = Store(tmp_path / "conversations.db", tmp_path / "lock")
    engine = EngineJob(fake.make_client)
    job = ChatJob(store, Settings(tmp_path / "settings.json"), engine)
    engine.load(Load("/models/smollm2.gguf"))
    qtbot.waitUntil(lambda: engine.state.phase is Phase.READY)
    yield job
    job.close()


def _messages(chat: ChatJob) -> list[ChatMessage]:
    return list(chat.open.messages) if chat.open else []


def _asked(qtbot: QtBot, chat: ChatJob, fake: FakeEngine, text: str, n: int = 1) -> None:
    chat.send(text)
    qtbot.waitUntil(lambda: len(fake.requests) == n)


def test_the_question_is_on_disk_before_the_engine_is_asked(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    stored = chat._store.open_conversation(1).messages
    assert [(m.text, m.status) for m in stored] == [
        ("Hello", Status.DONE),
        ("", Status.PARTIAL),
    ]


def test_the_answer_so_far_is_on_disk_while_it_is_written(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    fake.say("Good ")
    qtbot.waitUntil(lambda: chat._store.message(2).text == "Good ", timeout=2000)
    fake.say("morning")
    fake.finish()
    qtbot.waitUntil(lambda: chat._store.message(2).status is Status.DONE)
    answer = chat._store.message(2)
    assert answer.text == "Good morning"
    assert answer.stats is not None
    assert answer.stats.seed == 1207


def test_what_is_still_said_of_an_older_request_is_not_taken_for_the_new_answer(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "First")
    fake.say("one")
    qtbot.waitUntil(lambda: chat.engine.state.phase is Phase.WRITING)
    old = fake.requests[-1].request_id
    fake.receive = lambda command: fake.commands.append(command)  # type: ignore[method-assign]
    chat.new_conversation()  # stops, but the engine has not said Done yet
    chat.send("Second")
    qtbot.waitUntil(lambda: len(_messages(chat)) == 2)
    fake._on_event(Text(old, " more of the first"))
    fake.finish("cancelled")
    qtbot.waitUntil(lambda: len(fake.requests) == 2)
    assert fake.requests[-1].messages[-1].text == "Second"
    fake.say("two")
    fake.finish()
    qtbot.waitUntil(lambda: not chat.is_answering)
    assert [m.text for m in _messages(chat)] == ["Second", "two"]
    assert fake.n_clients == 1
    qtbot.waitUntil(lambda: chat._store.message(2).status is Status.STOPPED)
    assert chat._store.message(2).text == "one"


def test_a_dead_engine_is_started_again_and_the_answer_so_far_stays(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    fake.say("Good")
    qtbot.waitUntil(lambda: chat.engine.state.phase is Phase.WRITING)
    fake.die()
    qtbot.waitUntil(lambda: chat.engine.state.phase is Phase.READY)
    answer = _messages(chat)[-1]
    assert (answer.text, answer.status) == ("Good", Status.FAILED)
    assert "ran out of memory" in answer.error
    assert fake.n_clients == 2


def test_an_engine_that_keeps_dying_is_left_alone(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    for n in range(1, 5):
        _asked(qtbot, chat, fake, "Hello", n)
        fake.die()
        qtbot.waitUntil(lambda: not chat.is_answering)
        wanted = Phase.READY if n <= 3 else Phase.FAILED
        qtbot.waitUntil(lambda wanted=wanted: chat.engine.state.phase is wanted)
    assert fake.n_clients == 4


def test_a_question_asked_while_the_model_loads_waits_for_it(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.loads_by_itself = False
    chat.reload_model()
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(_messages(chat)) == 2)
    assert fake.requests == []
    fake.finish_load()
    qtbot.waitUntil(lambda: len(fake.requests) == 1)


def test_regenerate_keeps_the_first_answer_a_branch_away(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.reply = ("one",)
    _asked(qtbot, chat, fake, "Hello")
    qtbot.waitUntil(lambda: not chat.is_answering and len(_messages(chat)) == 2)
    first = _messages(chat)[-1]
    fake.reply = ("two",)
    with qtbot.waitSignal(chat.siblings_changed) as known:
        chat.regenerate(first.id)
    qtbot.waitUntil(lambda: not chat.is_answering and _messages(chat)[-1].text == "two")
    assert known.args[1] == (first.id, _messages(chat)[-1].id)
    with qtbot.waitSignal(chat.conversation_opened):
        chat.show_branch(first.id)
    assert _messages(chat)[-1].text == "one"


def test_a_full_disk_gives_the_text_back(qtbot: QtBot, chat: ChatJob, fake: FakeEngine) -> None:
    fake.reply = ("ok",)
    _asked(qtbot, chat, fake, "Hello")
    qtbot.waitUntil(lambda: not chat.is_answering)
    pages = chat._store._connection.execute("PRAGMA page_count").fetchone()[0]
    chat._store._connection.execute(f"PRAGMA max_page_count={pages}")
    with qtbot.waitSignal(chat.send_failed) as failed:
        chat.send("x" * 200_000)
    text, error = failed.args
    assert text == "x" * 200_000
    assert "disk is full" in str(error.text)
    assert [m.text for m in _messages(chat)] == ["Hello", "ok"]


def test_a_disk_that_fills_up_during_an_answer_is_said_once(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    pages = chat._store._connection.execute("PRAGMA page_count").fetchone()[0]
    chat._store._connection.execute(f"PRAGMA max_page_count={pages}")
    said: list[AppError] = []
    chat.trouble.connect(said.append)
    for _ in range(3):
        fake.say("x" * 100_000)
        with qtbot.waitSignal(chat._save_timer.timeout):
            pass
    qtbot.waitUntil(lambda: bool(said))
    assert len(said) == 1
    assert chat._store.message(1).text == "Hello"


def test_closing_keeps_the_answer_so_far(qtbot: QtBot, tmp_path: Path, fake: FakeEngine) -> None:
    store = Store(tmp_path / "c.db", tmp_path / "lock")
    engine = EngineJob(fake.make_client)
    job = ChatJob(store, Settings(tmp_path / "settings.json"), engine)
    engine.load(Load("/models/smollm2.gguf"))
    qtbot.waitUntil(lambda: engine.state.phase is Phase.READY)
    _asked(qtbot, job, fake, "Hello")
    fake.say("Good morn")
    qtbot.waitUntil(lambda: engine.state.phase is Phase.WRITING)
    job.close()
    again = Store(tmp_path / "c.db", tmp_path / "lock")
    answer = again.message(2)
    again.close()
    assert (answer.text, answer.status) == ("Good morn", Status.STOPPED)


def test_the_system_prompt_and_every_turn_reach_the_engine(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.reply = ("one",)
    chat.set_system_prompt("Be brief.")
    _asked(qtbot, chat, fake, "First")
    qtbot.waitUntil(lambda: not chat.is_answering)
    _asked(qtbot, chat, fake, "Second", 2)
    roles = [(m.role, m.text) for m in fake.requests[-1].messages]
    assert roles == [
        ("system", "Be brief."),
        ("user", "First"),
        ("assistant", "one"),
        ("user", "Second"),
    ]
    qtbot.waitUntil(lambda: not chat.is_answering)
