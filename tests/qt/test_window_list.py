"""The list of conversations."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QMessageBox, QWidget

from app.core.chat import Conversation
from app.ui.chatcolumn import View
from app.ui.conversationmodel import grouped
from app.ui.words import row_time
from tests.helpers.window_kit import WindowKit, named

TODAY = date(2026, 11, 24)


def _at(day: date, hour: int = 9) -> float:
    return datetime(day.year, day.month, day.day, hour, 15).timestamp()


@pytest.fixture
def two(kit: WindowKit) -> WindowKit:
    """A window with the conversations "Bread" and, open, "Rye"."""
    for text in ("Bread", "Rye"):
        kit.page.new_conversation()
        kit.ask(text)
        kit.answer(f"About {text}")
    kit.wait(lambda: kit.titles() == ["Rye", "Bread"])
    return kit


def _index(kit: WindowKit, title: str):
    model = kit.page.list.view.model()
    rows = range(model.rowCount())
    return next(model.index(row, 0) for row in rows if model.index(row, 0).data() == title)


def test_groups_go_by_the_day() -> None:
    days = (0, 0, 1, 3, 6, 7, 400)
    conversations = [
        Conversation(n, f"c{n}", 0, _at(TODAY - timedelta(days=ago))) for n, ago in enumerate(days)
    ]
    rows = [row if isinstance(row, str) else row.title for row in grouped(conversations, TODAY)]
    assert rows == [
        *("Today", "c0", "c1"),
        *("Yesterday", "c2"),
        *("Last week", "c3", "c4"),
        *("Older", "c5", "c6"),
    ]


def test_rows_say_when() -> None:
    assert "9:15" in row_time(_at(TODAY), TODAY)
    assert row_time(_at(TODAY - timedelta(days=3)), TODAY) == "Sat"
    assert row_time(_at(TODAY - timedelta(days=12)), TODAY) == "12 Nov"
    assert row_time(_at(TODAY - timedelta(days=400)), TODAY) == "Oct 2025"


def test_a_click_opens(two: WindowKit) -> None:
    view = two.page.list.view
    with two.qtbot.waitSignal(two.chat.conversation_opened):
        QTest.mouseClick(
            view.viewport(),
            Qt.MouseButton.LeftButton,
            pos=view.visualRect(_index(two, "Bread")).center(),
        )
    assert two.transcript_texts() == ["Bread", "About Bread"]
    assert two.window.windowTitle() == "Bread"
    assert two.composer.editor.hasFocus()


def test_arrows_and_enter_open(two: WindowKit) -> None:
    view = two.page.list.view
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Down)
    assert view.currentIndex().data() == "Bread"
    with two.qtbot.waitSignal(two.chat.conversation_opened):
        QTest.keyClick(view, Qt.Key.Key_Return)
    assert two.transcript_texts() == ["Bread", "About Bread"]


def test_search_keeps_what_contains_the_words(two: WindowKit) -> None:
    search = two.page.list.search
    QTest.keyClicks(search, "brE")
    assert two.titles() == ["Bread"]
    QTest.keyClicks(search, "xyz")
    assert two.titles() == []
    assert named(two.page.list, QWidget, "No title contains this.")
    search.clear()
    assert two.titles() == ["Rye", "Bread"]


def test_the_title_can_be_typed_over(two: WindowKit) -> None:
    title = two.column.bar.title
    QTest.keyClick(two.window, Qt.Key.Key_F2)
    assert title.hasFocus()
    QTest.keyClicks(title, "Rye and spelt")
    QTest.keyClick(title, Qt.Key.Key_Return)
    two.wait(lambda: two.titles() == ["Rye and spelt", "Bread"])
    assert two.window.windowTitle() == "Rye and spelt"
    QTest.keyClick(two.window, Qt.Key.Key_F2)
    QTest.keyClicks(title, "no")
    QTest.keyClick(title, Qt.Key.Key_Escape)
    assert title.text() == "Rye and spelt"


def test_a_row_can_be_renamed_in_its_place(two: WindowKit) -> None:
    view = two.page.list.view
    view.setFocus()
    view.setCurrentIndex(_index(two, "Bread"))
    QTest.keyClick(view, Qt.Key.Key_F2)
    [editor] = view.viewport().findChildren(QLineEdit)
    editor.selectAll()
    QTest.keyClicks(editor, "White bread")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    two.wait(lambda: two.titles() == ["Rye", "White bread"])
    assert two.window.windowTitle() == "Rye"


def test_delete_asks_and_names_what_goes(two: WindowKit) -> None:
    view = two.page.list.view
    view.setFocus()
    view.setCurrentIndex(_index(two, "Bread"))
    QTest.keyClick(view, Qt.Key.Key_Delete)
    box = two.dialog()
    assert isinstance(box, QMessageBox)
    assert box.text() == "Delete “Bread”?"
    named(box, QAbstractButton, "Cancel").click()
    assert two.titles() == ["Rye", "Bread"]
    QTest.keyClick(view, Qt.Key.Key_Delete)
    named(two.dialog(), QAbstractButton, "Delete").click()
    two.wait(lambda: two.titles() == ["Rye"])


def test_after_the_last_one_it_is_a_first_start_again(kit: WindowKit) -> None:
    kit.ask("Hi")
    kit.answer("Hello")
    kit.wait(lambda: kit.titles() == ["Hi"])
    kit.column.bar.delete_requested.emit()
    named(kit.dialog(), QAbstractButton, "Delete").click()
    kit.wait(lambda: kit.column.view is View.FIRST_START)
    assert kit.chat.open is None


def test_the_menu_of_a_row(two: WindowKit) -> None:
    index = _index(two, "Bread")
    menu = two.page.list.menu_for(index)
    assert [action.text() for action in menu.actions()] == ["Rename", "Delete…"]


def test_a_link_is_shown_in_full_and_asked_about(two: WindowKit) -> None:
    transcript = two.column.transcript
    transcript.link_activated.emit("https://example.org/ünïcode?q=1")
    box = two.dialog()
    assert isinstance(box, QMessageBox)
    assert box.informativeText() == "https://example.org/%C3%BCn%C3%AFcode?q=1"
    named(box, QAbstractButton, "Cancel").click()
    two.wait(lambda: not two.window.findChildren(QMessageBox))
    transcript.link_activated.emit("file:///etc/passwd")
    assert not two.window.findChildren(QMessageBox)
