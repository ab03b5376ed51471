"""ChatJob between a real store and a scripted engine: nothing lost, nothing mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app import paths
from app.core.chat import ChatMessage, Status
from app.core.errors import AppError
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Forget, Load, Text
from app.jobs.asking import KEPT_WORDS
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


def test_a_question_whose_engine_died_is_asked_again_in_the_same_row(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    fake.say("Good")
    qtbot.waitUntil(lambda: chat.engine.state.phase is Phase.WRITING)
    with qtbot.waitSignals([chat.answer_begun_anew, chat.trouble]):
        fake.die()
    qtbot.waitUntil(lambda: len(fake.requests) == 2)
    assert fake.requests[1].messages == fake.requests[0].messages
    assert (chat.is_answering, fake.n_clients) == (True, 2)
    qtbot.waitUntil(lambda: chat._store.message(2).text == "", timeout=2000)
    fake.say("Good morning")
    fake.finish()
    qtbot.waitUntil(lambda: not chat.is_answering)
    assert [(m.text, m.status) for m in _messages(chat)] == [
        ("Hello", Status.DONE),
        ("Good morning", Status.DONE),
    ]
    qtbot.waitUntil(lambda: chat._store.message(2).text == "Good morning")


def test_a_longer_answer_whose_engine_died_stays_beside_the_new_one(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    fake.say("word " * KEPT_WORDS)
    qtbot.waitUntil(lambda: chat.engine.state.phase is Phase.WRITING)
    with qtbot.waitSignal(chat.siblings_changed) as known:
        fake.die()
    qtbot.waitUntil(lambda: len(fake.requests) == 2)
    assert fake.requests[1].messages == fake.requests[0].messages
    fake.say("short")
    fake.finish()
    qtbot.waitUntil(lambda: not chat.is_answering)
    assert [m.text for m in _messages(chat)] == ["Hello", "short"]
    assert known.args == [3, (2, 3)]
    lost = chat._store.message(2)
    assert (lost.text, lost.status) == ("word " * KEPT_WORDS, Status.FAILED)
    assert "ran out of memory" in lost.error
    assert "asked again" in lost.error


@pytest.mark.parametrize("text", ["Good", "word " * KEPT_WORDS])
def test_a_question_is_asked_again_once_only(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine, text: str
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    fake.say(text)
    fake.die()
    qtbot.waitUntil(lambda: len(fake.requests) == 2)
    fake.say("More")
    fake.die()
    qtbot.waitUntil(lambda: not chat.is_answering and chat.engine.state.phase is Phase.READY)
    answer = _messages(chat)[-1]
    assert (answer.text, answer.status) == ("More", Status.FAILED)
    assert "ran out of memory" in answer.error
    assert (len(fake.requests), fake.n_clients) == (2, 3)


def test_an_engine_that_can_compute_no_more_is_replaced(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    fake.fail(kind="lost")
    qtbot.waitUntil(lambda: len(fake.requests) == 2)
    assert fake.n_clients == 2
    chat.stop()


def test_an_engine_that_keeps_dying_is_left_alone(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    for n in (1, 3):
        _asked(qtbot, chat, fake, "Hello", n)
        fake.die()
        qtbot.waitUntil(lambda n=n: len(fake.requests) == n + 1)
        fake.die()
        qtbot.waitUntil(lambda: not chat.is_answering)
    qtbot.waitUntil(lambda: chat.engine.state.phase is Phase.FAILED)
    assert fake.n_clients == 4


def test_an_engine_that_dies_while_loading_is_started_again_for_a_question(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.loads_by_itself = False
    chat.reload_model()
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(_messages(chat)) == 2)
    fake.die()
    qtbot.waitUntil(lambda: len(fake.loads) == 3)
    fake.die()
    qtbot.waitUntil(lambda: not chat.is_answering)
    assert chat.engine.state.phase is Phase.FAILED
    assert _messages(chat)[-1].status is Status.FAILED
    assert len(fake.loads) == 3


def test_a_load_that_is_cancelled_ends_the_question_that_waits_for_it(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.loads_by_itself = False
    chat.reload_model()
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(_messages(chat)) == 2)
    chat.engine.cancel_load()
    qtbot.waitUntil(lambda: not chat.is_answering)
    assert "No model is loaded" in _messages(chat)[-1].error


def test_a_question_that_waits_is_not_asked_in_another_conversation(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.reply = ("one",)
    _asked(qtbot, chat, fake, "First")
    qtbot.waitUntil(lambda: not chat.is_answering)
    chat.new_conversation()
    fake.loads_by_itself = False
    chat.reload_model()
    chat.send("Second")
    chat.open_conversation(1)  # before the question is even on disk
    qtbot.waitUntil(lambda: [m.text for m in _messages(chat)] == ["First", "one"])
    fake.finish_load()
    qtbot.waitUntil(lambda: chat._store.message(4).status is Status.STOPPED)
    assert [m.text for m in _messages(chat)] == ["First", "one"]
    assert len(fake.requests) == 1
    assert not chat.is_answering


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
        with qtbot.waitSignal(chat.asking.save_timer.timeout):
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


def test_a_deleted_conversation_leaves_nothing_of_its_cache(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    _asked(qtbot, chat, fake, "Hello")
    fake.say("Hi")
    fake.finish()
    states = paths.states_dir()
    states.mkdir(parents=True, exist_ok=True)
    kept, other = states / "1-0123456789abcdef.kv", states / "11-0123456789abcdef.kv"
    for path in (kept, other):
        path.write_bytes(b"cache")
    with qtbot.waitSignal(chat.conversations_changed):
        chat.delete_conversation(1)
    assert Forget("1") in fake.commands
    assert not kept.exists()
    assert other.exists()
