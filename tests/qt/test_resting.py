"""A model that nobody uses gives its memory back, and is there again when somebody does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.core import settings as s
from app.core.chat import Status
from app.core.errors import AppError
from app.core.hardware.memory import Memory
from app.core.hardware.pressure import Reading
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Leave, Load
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, EngineState, Phase
from app.jobs.memory import WAITING_MS, WORKING_MS, MemoryWatch
from app.ui.trouble import TroubleCard
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.window_kit import WindowKit

PLENTY = Reading(Memory(16_000_000_000, 8_000_000_000))
NOTHING_LEFT = Reading(Memory(16_000_000_000, 100_000_000))


@pytest.fixture
def chat(qtbot: QtBot, tmp_path: Path, fake: FakeEngine) -> Iterator[ChatJob]:
    store = Store(tmp_path / "conversations.db", tmp_path / "lock")
    engine = EngineJob(fake.make_client)
    job = ChatJob(store, Settings(tmp_path / "settings.json"), engine)
    engine.load(Load("/models/smollm2.gguf"))
    qtbot.waitUntil(lambda: engine.state.phase is Phase.READY)
    yield job
    job.close()


def _is(chat: ChatJob, phase: Phase) -> Callable[[], bool]:
    return lambda: chat.engine.state.phase is phase


def _unloaded(qtbot: QtBot, chat: ChatJob) -> None:
    chat.engine.unload()
    qtbot.waitUntil(_is(chat, Phase.RESTING))


# --- the engine -------------------------------------------------------------------------------


def test_the_cache_is_kept_before_the_model_is_unloaded(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.leaves_by_itself = False
    chat.engine.unload()
    assert isinstance(fake.commands[-1], Leave)
    assert chat.engine.state.phase is Phase.READY
    fake.leave()
    qtbot.waitUntil(_is(chat, Phase.RESTING))
    assert fake.n_ended == 1


def test_a_question_while_the_cache_is_being_kept_is_answered_and_nothing_is_unloaded(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.leaves_by_itself = False
    chat.engine.unload()
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(fake.requests) == 1)
    fake.leave()
    fake.say("Good morning")
    fake.finish()
    qtbot.waitUntil(lambda: not chat.is_answering)
    assert chat.engine.state.phase is Phase.READY
    assert (fake.n_clients, fake.n_ended) == (1, 0)


def test_a_question_loads_the_model_again(qtbot: QtBot, chat: ChatJob, fake: FakeEngine) -> None:
    fake.reply = ("Good morning",)
    _unloaded(qtbot, chat)
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(fake.requests) == 1 and not chat.is_answering)
    assert fake.n_clients == 2
    assert fake.loads[0] == fake.loads[1]
    qtbot.waitUntil(lambda: chat._store.message(2).status is Status.DONE)
    answer = chat._store.message(2)
    assert (answer.text, answer.model_name, answer.variant) == (
        "Good morning",
        "SmolLM2 135M",
        "Q4_1",
    )


def test_an_engine_that_dies_while_it_is_unloaded_is_no_trouble(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    fake.leaves_by_itself = False
    chat.engine.unload()
    fake.die()
    qtbot.waitUntil(_is(chat, Phase.RESTING))
    assert chat.engine.state.error is None


# --- the idle time ----------------------------------------------------------------------------


def test_the_idle_time_is_the_setting_s(chat: ChatJob) -> None:
    idle = chat.resting.idle
    assert (idle.isActive(), idle.interval()) == (True, 30 * 60_000)
    chat.resting.set_idle_time(5)
    assert (idle.isActive(), idle.interval()) == (True, 5 * 60_000)
    chat.resting.set_idle_time(0)
    assert not idle.isActive()


def test_the_idle_time_is_taken_from_the_settings(qtbot: QtBot, chat: ChatJob) -> None:
    chat._settings.set(s.IDLE_UNLOAD_MIN, 7)
    chat.reload_model()
    qtbot.waitUntil(_is(chat, Phase.READY))
    assert chat.resting.idle.interval() == 7 * 60_000


def test_no_time_passes_while_an_answer_is_written(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(fake.requests) == 1)
    assert not chat.resting.idle.isActive()
    fake.finish()
    qtbot.waitUntil(lambda: not chat.is_answering)
    qtbot.waitUntil(chat.resting.idle.isActive)


def test_when_the_time_is_over_the_model_is_unloaded(qtbot: QtBot, chat: ChatJob) -> None:
    chat.resting.idle.start(0)
    qtbot.waitUntil(_is(chat, Phase.RESTING))
    assert not chat.resting.idle.isActive()


def test_writing_puts_it_off(qtbot: QtBot, chat: ChatJob) -> None:
    idle = chat.resting.idle
    idle.setTimerType(Qt.TimerType.PreciseTimer)
    idle.start()
    qtbot.waitUntil(lambda: idle.remainingTime() < idle.interval() - 20)
    before = idle.remainingTime()
    chat.wake()
    assert idle.remainingTime() > before


def test_freeing_the_memory_during_an_answer_keeps_what_there_is_of_it(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(fake.requests) == 1)
    fake.say("Good")
    qtbot.waitUntil(_is(chat, Phase.WRITING))
    chat.free_memory()
    qtbot.waitUntil(_is(chat, Phase.RESTING))
    assert [(m.text, m.status) for m in chat.open.messages][-1] == ("Good", Status.STOPPED)


def test_freeing_the_memory_ends_a_load(qtbot: QtBot, chat: ChatJob, fake: FakeEngine) -> None:
    fake.loads_by_itself = False
    chat.reload_model()
    chat.free_memory()
    assert chat.engine.state.phase is Phase.NONE


# --- memory that runs short -------------------------------------------------------------------


class _Watched:
    def __init__(self, engine: EngineJob) -> None:
        self.reading = PLENTY
        self.watch = MemoryWatch(engine, lambda: self.reading)
        self.said: list[str] = []
        self.watch.tight.connect(lambda error: self._hear("tight", error))
        self.watch.freed.connect(lambda error: self._hear("freed", error))
        self.watch.eased.connect(lambda: self.said.append("eased"))

    def _hear(self, what: str, error: AppError) -> None:
        assert error.hint is not None
        self.said.append(what)


def test_a_waiting_model_is_unloaded_when_memory_runs_out(qtbot: QtBot, chat: ChatJob) -> None:
    watched = _Watched(chat.engine)
    watched.watch.look()
    assert chat.engine.state.phase is Phase.READY
    watched.reading = NOTHING_LEFT
    watched.watch.look()
    qtbot.waitUntil(_is(chat, Phase.RESTING))
    assert watched.said == ["freed"]
    watched.watch.close()


def test_a_working_model_is_left_alone_and_the_person_is_told_once(
    qtbot: QtBot, chat: ChatJob, fake: FakeEngine
) -> None:
    watched = _Watched(chat.engine)
    chat.send("Hello")
    qtbot.waitUntil(lambda: len(fake.requests) == 1)
    watched.reading = NOTHING_LEFT
    watched.watch.look()
    watched.watch.look()
    assert watched.said == ["tight"]
    assert chat.is_answering
    watched.reading = PLENTY
    watched.watch.look()
    assert watched.said == ["tight", "eased"]
    watched.watch.close()
    chat.stop()


def test_memory_is_looked_at_often_only_while_the_model_works() -> None:
    engine = EngineJob(FakeEngine().make_client)
    watch = MemoryWatch(engine, lambda: PLENTY)
    timer = watch._timer
    seen = []
    for phase in (Phase.LOADING, Phase.READY, Phase.WRITING, Phase.RESTING, Phase.FAILED):
        engine._set(EngineState(phase))
        seen.append(timer.interval() if timer.isActive() else 0)
    assert seen == [WORKING_MS, WAITING_MS, WORKING_MS, 0, 0]
    watch.close()


# --- the window -------------------------------------------------------------------------------


def test_the_window_says_that_the_model_rests_and_loads_it_when_someone_writes(
    kit: WindowKit,
) -> None:
    kit.fake.reply = ("one",)
    kit.ask("Hello")
    kit.wait(lambda: not kit.chat.is_answering)
    kit.chat.resting.idle.start(0)
    kit.wait(lambda: kit.engine.state.phase is Phase.RESTING)
    assert "Resting" in kit.window.status.phase_text
    picker = kit.column.bar.picker
    assert picker.accessibleName() == "Model: SmolLM2 135M Unloaded"
    assert kit.page.inspector.memory.actual.total.text() == "…"
    kit.type("A")
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert "Ready" in kit.window.status.phase_text
    kit.press(Qt.Key.Key_Return)
    kit.wait(lambda: len(kit.fake.requests) == 2 and not kit.chat.is_answering)


def test_the_picker_frees_the_memory(kit: WindowKit) -> None:
    kit.fake.reply = ("one",)
    kit.ask("Hello")
    kit.wait(lambda: not kit.chat.is_answering)
    picker = kit.column.bar.picker
    picker._fill()
    entry = next(a for a in picker.menu_entries.actions() if a.text() == "Free its memory now")
    entry.trigger()
    kit.wait(lambda: kit.engine.state.phase is Phase.RESTING)
    picker._fill()
    assert "Free its memory now" not in [a.text() for a in picker.menu_entries.actions()]


def test_the_setting_counts_at_once(kit: WindowKit) -> None:
    kit.window.prefs.set(s.IDLE_UNLOAD_MIN, 45)
    assert kit.chat.resting.idle.interval() == 45 * 60_000


def test_the_card_for_memory_frees_it_and_goes(kit: WindowKit) -> None:
    watched = _Watched(kit.engine)
    kit.window.follow_memory(watched.watch)
    kit.ask("Hello")
    watched.reading = NOTHING_LEFT
    watched.watch.look()
    card = kit.window.trouble.findChild(TroubleCard)
    assert "about to run out of memory" in card.text
    (free,) = [b for b in card.findChildren(QPushButton) if b.text().startswith("Free")]
    kit.wait(free.isVisible)
    free.click()
    kit.wait(lambda: kit.engine.state.phase is Phase.RESTING)
    kit.wait(lambda: kit.window.trouble.texts == [])
    assert kit.chat.open.messages[-1].status is Status.STOPPED


def test_the_window_says_that_it_unloaded_the_model(kit: WindowKit) -> None:
    watched = _Watched(kit.engine)
    kit.window.follow_memory(watched.watch)
    watched.reading = NOTHING_LEFT
    watched.watch.look()
    kit.wait(lambda: kit.engine.state.phase is Phase.RESTING)
    assert kit.window.trouble.texts == ["Memory was running out, so the model was unloaded."]


def test_an_answer_that_begins_anew_is_shown_from_its_beginning(kit: WindowKit) -> None:
    kit.ask("Hello")
    kit.fake.say("Good morn")
    kit.wait(lambda: "Good morn" in kit.transcript_texts())
    kit.fake.die()
    kit.wait(lambda: len(kit.fake.requests) == 2)
    kit.wait(lambda: "Good morn" not in kit.transcript_texts())
    kit.answer("Hi")
    kit.wait(lambda: "Hi" in kit.transcript_texts())
    assert kit.window.trouble.texts == ["The model stopped: this computer ran out of memory."]
