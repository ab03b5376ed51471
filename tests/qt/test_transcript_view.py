"""The transcript as people and the chat page meet it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QMouseEvent, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QTextBrowser, QWidget
from pytestqt.qtbot import QtBot

from app.core.chat import AnswerStats, ChatMessage, Role, Status
from app.ui import style
from app.ui.theme import theme
from app.ui.transcript import Transcript
from app.ui.transcript.answer import AnswerView
from app.ui.transcript.code import CodeView
from app.ui.transcript.mark import Mark
from app.ui.transcript.message import MessageView
from app.ui.transcript.reasoning import ReasoningFold
from app.ui.transcript.summarycard import SummaryCard
from app.ui.trouble import TroubleCard

STATS = AnswerStats(100, 0, 412, 18.4, 70, 6200, "stop", 1207)
CODE = "```python\nx = 1\n```"


def said(number: int, text: str, **more: object) -> ChatMessage:
    """Odd numbers are the user's."""
    role = Role.USER if number % 2 else Role.ASSISTANT
    if role is Role.ASSISTANT:
        more.setdefault("model_name", "Qwen3 4B")
    return ChatMessage(number, 1, number - 1 or None, role, text, 0.0, **more)


def long_conversation(count: int) -> list[ChatMessage]:
    return [said(i + 1, f"message {i + 1}\n\n" + f"Words of {i + 1}. " * 30) for i in range(count)]


@pytest.fixture
def transcript(qtbot: QtBot) -> Iterator[Transcript]:
    made = Transcript()
    qtbot.addWidget(made)
    made.resize(700, 600)
    made.show()
    qtbot.waitExposed(made)
    yield made
    theme().follow("light")
    style.apply_text_scale(100)


def texts(transcript: Transcript) -> list[str]:
    """What the live widgets say, from top to bottom."""
    views = [v for v in transcript.findChildren(QTextBrowser) if v.isVisible()]
    views.sort(key=lambda v: v.mapTo(transcript, QPoint(0, 0)).y())
    return [view.toPlainText() for view in views]


def view_of(transcript: Transcript, number: int) -> MessageView:
    return next(v for v in transcript._column.live_views if v.row.message.id == number)


def top_of(transcript: Transcript, number: int) -> int:
    return view_of(transcript, number).mapTo(transcript, QPoint(0, 0)).y()


def buttons(root: QWidget) -> list[str]:
    found = [b for b in root.findChildren(QAbstractButton) if b.isVisible()]
    return [b.accessibleName() or b.text() for b in found]


def press(root: QWidget, name: str) -> None:
    found = [b for b in root.findChildren(QAbstractButton) if b.isVisible()]
    next(b for b in found if name in (b.accessibleName(), b.text())).click()


def stream(transcript: Transcript, qtbot: QtBot, number: int, text: str, step: int = 7) -> None:
    for i in range(0, len(text), step):
        transcript.append_text(number, text[i : i + step])
    settle(transcript, qtbot)


def settle(transcript: Transcript, qtbot: QtBot) -> None:
    """Until all that came is shown and nothing is left to make."""
    timers = (transcript._flush_timer, transcript._idle_timer)
    qtbot.waitUntil(lambda: not any(t.isActive() for t in timers))


# --- messages -------------------------------------------------------------------------------------


def test_a_conversation_is_shown_at_its_end(transcript, qtbot):
    transcript.set_conversation(long_conversation(60), {})
    settle(transcript, qtbot)
    bar = transcript.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    assert texts(transcript)[-1].startswith("message 60")
    assert len(transcript._column.live_views) < 20


def test_what_the_user_wrote_is_literal(transcript):
    transcript.set_conversation([said(1, "**no** <b>bold</b>\n  [x](https://a.b)")], {})
    assert texts(transcript) == ["**no** <b>bold</b>\n  [x](https://a.b)"]
    view = transcript.findChild(QTextBrowser)
    cursor = QTextCursor(view.document())
    cursor.setPosition(len("**no** <b>bold</b>\n  [x"))
    assert not cursor.charFormat().isAnchor()


def test_a_short_question_has_a_small_box_at_the_right(transcript):
    transcript.set_conversation([said(1, "Hi"), said(3, "many words " * 40)], {})
    short, long = view_of(transcript, 1), view_of(transcript, 3)
    assert short._box.width() < 60
    assert long._box.width() <= 520
    assert short._box.right() == long._box.right()


