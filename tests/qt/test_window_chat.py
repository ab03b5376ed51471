"""Asking and answering in the window."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton

from app.core.chat import Status
from app.core.errors import Message, StoreError
from app.jobs.engine import Phase
from app.ui.chatcolumn import View
from app.ui.transcript.memorymark import MemoryMark
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.window_kit import WindowKit, named


def test_send_shows_both_messages_and_streams(kit: WindowKit) -> None:
    kit.ask("What is bread?")
    kit.fake.say("Bread is ")
    kit.wait(lambda: kit.transcript_texts() == ["What is bread?", "Bread is"])
    kit.fake.say("baked dough.")
    kit.wait(lambda: kit.transcript_texts() == ["What is bread?", "Bread is baked dough."])
    finished = kit.answer(" Good.")
    assert finished.status is Status.DONE
    assert kit.transcript_texts() == ["What is bread?", "Bread is baked dough. Good."]
    assert kit.titles() == ["What is bread?"]
    assert kit.window.windowTitle() == "What is bread?"


def test_the_focus_stays_in_the_composer(kit: WindowKit) -> None:
    kit.ask("Hi")
    assert kit.composer.text == ""
    assert kit.composer.editor.hasFocus()
    kit.answer("Hello")
    assert kit.composer.editor.hasFocus()


def test_enter_twice_sends_once(kit: WindowKit) -> None:
    kit.type("Hi")
    kit.press(Qt.Key.Key_Return)
    kit.type("there")
    kit.press(Qt.Key.Key_Return)
    kit.wait(lambda: len(kit.fake.requests) == 1)
    assert kit.composer.text == "there"
    assert kit.composer.hint == "Waits until this answer is done"
    kit.answer("Hello")
    assert kit.composer.text == "there"
    kit.press(Qt.Key.Key_Return)
    kit.wait(lambda: len(kit.fake.requests) == 2)
    assert [m.text for m in kit.fake.requests[1].messages] == ["Hi", "Hello", "there"]


def test_escape_stops_and_keeps_what_is_written(kit: WindowKit) -> None:
    kit.ask("Tell me a story")
    kit.fake.say("Once upon")
    kit.wait(lambda: kit.engine.state.phase is Phase.WRITING)
    assert kit.composer.stop_button.isVisible()
    assert not kit.composer.send_button.isVisible()
    with kit.qtbot.waitSignal(kit.chat.answer_finished) as blocker:
        kit.press(Qt.Key.Key_Escape)
    assert blocker.args[0].status is Status.STOPPED
    assert blocker.args[0].text == "Once upon"
    assert kit.composer.send_button.isVisible()


def test_the_stop_button_stops(kit: WindowKit) -> None:
    kit.ask("Tell me a story")
    kit.fake.say("Once")
    kit.wait(lambda: kit.engine.state.phase is Phase.WRITING)
    with kit.qtbot.waitSignal(kit.chat.answer_finished):
        kit.composer.stop_button.click()


def test_a_message_that_cannot_be_saved_is_put_back(kit: WindowKit) -> None:
    error = StoreError(Message("test", "The disk is full."), Message("test", "Free some space."))

    def add_message(*_: object, **__: object) -> None:
        raise error

    kit.store.add_message = add_message  # type: ignore[method-assign]
    with kit.qtbot.waitSignal(kit.chat.send_failed):
        kit.type("Do not lose me")
        kit.press(Qt.Key.Key_Return)
    assert kit.composer.text == "Do not lose me"
    assert kit.column.send_trouble.isVisible()
    assert kit.column.send_trouble.text == "The disk is full."
    assert kit.column.send_trouble.hint == "Free some space."
    assert kit.composer.send_button.isVisible()


def test_text_typed_meanwhile_is_not_lost_when_a_message_comes_back(kit: WindowKit) -> None:
    kit.type("the next one")
    kit.composer.put_back("the first one")
    assert kit.composer.text == "the first one\nthe next one"


def test_the_engine_dies_and_try_again_works(kit: WindowKit) -> None:
    kit.ask("Count to three")
    kit.fake.say("One")
    kit.wait(lambda: kit.engine.state.phase is Phase.WRITING)
    kit.fake.die()
    kit.wait(lambda: len(kit.fake.requests) == 2)  # asked again by itself, once
    kit.fake.say("One, two")
    kit.wait(lambda: kit.engine.state.phase is Phase.WRITING)
    with kit.qtbot.waitSignal(kit.chat.answer_finished) as blocker:
        kit.fake.die()
    partial = blocker.args[0]
    assert (partial.status, partial.text) == (Status.FAILED, "One, two")
    kit.wait(lambda: kit.store.message(partial.id).text == "One, two")
    assert "One, two" in kit.transcript_texts()
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert kit.fake.n_clients == 3
    named(kit.column.transcript, QAbstractButton, "Try again").click()
    kit.wait(lambda: len(kit.fake.requests) == 3)
    kit.answer("One, two, three")
    assert kit.transcript_texts() == ["Count to three", "One, two, three"]
    assert kit.chat.open is not None
    assert [m.text for m in kit.chat.open.messages] == ["Count to three", "One, two, three"]


def test_an_engine_that_keeps_dying_is_said_in_the_bar(kit: WindowKit) -> None:
    kit.fake.loads_by_itself = False
    kit.ask("Hi")
    kit.fake.say("H")
    kit.wait(lambda: kit.engine.state.phase is Phase.WRITING)
    kit.fake.die()
    kit.wait(lambda: kit.engine.state.phase is Phase.LOADING)
    kit.fake.die()
    kit.wait(lambda: kit.column.model_trouble.isVisible())
    assert "ran out of memory" in kit.column.model_trouble.text
    kit.fake.loads_by_itself = True
    named(kit.column.model_trouble, QAbstractButton, "Try again").click()
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert not kit.column.model_trouble.isVisible()


def test_read_only_conversations_can_only_be_read(
    open_window: Callable[..., WindowKit], fake: FakeEngine
) -> None:
    kit = open_window()
    kit.ask("Hi")
    kit.answer("Hello")
    kit.wait(lambda: kit.titles() == ["Hi"])
    kit.close()
    _make_newer(kit.folder / "conversations.db")
    kit = open_window()
    assert kit.chat.read_only
    assert kit.composer.editor.isReadOnly()
    assert "come from a newer Nibble" in kit.composer.editor.placeholderText()
    assert not kit.composer.send_button.isEnabled()
    assert kit.window.trouble.texts == ["These conversations come from a newer Nibble."]
    with kit.qtbot.waitSignal(kit.chat.conversation_opened):
        kit.page.list.view.clicked.emit(kit.page.list.view.model().index(1, 0))
    assert kit.transcript_texts() == ["Hi", "Hello"]
    assert kit.column.bar.title.isReadOnly()


def _make_newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA user_version=999")
    connection.close()


def test_what_the_model_no_longer_sees_is_marked(kit: WindowKit) -> None:
    kit.ask("one")
    kit.answer("1")
    kit.ask("two")
    kit.fake.n_dropped = 2
    kit.answer("2")
    kit.wait(lambda: bool(_marks(kit)))
    assert [mark.parent().row.message.text for mark in _marks(kit)] == ["two"]
    kit.page.new_conversation()
    kit.wait(lambda: not _marks(kit))


def _marks(kit: WindowKit) -> list[MemoryMark]:
    return [m for m in kit.column.transcript.findChildren(MemoryMark) if m.isVisible()]


def test_regenerating_keeps_both_answers(kit: WindowKit) -> None:
    kit.ask("A name?")
    first = kit.answer("Flour & Fold")
    kit.column.transcript.regenerate_requested.emit(first.id)
    kit.wait(lambda: len(kit.fake.requests) == 2)
    second = kit.answer("Corner Loaf")
    assert kit.transcript_texts() == ["A name?", "Corner Loaf"]
    kit.column.transcript.branch_requested.emit(first.id)
    kit.wait(lambda: kit.transcript_texts() == ["A name?", "Flour & Fold"])
    assert kit.store.sibling_ids(first.id) == (first.id, second.id)


def test_a_prompt_of_the_first_start_is_sent(kit: WindowKit) -> None:
    assert kit.column.view is View.FIRST_START
    named(kit.column.prompts, QAbstractButton, "Give me three names for a small bakery.").click()
    kit.wait(lambda: len(kit.fake.requests) == 1)
    assert kit.fake.requests[0].messages[-1].text == "Give me three names for a small bakery."
    assert kit.column.view is View.TRANSCRIPT
    assert not kit.column.prompts.isVisible()
    assert kit.composer.editor.hasFocus()


def test_an_answer_stays_with_its_conversation(kit: WindowKit) -> None:
    kit.ask("Tell me a story")
    kit.fake.say("Once upon")
    kit.wait(lambda: kit.engine.state.phase is Phase.WRITING)
    kit.page.new_conversation()
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert kit.transcript_texts() == []
    assert kit.column.view is View.EMPTY
    kit.ask("Something else")
    kit.answer("Yes")
    assert kit.transcript_texts() == ["Something else", "Yes"]
    kit.wait(lambda: kit.titles() == ["Something else", "Tell me a story"])
