"""A conversation longer than the context, as the window shows it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QPushButton

from app.core import settings as s
from app.ui.transcript.footer import Footer
from app.ui.transcript.memorymark import MemoryMark
from tests.helpers.window_kit import WindowKit, named

_LINE = "The model no longer sees what is above"


def _talk(kit: WindowKit, *questions: str, n_dropped: int = 0) -> None:
    """The last answer says that so many messages were left out."""
    for question in questions:
        kit.fake.n_dropped = n_dropped if question == questions[-1] else 0
        kit.ask(question)
        kit.answer(f"answer to {question}")


def _mark(kit: WindowKit) -> MemoryMark:
    kit.wait(lambda: bool(_marks(kit)))
    return _marks(kit)[0]


def _marks(kit: WindowKit) -> list[MemoryMark]:
    return [m for m in kit.column.transcript.findChildren(MemoryMark) if m.isVisible()]


def _above(kit: WindowKit) -> str:
    """The message that the mark stands above."""
    return _mark(kit).parent().row.message.text


def _line(kit: WindowKit) -> str:
    return _mark(kit)._line.accessibleName()


def _press(kit: WindowKit, text: str) -> None:
    named(kit.column.transcript, QPushButton, text).click()


def test_one_click_at_the_mark_makes_a_summary(kit: WindowKit) -> None:
    _talk(kit, "one", "two", "three", n_dropped=2)
    assert (_above(kit), _line(kit)) == ("two", _LINE)
    n = len(kit.fake.requests)
    _press(kit, "Summarise the older part")
    kit.wait(lambda: len(kit.fake.requests) == n + 1)
    kit.fake.say("They counted to one.")
    card = _mark(kit).card
    kit.wait(lambda: card.field.toPlainText() == "They counted to one.")
    assert card.accessibleName() == "Summarising 2 messages"
    assert kit.composer.stop_button.isVisible()
    kit.fake.finish()
    kit.wait(lambda: _mark(kit).card.accessibleName() == "Summary of 2 messages")
    assert _line(kit) == "The model sees a summary of what is above"
    assert not kit.composer.stop_button.isVisible()
    _press(kit, "Remove")
    kit.wait(lambda: _line(kit) == _LINE)


def test_escape_ends_a_summary_and_a_message_waits_for_it(kit: WindowKit) -> None:
    _talk(kit, "one", "two", "three", n_dropped=2)
    n = len(kit.fake.requests)
    kit.page.memory.summarise()
    kit.wait(lambda: len(kit.fake.requests) == n + 1)
    kit.fake.say("They")
    kit.type("four")
    kit.press(Qt.Key.Key_Return)
    assert len(kit.fake.requests) == n + 1
    kit.press(Qt.Key.Key_Escape)
    kit.wait(lambda: not kit.page.summary.is_running)
    assert kit.composer.text == "four"
    assert _line(kit) == _LINE
    assert kit.store.summaries(1) == ()


def test_a_summary_that_fails_says_so_and_can_be_tried_again(kit: WindowKit) -> None:
    _talk(kit, "one", "two", "three", n_dropped=2)
    n = len(kit.fake.requests)
    kit.page.memory.summarise()
    kit.wait(lambda: len(kit.fake.requests) == n + 1)
    kit.fake.finish()
    kit.wait(lambda: _mark(kit).card.accessibleName() == "The model wrote no summary.")
    note = _mark(kit).card.accessibleDescription()
    assert note.startswith("The summary was not finished, and nothing was changed.")
    _press(kit, "Try again")
    kit.wait(lambda: len(kit.fake.requests) == n + 2)
    kit.fake.say("They counted.")
    kit.fake.finish()
    kit.wait(lambda: _mark(kit).card.accessibleName() == "Summary of 2 messages")


def test_the_mark_is_there_after_a_restart(open_window: Callable[..., WindowKit]) -> None:
    kit = open_window()
    _talk(kit, "one", "two", "three", n_dropped=2)
    kit = open_window()
    with kit.qtbot.waitSignal(kit.chat.conversation_opened):
        kit.page.list.view.clicked.emit(kit.page.list.view.model().index(1, 0))
    assert (_above(kit), _line(kit)) == ("two", _LINE)


def test_another_context_size_moves_the_mark_at_once(kit: WindowKit) -> None:
    _talk(kit, "one", "two", "three", n_dropped=2)
    assert _above(kit) == "two"
    kit.page._prefs.set(s.N_CTX, 65_536)
    kit.page.inspector.n_ctx.reload_button.click()
    kit.wait(lambda: not _marks(kit))  # all of it will fit
    assert kit.transcript_texts()[0] == "one"


def test_the_meter_says_what_will_happen_while_one_types(kit: WindowKit) -> None:
    _talk(kit, "one", "two")
    section = kit.page.inspector.context
    kit.wait(lambda: section.bar.accessibleDescription() == "58 of 4,096 tokens")
    assert section.warning.isHidden()
    kit.composer.editor.setPlainText("word " * 2500)
    kit.wait(lambda: section.bar.accessibleDescription().startswith("about 3,"))
    nearly = "The context is nearly full. Then the oldest turns are left out."
    assert section.warning.text() == kit.composer.room == nearly
    kit.page._prefs.set(s.OVERFLOW, "stop")
    stops = "The context is nearly full. Then the conversation stops."
    kit.wait(lambda: kit.composer.room == stops)
    kit.composer.editor.setPlainText("word " * 250_000)
    too_long = "This is longer than the context: it has room for about 3,584 tokens."
    kit.wait(lambda: kit.composer.room == too_long)
    kit.composer.editor.clear()
    kit.wait(lambda: kit.composer.room == "" and section.warning.isHidden())


def test_from_the_meter_the_older_half_is_summarised(kit: WindowKit) -> None:
    section = kit.page.inspector.context
    _talk(kit, "one")
    assert section.summarise_button.isHidden()
    _talk(kit, "two")
    kit.wait(lambda: not section.summarise_button.isHidden())
    n = len(kit.fake.requests)
    section.summarise_button.click()
    kit.wait(lambda: len(kit.fake.requests) == n + 1)
    assert _above(kit) == "two"
    kit.fake.say("They counted.")
    kit.fake.finish()
    kit.wait(lambda: _mark(kit).card.accessibleName() == "Summary of 2 messages")
    kit.wait(lambda: section.bar.accessibleDescription().startswith("about "))


def test_what_is_asked_for_reaches_the_engine(kit: WindowKit) -> None:
    _talk(kit, "one", "two", "three", n_dropped=2)
    kit.settings.set(s.OVERFLOW, "stop")
    kit.ask("four")
    request = kit.fake.requests[-1]
    assert (request.n_dropped, request.overflow) == (2, "stop")
    kit.answer("4")


def test_an_answer_that_ended_too_early_goes_on_where_it_ended(kit: WindowKit) -> None:
    kit.ask("Count")
    kit.fake.say("One, two")
    kit.fake.finish("length")
    kit.wait(lambda: not kit.page.link.is_busy)
    on = named(kit.column.transcript, QAbstractButton, "Continue")
    n = len(kit.fake.requests)
    on.click()
    kit.wait(lambda: len(kit.fake.requests) == n + 1)
    request = kit.fake.requests[-1]
    assert [m.text for m in request.messages] == ["Count"]
    assert request.begun == "One, two"
    assert kit.composer.stop_button.isVisible()
    assert not on.isVisible()
    finished = kit.answer(", three.")
    assert finished.text == "One, two, three."
    assert kit.transcript_texts() == ["Count", "One, two, three."]
    kit.wait(lambda: kit.store.message(finished.id) == finished)
    assert len(kit.store.open_conversation(1).messages) == 2
    assert not on.isVisible()  # it ended of itself


def test_why_an_answer_ended_is_said(kit: WindowKit) -> None:
    kit.ask("Count")
    kit.fake.say("One")
    kit.fake.finish("context")
    kit.wait(lambda: not kit.page.link.is_busy)
    footer = kit.column.transcript.findChildren(Footer)[-1]
    assert footer._figures(footer._row.message.stats)[0] == "ended because the context is full"