def test_system_messages_are_not_shown(transcript):
    system = ChatMessage(1, 1, None, Role.SYSTEM, "Be brief", 0.0)
    transcript.set_conversation([system, said(3, "Hi")], {})
    assert texts(transcript) == ["Hi"]


def test_header_and_figures_are_painted(transcript):
    transcript.set_conversation([said(2, "Answer", variant="Q4_K_M", stats=STATS)], {})
    footer = view_of(transcript, 2)._footer
    parts = footer._figures(STATS)
    assert parts == ["412 tokens", "18.4 tokens/s", "first token 0.07 s", "seed 1207"]
    assert footer._fitting(STATS, 2_000) == " · ".join(parts)
    assert footer._fitting(STATS, 60) == "412 tokens"


def test_names_for_screen_readers(transcript):
    transcript.set_conversation([said(1, "Hi"), said(2, "Hello")], {})
    assert view_of(transcript, 1).accessibleName() == "You said"
    assert view_of(transcript, 2).accessibleName() == "Qwen3 4B answered"
    assert view_of(transcript, 2).accessibleDescription() == "Hello"


def test_clear(transcript):
    transcript.set_conversation(long_conversation(10), {})
    transcript.clear()
    assert texts(transcript) == []
    assert transcript.verticalScrollBar().maximum() == 0


def test_an_equal_conversation_keeps_its_widgets(transcript):
    messages = long_conversation(6)
    transcript.set_conversation(messages, {})
    before = list(transcript._column.live_views)
    transcript.set_conversation(list(messages), {})
    assert transcript._column.live_views == before


def test_another_branch_keeps_what_is_common(transcript):
    messages = [said(1, "Hi"), said(2, "one")]
    transcript.set_conversation(messages, {2: (2, 4)})
    first = view_of(transcript, 1)
    transcript.set_conversation([messages[0], said(4, "two")], {4: (2, 4)})
    assert view_of(transcript, 1) is first
    assert texts(transcript) == ["Hi", "two"]


# --- actions --------------------------------------------------------------------------------------


def test_the_last_answer_shows_its_actions_others_on_demand(transcript, qtbot):
    transcript.set_conversation([said(2, "one"), said(3, "q"), said(4, "two")], {})
    first, last = view_of(transcript, 2), view_of(transcript, 4)
    assert buttons(last) == ["Copy message", "Answer again"]
    assert buttons(first) == []
    height = first.height()
    QApplication.sendEvent(first, QEvent(QEvent.Type.Leave))
    first._is_hovered = True
    first._show_actions()
    assert buttons(first) == ["Copy message", "Answer again"]
    assert first.height() == height


def test_regenerate_and_branches(transcript, qtbot):
    transcript.set_conversation([said(2, "one")], {2: (2, 8, 10)})
    with qtbot.waitSignal(transcript.regenerate_requested) as regenerated:
        press(transcript, "Answer again")
    assert regenerated.args == [2]
    with qtbot.waitSignal(transcript.branch_requested) as branch:
        press(transcript, "Next version")
    assert branch.args == [8]
    assert view_of(transcript, 2)._footer.bar._branch_label == "1 / 3"
    previous = transcript.findChildren(QAbstractButton)
    assert [b.isEnabled() for b in previous if b.accessibleName() == "Previous version"] == [False]


def test_copying(transcript, qtbot):
    text = "**Bold**\n\n" + CODE
    transcript.set_conversation([said(2, text)], {})
    clipboard = QGuiApplication.clipboard()
    press(transcript, "Copy message")
    assert clipboard.text() == text
    assert "Copied" in buttons(transcript)
    press(transcript, "Copy code")
    assert clipboard.text() == "x = 1"


def test_copied_code_is_whole_however_it_is_shown(transcript, qtbot):
    code = "y" * 5_000 + "\n" + "x = 1\n" * 400
    transcript.set_conversation([said(2, f"```\n{code}```")], {})
    transcript.verticalScrollBar().setValue(0)
    settle(transcript, qtbot)
    press(transcript, "Copy code")
    assert QGuiApplication.clipboard().text() + "\n" == code


