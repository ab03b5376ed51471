"""The transcript: shows a conversation, follows an answer while it is written.

Text that comes in is gathered and taken in at most every 40 ms. The view follows it if, and only
if, the end was in sight. Where things are is the column's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.core.chat import ChatMessage, Role, Status
from app.ui import theme as themes
from app.ui.focus import OWN_RING
from app.ui.transcript.accessibility import announce
from app.ui.transcript.answer import AnswerView
from app.ui.transcript.body import CodeSource
from app.ui.transcript.highlight import Highlighter
from app.ui.transcript.look import look
from app.ui.transcript.mark import Mark
from app.ui.transcript.markdown import is_web_link
from app.ui.transcript.message import MessageView, discard, message_of
from app.ui.transcript.question import QuestionView
from app.ui.transcript.row import Row
from app.ui.transcript.scrolling import ScrolledColumn

FLUSH_MS = 40


class Transcript(ScrolledColumn):
    """A conversation. Ids are those of the messages."""

    regenerate_requested = Signal(int)
    retry_requested = Signal(int)
    go_on_requested = Signal(int)
    branch_requested = Signal(int)
    link_activated = Signal(str)
    summarise_requested = Signal()
    summary_cancelled = Signal()
    summary_dismissed = Signal()
    summary_edited = Signal(str)
    summary_removed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setProperty(OWN_RING, True)
        self.setAccessibleName(self.tr("Conversation"))
        self._by_id: dict[int, Row] = {}
        self._fresh: list[Row] = []
        self._mark: tuple[int | None, Mark | None] = (None, None)
        self._current: MessageView | None = None
        self._highlighter = Highlighter(self)
        self._highlighter.colored.connect(self._on_colored)
        self._flush_timer = self._single_shot(self._on_flush)
        self._apply_theme()
        themes.theme().changed.connect(self._on_theme_changed)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus_changed)

    # What the page tells

    def set_conversation(
        self, messages: Sequence[ChatMessage], branches: Mapping[int, tuple[int, ...]]
    ) -> None:
        """Show these messages. What is shown already and has not changed stays as it is."""
        shown = [m for m in messages if m.role is not Role.SYSTEM]
        old_rows = self._column.rows
        goes_on = bool(old_rows and shown and old_rows[0].message.id == shown[0].id)
        rows = [self._row_for(m, i, branches.get(m.id, ())) for i, m in enumerate(shown)]
        self._by_id = {row.message.id: row for row in rows}
        self._fresh = [row for row in self._fresh if self._by_id.get(row.message.id) is row]
        if not goes_on:
            self._highlighter.clear()
        self._follows = self._follows or not goes_on
        self._column.take_width()
        self._column.set_rows(rows)
        self._place_mark()
        self._mark_last_answer()
        self._settle()

    def _row_for(self, message: ChatMessage, index: int, branches: tuple[int, ...]) -> Row:
        row = self._by_id.get(message.id)
        if row is None or not row.goes_on_as(message):
            return Row(message, index, branches)
        row.index = index
        if row.branches != branches:
            row.branches = branches
            self._column.release(row)
        return row

    def clear(self) -> None:
        self.set_conversation((), {})

    def add_message(self, message: ChatMessage) -> None:
        """Append a message; one of the assistant with status PARTIAL is about to be streamed."""
        if message.id in self._by_id:
            self.finish_message(message)
            return
        row = Row(message, len(self._column.rows))
        if message.role is Role.ASSISTANT and message.status is Status.PARTIAL:
            row.begin_streaming()
        self._by_id[message.id] = row
        self._column.append(row)
        self._place_mark()
        self._mark_last_answer()
        self._follows = self._follows or message.role is Role.USER
        self._settle()

    def append_text(self, message_id: int, text: str) -> None:
        row = self._streaming_row(message_id)
        if row is not None and text:
            row.take_text(text)

    def append_reasoning(self, message_id: int, text: str) -> None:
        row = self._streaming_row(message_id)
        if row is not None and text:
            row.take_thoughts(text)

    def _streaming_row(self, message_id: int) -> Row | None:
        """The row that text comes for; it will be taken in soon."""
        row = self._by_id.get(message_id)
        if row is not None:
            if not row.is_streaming:
                row.begin_streaming()
                self._refresh(row)
            if row not in self._fresh:
                self._fresh.append(row)
            if not self._flush_timer.isActive():
                self._flush_timer.start(FLUSH_MS)
        return row

    def finish_message(self, message: ChatMessage) -> None:
        """The final state of a message, with its figures or its error."""
        row = self._by_id.get(message.id)
        if row is None:
            self.add_message(message)
            return
        was_streaming = row.is_streaming
        row.finish(message)
        if row in self._fresh:
            self._fresh.remove(row)
        if row.view is None:
            self._column.guess_height(row)
        self._refresh(row)
        self._settle()
        if was_streaming:
            announce(self, self._news(message))

    def begin_anew(self, message: ChatMessage) -> None:
        """An answer is written on from the text that `message` has; from its beginning if none."""
        row = self._by_id.get(message.id)
        if row is None:
            return
        row.message = message
        row.begin_streaming()
        if row.view is None:
            self._column.guess_height(row)
        self._refresh(row)
        self._settle()

    def _news(self, message: ChatMessage) -> str:
        if message.status is Status.DONE:
            return self.tr("Answer finished")
        return message.error.partition("\n")[0] or self.tr("Answer stopped")

    def set_mark(self, message_id: int | None, mark: Mark | None) -> None:
        """Show above that message where the model's memory begins; nowhere without an id."""
        old_id, old = self._mark
        self._mark = (message_id, mark)
        row = self._by_id.get(message_id) if message_id is not None else None
        if row is None or old is None or mark is None or old_id != message_id:
            self._place_mark()
        elif mark.shape != old.shape:
            self._mark_row(row, mark)
        elif mark != old:  # text streams into the room that is there
            row.mark = mark
            if row.view is not None:
                row.view.show_mark()
            return
        self._settle()

    def reveal_mark(self) -> None:
        """Scroll to where the model's memory begins."""
        row = self._by_id.get(self._mark[0]) if self._mark[0] is not None else None
        if row is not None:
            self._follows = False
            self.verticalScrollBar().setValue(self._column.top_of(row) - self._px(48))
            self._settle()

    def set_header_widget(self, widget: QWidget | None) -> None:
        """A widget above the first message that is scrolled along. The transcript owns it."""
        old = self._column.header
        if old is not None and old is not widget:
            old.removeEventFilter(self)
            discard(old)
        self._column.header = widget
        if widget is not None:
            widget.setParent(self.viewport())
            widget.installEventFilter(self)
            widget.show()
        self._settle()

    def focus_message(self, direction: int) -> None:
        """Give the focus to the message before (-1) or after (1) the one that has it."""
        rows = self._column.rows
        if not rows:
            return
        if self._current is not None:
            index = self._current.row.index + direction
        else:
            index = self._column.index_in_view(last=direction < 0)
        row = rows[min(max(index, 0), len(rows) - 1)]
        self._scroll_to(row)
        if row.view is not None:
            row.view.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # What the parts ask for (see Host)

    def open_link(self, href: str) -> None:
        if is_web_link(href):
            self.link_activated.emit(href)

    def relayout(self) -> None:
        for view in self._column.live_views:
            if view.row.mark is not None:
                view.touch()
        self._settle()

    def copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def regenerate(self, message_id: int) -> None:
        self.regenerate_requested.emit(message_id)

    def go_on(self, message_id: int) -> None:
        self.go_on_requested.emit(message_id)

    def retry(self, message_id: int) -> None:
        self.retry_requested.emit(message_id)

    def show_branch(self, message_id: int) -> None:
        self.branch_requested.emit(message_id)

    def summarise(self) -> None:
        self.summarise_requested.emit()

    def cancel_summary(self) -> None:
        self.summary_cancelled.emit()

    def dismiss_summary(self) -> None:
        self.summary_dismissed.emit()

    def save_summary(self, text: str) -> None:
        self.summary_edited.emit(text)

    def remove_summary(self) -> None:
        self.summary_removed.emit()

    def highlight(self, source: CodeSource) -> None:
        self._highlighter.want(source)

    # Rows

    def _make_view(self, row: Row) -> MessageView:
        kind = QuestionView if row.is_user else AnswerView
        return kind(self.viewport(), self, self._column.look, row)

    def _refresh(self, row: Row) -> None:
        if row.view is not None:
            row.view.refresh()

    def _mark_last_answer(self) -> None:
        """The last answer shows its actions without being asked."""
        rows = self._column.rows
        last = next((row for row in reversed(rows) if not row.is_user), None)
        for row in rows:
            if row.is_last_answer != (row is last):
                row.is_last_answer = row is last
                self._refresh(row)

    def _place_mark(self) -> None:
        message_id, mark = self._mark
        for row in self._column.rows:
            wanted = mark if row.message.id == message_id else None
            if row.mark != wanted:
                self._mark_row(row, wanted)

    def _mark_row(self, row: Row, mark: Mark | None) -> None:
        row.show_mark(mark)
        if row.view is None:
            self._column.guess_height(row)
        self._refresh(row)

    # Streaming and layout

    def _on_flush(self) -> None:
        """Take in what came since the last time."""
        fresh, self._fresh = self._fresh, []
        for row in fresh:
            row.flush()
            if row.view is None:
                self._column.guess_height(row)
            elif row.thoughts is not None:
                row.view.refresh()
            else:
                row.view.touch()
        self._settle()

    def _on_colored(self, source: CodeSource) -> None:
        for view in self._column.live_views:
            view.show_colors(source)

    def _apply_theme(self) -> None:
        self.setPalette(themes.palette())
        self.viewport().setPalette(themes.palette())

    def _on_theme_changed(self) -> None:
        self._apply_theme()
        self._rebuild()

    def _rebuild(self) -> None:
        """Colours or fonts have changed: every widget is made anew."""
        self._column.hold()
        self._column.release_all()
        for row in self._column.rows:
            row.unmeasure()
        self._column.look = look()
        self._column.take_width()
        self._column.guess_heights()
        self._renew_jump_button()
        self._settle()

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        """Only the message with the focus has tab stops; the transcript is one while none has."""
        current = message_of(new) if new is not None and self.isAncestorOf(new) else None
        if current is self._current:
            if current is not None:
                current.update()  # the ring
            return
        if self._current is not None:
            self._current.set_current(False)
        self._current = current
        if current is not None:
            current.set_current(True)
        policy = Qt.FocusPolicy
        self.setFocusPolicy(policy.ClickFocus if current else policy.StrongFocus)

    # Events

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._rebuild()
        elif event.type() == QEvent.Type.StyleChange:
            self._apply_theme()  # a new style sheet brings the palettes before it back

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._column.header and event.type() == QEvent.Type.LayoutRequest:
            self._settle()
        return super().eventFilter(watched, event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self.focus_message(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        walks = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if walks and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.focus_message(-1 if event.key() == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)
