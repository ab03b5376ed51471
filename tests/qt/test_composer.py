"""The field where messages are written."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.ui.composer import Composer


@pytest.fixture
def composer(qtbot: QtBot) -> Composer:
    result = Composer()
    qtbot.addWidget(result)
    result.resize(640, 80)
    with qtbot.waitExposed(result):
        result.show()
    result.focus()
    return result


def _sent(composer: Composer) -> list[str]:
    sent: list[str] = []
    composer.submitted.connect(sent.append)
    return sent


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_enter_sends(composer: Composer, key: Qt.Key) -> None:
    sent = _sent(composer)
    QTest.keyClicks(composer.editor, "Hello")
    QTest.keyClick(composer.editor, key)
    assert sent == ["Hello"]
    assert composer.text == ""


def test_shift_enter_begins_a_line(composer: Composer) -> None:
    sent = _sent(composer)
    height = composer.editor.height()
    QTest.keyClicks(composer.editor, "one")
    QTest.keyClick(composer.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(composer.editor, "two")
    assert sent == []
    assert composer.text == "one\ntwo"
    assert composer.editor.height() > height


def test_nothing_is_not_sent(composer: Composer) -> None:
    sent = _sent(composer)
    QTest.keyClicks(composer.editor, "   ")
    QTest.keyClick(composer.editor, Qt.Key.Key_Return)
    composer.send_button.click()
    assert sent == []


def test_it_grows_to_eight_lines(composer: Composer) -> None:
    line = composer.editor.fontMetrics().lineSpacing()
    composer.editor.setPlainText("\n".join("abcdefgh"))
    eight = composer.editor.height()
    assert eight >= 8 * line
    composer.editor.setPlainText("\n".join("abcdefghijklmnop"))
    assert composer.editor.height() == eight


def test_while_an_answer_is_written_the_text_waits(composer: Composer) -> None:
    sent = _sent(composer)
    composer.set_busy(True)
    assert composer.stop_button.isVisible()
    assert composer.editor.placeholderText() == (
        "Write the next message. It waits until this answer is done."
    )
    QTest.keyClicks(composer.editor, "next")
    QTest.keyClick(composer.editor, Qt.Key.Key_Return)
    assert sent == []
    assert composer.hint == "Waits until this answer is done"
    composer.set_busy(False)
    assert composer.hint == "Enter sends"
    QTest.keyClick(composer.editor, Qt.Key.Key_Return)
    assert sent == ["next"]


def test_the_model_is_named(composer: Composer) -> None:
    composer.show_model("SmolLM2 135M Instruct")
    assert composer.editor.placeholderText() == "Write a message to SmolLM2"
    composer.show_model("")
    assert composer.editor.placeholderText() == "Write a message"


def test_markup_is_not_taken_from_the_clipboard(composer: Composer) -> None:
    from PySide6.QtCore import QMimeData

    data = QMimeData()
    data.setHtml("<b>bold</b>")
    data.setText("bold")
    composer.editor.insertFromMimeData(data)
    assert composer.text == "bold"