def test_links_that_are_clicked_are_told(transcript, qtbot):
    transcript.set_conversation([said(2, "[a](https://example.org/ü)")], {})
    view = transcript.findChild(QTextBrowser)
    with qtbot.waitSignal(transcript.link_activated) as told:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(4, 12))
    assert told.args == ["https://example.org/%C3%BC"]


def test_keys_on_a_message(transcript, qtbot):
    transcript.set_conversation([said(1, "question"), said(2, "answer")], {})
    transcript.activateWindow()
    transcript.focus_message(-1)
    assert QApplication.focusWidget() is view_of(transcript, 2)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_C)
    assert QGuiApplication.clipboard().text() == "answer"
    with qtbot.waitSignal(transcript.regenerate_requested):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_R)
    transcript.focus_message(-1)
    assert QApplication.focusWidget() is view_of(transcript, 1)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_C)
    assert QGuiApplication.clipboard().text() == "question"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.focusWidget() is view_of(transcript, 2)


def test_walking_goes_through_all_messages(transcript, qtbot):
    transcript.set_conversation(long_conversation(40), {})
    settle(transcript, qtbot)
    transcript.activateWindow()
    transcript.focus_message(-1)
    for _ in range(50):
        transcript.focus_message(-1)
    assert QApplication.focusWidget() is view_of(transcript, 1)
    assert transcript.verticalScrollBar().value() < 40


def test_only_the_message_with_the_focus_has_tab_stops(transcript, qtbot):
    transcript.set_conversation([said(1, "q"), said(2, f"text\n\n{CODE}"), said(4, CODE)], {})
    transcript.activateWindow()
    transcript.focus_message(-1)
    transcript.focus_message(-1)
    stops = []
    for _ in range(6):
        stops.append(QApplication.focusWidget())
        QTest.keyClick(stops[-1], Qt.Key.Key_Tab)
    assert [type(w).__name__ for w in stops[:4]] == [
        "AnswerView",
        "ProseView",
        "FlatButton",
        "CodeText",
    ]
    assert [w.accessibleName() for w in stops[4:]] == ["Copy message", "Answer again"]
    assert (
        view_of(transcript, 4).findChild(CodeView).text.focusPolicy() == Qt.FocusPolicy.ClickFocus
    )


# --- streaming ------------------------------------------------------------------------------------

TABLE = "| a | b |\n|--|--|\n| 1 | 2 |"
ANSWER = f"# Title\n\nSome **bold** words.\n\n- a\n- b\n\n{CODE}\n\n{TABLE}\n\nEnd."


def test_streaming_shows_what_setting_shows(transcript, qtbot):
    transcript.set_conversation([said(1, "q")], {})
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, ANSWER)
    streamed = texts(transcript)
    transcript.finish_message(said(2, ANSWER, stats=STATS))
    assert texts(transcript) == streamed
    heights = [v.height() for v in transcript._column.live_views]
    transcript.clear()
    transcript.set_conversation([said(1, "q"), said(2, ANSWER, stats=STATS)], {})
    assert texts(transcript) == streamed
    assert [v.height() for v in transcript._column.live_views] == heights


def test_finishing_keeps_the_widgets_of_the_same_text(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, ANSWER + "\n\n")
    before = transcript.findChildren(QTextBrowser)
    transcript.finish_message(said(2, ANSWER))
    assert transcript.findChildren(QTextBrowser) == before


def test_finishing_with_another_text_shows_that(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, "one")
    transcript.finish_message(said(2, "two"))
    settle(transcript, qtbot)
    assert texts(transcript) == ["two"]


def test_text_is_gathered(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    transcript.append_text(2, "a")
    transcript.append_text(2, "b")
    assert texts(transcript) == []
    assert transcript._flush_timer.isActive()
    settle(transcript, qtbot)
    assert texts(transcript) == ["ab"]
    assert not transcript._flush_timer.isActive()


def test_finished_blocks_are_not_touched_again(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, "First paragraph.\n\nSecond ")
    document = transcript.findChild(QTextBrowser).document()
    changes = []
    stream(transcript, qtbot, 2, "and **more**")
    transcript.findChild(QTextBrowser)._writer.cursor.document().contentsChange.connect(
        lambda at, *_: changes.append(at)
    )
    document.blockSignals(False)
    stream(transcript, qtbot, 2, " and more")
    assert document.toPlainText() == "First paragraph.\nSecond and more and more"
    assert all(at >= len("First paragraph.") for at in changes)


def test_nothing_is_announced_to_the_document_while_streaming(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, "one ")
    heard = []
    transcript.findChild(QTextBrowser).document().contentsChange.connect(
        lambda *change: heard.append(change)
    )
    stream(transcript, qtbot, 2, "two three **four")
    assert heard == []


def test_the_caret_is_where_text_comes(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    settle(transcript, qtbot)
    view = view_of(transcript, 2)
    assert isinstance(view, AnswerView)
    assert view._waits()
    stream(transcript, qtbot, 2, "Text\n\n```py\nx")
    carets = [(type(v).__name__, v._has_caret) for v in view.findChildren(QTextBrowser)]
    assert carets == [("ProseView", False), ("CodeText", True)]
    transcript.finish_message(said(2, "Text\n\n```py\nx"))
    assert not any(v._has_caret for v in view.findChildren(QTextBrowser))


def test_code_grows_by_appending(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, "```py\na = 1\n")
    view = transcript.findChild(CodeView)
    stream(transcript, qtbot, 2, "b = 2\nc =")
    assert transcript.findChild(CodeView) is view
    assert view.text.toPlainText() == "a = 1\nb = 2\nc ="
    stream(transcript, qtbot, 2, " 3\n```\nafter")
    assert texts(transcript) == ["a = 1\nb = 2\nc = 3", "after"]


def test_the_end_is_followed_only_while_it_is_in_sight(transcript, qtbot):
    transcript.set_conversation(long_conversation(20), {})
    transcript.add_message(said(22, "", status=Status.PARTIAL))
    bar = transcript.verticalScrollBar()
    stream(transcript, qtbot, 22, "line\n\n" * 30)
    assert bar.value() == bar.maximum()
    bar.setValue(bar.value() - 300)
    settle(transcript, qtbot)
    here = bar.value()
    stream(transcript, qtbot, 22, "line\n\n" * 30)
    assert bar.value() == here
    assert transcript._jump.isVisible()
    transcript._jump.click()
    settle(transcript, qtbot)
    assert bar.value() == bar.maximum()
    assert not transcript._jump.isVisible()


def test_streaming_out_of_sight_makes_no_widgets(transcript, qtbot):
    transcript.set_conversation(long_conversation(40), {})
    transcript.add_message(said(42, "", status=Status.PARTIAL))
    transcript.verticalScrollBar().setValue(0)
    settle(transcript, qtbot)
    stream(transcript, qtbot, 42, "word " * 300, 50)
    assert 42 not in [v.row.message.id for v in transcript._column.live_views]
    transcript.scroll_to_end()
    settle(transcript, qtbot)
    assert texts(transcript)[-1] == ("word " * 300).strip()


def test_my_own_message_is_scrolled_to(transcript, qtbot):
    transcript.set_conversation(long_conversation(20), {})
    transcript.verticalScrollBar().setValue(0)
    transcript.add_message(said(21, "mine"))
    settle(transcript, qtbot)
    assert texts(transcript)[-1] == "mine"
    assert transcript.verticalScrollBar().value() == transcript.verticalScrollBar().maximum()


def test_text_for_unknown_messages_is_ignored(transcript):
    transcript.append_text(7, "x")
    transcript.append_reasoning(7, "x")
    assert not transcript._flush_timer.isActive()


def test_a_conversation_set_while_it_streams_loses_nothing(transcript, qtbot):
    transcript.set_conversation([said(1, "q")], {})
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    transcript.append_text(2, "one ")
    transcript.set_conversation([said(1, "q"), said(2, "", status=Status.PARTIAL)], {})
    transcript.append_text(2, "two")
    settle(transcript, qtbot)
    assert texts(transcript) == ["q", "one two"]


def test_an_unfinished_answer_goes_on(transcript, qtbot):
    """As when the conversation is opened again while it is written."""
    transcript.set_conversation([said(2, "one ", status=Status.PARTIAL, reasoning="hm")], {})
    assert transcript.findChild(TroubleCard) is not None
    transcript.append_text(2, "two")
    settle(transcript, qtbot)
    assert texts(transcript) == ["one two"]
    assert not any(card.isVisible() for card in transcript.findChildren(TroubleCard))


# --- thoughts -------------------------------------------------------------------------------------


def test_thoughts_are_open_until_the_answer_comes(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    transcript.append_reasoning(2, "Let me see.\nYes.")
    settle(transcript, qtbot)
    fold = transcript.findChild(ReasoningFold)
    assert (fold.text(), fold.isChecked()) == ("Thinking…", True)
    assert texts(transcript) == ["Let me see.\nYes."]
    stream(transcript, qtbot, 2, "Answer")
    assert fold.text().startswith("Thought")
    assert texts(transcript) == ["Answer"]
    transcript.finish_message(said(2, "Answer", reasoning="Let me see.\nYes.", stats=STATS))
    assert fold.text() == "Thought for 6.2 s"
    fold.click()
    assert texts(transcript) == ["Let me see.\nYes.", "Answer"]
    fold.click()
    assert texts(transcript) == ["Answer"]


def test_thoughts_that_were_opened_stay_open(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    transcript.append_reasoning(2, "Hm.")
    stream(transcript, qtbot, 2, "Answer")
    transcript.findChild(ReasoningFold).click()
    stream(transcript, qtbot, 2, " goes on")
    assert texts(transcript) == ["Hm.", "Answer goes on"]


# --- trouble --------------------------------------------------------------------------------------


def test_a_failed_answer_says_why_and_can_be_tried_again(transcript, qtbot):
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, "Half an")
    error = "The model stopped.\nYour conversation is safe."
    transcript.finish_message(said(2, "Half an", status=Status.FAILED, error=error))
    card = transcript.findChild(TroubleCard)
    assert (card.text, card.hint) == ("The model stopped.", "Your conversation is safe.")
    with qtbot.waitSignal(transcript.retry_requested) as retried:
        press(transcript, "Try again")
    assert retried.args == [2]


def test_an_answer_that_was_cut_off_can_be_tried_again(transcript, qtbot):
    transcript.set_conversation([said(2, "Half an", status=Status.PARTIAL)], {})
    with qtbot.waitSignal(transcript.retry_requested):
        press(transcript, "Try again")


def test_a_stopped_answer_has_no_trouble(transcript):
    transcript.set_conversation([said(2, "Half an", status=Status.STOPPED)], {})
    assert transcript.findChild(TroubleCard) is None


# --- keeping still --------------------------------------------------------------------------------


def test_what_is_read_stays_where_it_is(transcript, qtbot):
    """Measuring what is above must not push what is in sight."""
    transcript.set_conversation(long_conversation(200), {})
    bar = transcript.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    settle(transcript, qtbot)
    for _ in range(30):
        seen = next(v for v in transcript._column.live_views if 0 <= v.y() < 400)
        before = seen.y()
        bar.setValue(bar.value() - 40)
        assert seen.y() == before + 40
        settle(transcript, qtbot)
        assert seen.y() == before + 40


def test_resizing_keeps_the_place(transcript, qtbot):
    transcript.set_conversation(long_conversation(100), {})
    bar = transcript.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    settle(transcript, qtbot)
    seen = next(v for v in transcript._column.live_views if v.y() >= 0)
    number, before = seen.row.message.id, seen.y()
    transcript.resize(500, 600)
    settle(transcript, qtbot)
    assert abs(top_of(transcript, number) - before) < 60
    view = view_of(transcript, number)
    assert view.width() <= 500


def test_few_widgets_however_long(transcript, qtbot):
    transcript.set_conversation(long_conversation(500), {})
    bar = transcript.verticalScrollBar()
    for place in (0, bar.maximum() // 3, bar.maximum() // 2, 10, bar.maximum()):
        bar.setValue(place)
        settle(transcript, qtbot)
        assert len(transcript._column.live_views) < 25
    assert len(transcript.findChildren(MessageView)) < 200


def test_a_huge_message_is_live_near_the_viewport_only(transcript, qtbot):
    text = "\n\n".join(f"Paragraph {i}. " + "word " * 60 for i in range(600))
    transcript.set_conversation([said(2, text)], {})
    settle(transcript, qtbot)
    assert "Paragraph 599" in texts(transcript)[-1]
    bar = transcript.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    settle(transcript, qtbot)
    assert 0 < len(texts(transcript)) < 12
    bar.setValue(0)
    settle(transcript, qtbot)
    assert texts(transcript)[0].startswith("Paragraph 0.")


def test_selected_text_survives_scrolling_away(transcript, qtbot):
    transcript.set_conversation(long_conversation(60), {})
    transcript.activateWindow()
    view = transcript.findChildren(QTextBrowser)[-1]
    view.setFocus()
    view.selectAll()
    transcript.verticalScrollBar().setValue(0)
    settle(transcript, qtbot)
    transcript.scroll_to_end()
    settle(transcript, qtbot)
    assert view.textCursor().hasSelection()


# --- what is around -------------------------------------------------------------------------------


def test_where_memory_begins_stands_above_a_message(transcript, qtbot):
    transcript.set_conversation([said(1, "a"), said(2, "b")], {})
    before = view_of(transcript, 2).height()
    transcript.set_mark(2, Mark("The model no longer sees what is above"))
    assert view_of(transcript, 2).row.mark
    assert view_of(transcript, 2).height() > before
    transcript.set_mark(None, None)
    assert view_of(transcript, 2).height() == before


def test_a_summary_streams_in_its_place_and_can_be_read_and_edited(transcript, qtbot):
    transcript.set_conversation([said(1, "a"), said(2, "b")], {})
    running = Mark("", "", "Summarising 2 messages", "Writing", "They", is_running=True)
    transcript.set_mark(2, running)
    height = view_of(transcript, 2).height()
    card = view_of(transcript, 2).findChild(SummaryCard)
    transcript.set_mark(2, replace(running, text="They said a."))
    assert view_of(transcript, 2).height() == height
    assert card.field.toPlainText() == "They said a."
    with qtbot.waitSignal(transcript.summary_cancelled):
        card.buttons["cancel"].click()
    done = Mark("The model sees a summary", "", "Summary of 2 messages", "", "They said a.")
    transcript.set_mark(2, done)
    folded = view_of(transcript, 2).height()
    card.buttons["show"].click()
    assert view_of(transcript, 2).height() > folded
    card.buttons["edit"].click()
    card.field.setPlainText("They said a and b.")
    with qtbot.waitSignal(transcript.summary_edited) as edited:
        card.buttons["save"].click()
    assert edited.args == ["They said a and b."]
    with qtbot.waitSignal(transcript.summary_removed):
        card.buttons["remove"].click()


def test_a_draft_of_a_summary_outlives_its_widget(transcript, qtbot):
    many = [said(n, "word " * 300) for n in range(1, 40)]
    transcript.set_conversation(many, {})
    transcript.set_mark(2, Mark("line", "", "Summary of 1 message", "", "Short."))
    transcript.reveal_mark()
    card = view_of(transcript, 2).findChild(SummaryCard)
    card.buttons["edit"].click()
    card.field.setPlainText("Shorter.")
    transcript.setFocus()
    transcript.scroll_to_end()
    settle(transcript, qtbot)
    assert transcript._by_id[2].view is None
    transcript.reveal_mark()
    assert view_of(transcript, 2).findChild(SummaryCard).field.toPlainText() == "Shorter."


def test_header_widget_scrolls_along(transcript, qtbot):
    header = QLabel("Welcome")
    header.setFixedHeight(80)
    transcript.set_header_widget(header)
    transcript.set_conversation([said(1, "Hi")], {})
    assert header.isVisible()
    assert top_of(transcript, 1) >= header.geometry().bottom()
    transcript.set_conversation(long_conversation(30), {})
    settle(transcript, qtbot)
    assert header.y() < -500
    transcript.verticalScrollBar().setValue(0)
    assert 0 < header.y() < 60
    transcript.set_header_widget(None)
    assert not header.isVisible()


def test_hidden_transcripts_make_no_widgets(qtbot):
    made = Transcript()
    qtbot.addWidget(made)
    made.set_conversation(long_conversation(5), {})
    assert made._column.live_views == []
    made.resize(700, 600)
    made.show()
    qtbot.waitExposed(made)
    assert texts(made)


@pytest.mark.parametrize("name", ["dark", "highContrast"])
def test_themes_are_followed(transcript, qtbot, name):
    transcript.set_conversation([said(1, "Hi"), said(2, f"a `b`\n\n{CODE}")], {})
    theme().follow(name)
    settle(transcript, qtbot)
    assert texts(transcript) == ["Hi", "a b", "x = 1"]
    shown = transcript.grab().toImage()
    assert shown.pixelColor(3, 300) == theme().color("content")


def test_the_text_size_is_followed(transcript, qtbot):
    transcript.set_conversation([said(2, "Some words")], {})
    before = view_of(transcript, 2).height()
    style.apply_text_scale(200)
    settle(transcript, qtbot)
    assert view_of(transcript, 2).height() > 1.7 * before
    assert texts(transcript) == ["Some words"]


def test_wide_code_scrolls_sideways_not_down(transcript, qtbot):
    transcript.set_conversation([said(2, "```\n" + "x = 1; " * 60 + "\n```")], {})
    text = transcript.findChild(CodeView).text
    assert text.horizontalScrollBar().maximum() > 0
    assert text.verticalScrollBar().maximum() == 0
    wheel(text, QPoint(-120, 0))
    assert text.horizontalScrollBar().value() > 0


def test_pieces_of_code_scroll_together(transcript, qtbot):
    code = "\n".join(f"line {i}" for i in range(130)) + "\n" + "x = 1; " * 60 + "\n"
    transcript.set_conversation([said(2, f"```\n{code}```")], {})
    settle(transcript, qtbot)
    transcript.verticalScrollBar().setValue(transcript.verticalScrollBar().maximum() - 200)
    settle(transcript, qtbot)
    pieces = transcript.findChildren(CodeView)
    assert len(pieces) == 2
    pieces[-1].text.horizontalScrollBar().setValue(90)
    assert {p.text.horizontalScrollBar().value() for p in pieces} == {90}


def test_the_wheel_over_text_scrolls_the_transcript(transcript, qtbot):
    transcript.set_conversation(long_conversation(30), {})
    settle(transcript, qtbot)
    bar, before = transcript.verticalScrollBar(), transcript.verticalScrollBar().value()
    wheel(view_of(transcript, 30).findChild(QTextBrowser), QPoint(0, -120))
    assert bar.value() == before
    wheel(view_of(transcript, 30).findChild(QTextBrowser), QPoint(0, 120))
    assert bar.value() < before


def wheel(view: QTextBrowser, delta: QPoint) -> None:
    """As the window system tells it: what a widget ignores goes to its parent."""
    at = QPointF(view.mapTo(view.window(), QPoint(10, 5)))
    QTest.wheelEvent(view.window().windowHandle(), at, delta)


def test_a_click_beside_the_words_focuses_the_message(transcript):
    transcript.set_conversation([said(2, "Hi")], {})
    transcript.activateWindow()
    view = view_of(transcript, 2)
    event = QMouseEvent(
        QEvent.Type.MouseButtonPress,
        QPointF(2, 2),
        view.mapToGlobal(QPointF(2, 2)),
        Qt.MouseButton.LeftButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(view, event)
    assert QApplication.focusWidget() is view


@pytest.mark.parametrize(
    ("status", "error", "news"),
    [
        (Status.DONE, "", "Answer finished"),
        (Status.STOPPED, "", "Answer stopped"),
        (Status.FAILED, "The model stopped.\nNothing is lost.", "The model stopped."),
    ],
)
def test_the_end_is_announced_once(transcript, qtbot, monkeypatch, status, error, news):
    heard = []
    monkeypatch.setattr("app.ui.transcript.view.announce", lambda _, text: heard.append(text))
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    stream(transcript, qtbot, 2, "Some words that come one by one")
    assert heard == []
    transcript.finish_message(said(2, "Some words", status=status, error=error))
    assert heard == [news]


def test_nothing_ticks_when_nothing_happens(transcript, qtbot):
    transcript.set_conversation([*long_conversation(30), said(32, CODE)], {})
    settle(transcript, qtbot)
    timers = transcript.findChildren(QTimer)
    qtbot.waitUntil(lambda: not any(timer.isActive() for timer in timers))
