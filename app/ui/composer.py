"""Where messages are written: a field that grows with its text, and Send, which becomes Stop."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.ui import icons
from app.ui.controls import IconLabel, LayoutButton, label, set_text, tag
from app.ui.focus import OWN_RING
from app.ui.theme import font, px, theme
from app.ui.words import short_model_name

_MAX_LINES = 8
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Composer(QFrame):
    """Emits what is to be sent. While an answer is written the text waits."""

    submitted = Signal(str)
    stop_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._is_busy = False
        self._is_read_only = False
        self._waits = False  # Enter was pressed while an answer was being written
        self._model_name = ""
        self.editor = MessageEditor()
        self._hint = label("", "small", "secondary")
        self._room = label("", "small", "tight", wrap=True)
        self._room.hide()
        self.send_button = SendButton(self.tr("Send"))
        self.stop_button = self._make_stop_button()
        self._build()
        theme().changed.connect(self._restyle)
        self._restyle()
        self._show_state()

    def _make_stop_button(self) -> LayoutButton:
        result = LayoutButton()
        result.add(IconLabel("stop", "text", 16))
        result.add(label(self.tr("Stop"), strong=True))
        result.add(tag(self.tr("Esc"), "key"))
        result.setAccessibleName(self.tr("Stop"))
        result.setToolTip(self.tr("Stop the answer; what is written stays"))
        result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return result

    def _build(self) -> None:
        self._bottom = QHBoxLayout()
        self._tools = QHBoxLayout()
        self._bottom.addLayout(self._tools)
        self._bottom.addStretch(1)
        self._bottom.addWidget(self._hint)
        self._bottom.addWidget(self.send_button)
        self._bottom.addWidget(self.stop_button)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.editor)
        self._column.addWidget(self._room)
        self._column.addLayout(self._bottom)
        self.editor.entered.connect(self._submit)
        self.editor.focus_changed.connect(self.update)
        self.editor.textChanged.connect(self._on_text_changed)
        self.send_button.clicked.connect(self._submit)
        self.stop_button.clicked.connect(self.stop_requested)

    def _restyle(self) -> None:
        self._column.setContentsMargins(px(10), px(10), px(8), px(8))
        self._column.setSpacing(px(4))
        self._bottom.setSpacing(px(12))
        self.update()

    @property
    def text(self) -> str:
        return self.editor.toPlainText()

    @property
    def hint(self) -> str:
        return self._hint.text()

    @property
    def room(self) -> str:
        """What is said about the room that is left in the context; mostly nothing."""
        return self._room.text()

    def add_tool(self, tool: QWidget) -> None:
        """A button at the left below the text."""
        self._tools.addWidget(tool)

    def show_room(self, text: str) -> None:
        set_text(self._room, text)
        self._room.setVisible(bool(text))

    def show_model(self, name: str) -> None:
        self._model_name = name
        self._show_state()

    def set_busy(self, busy: bool) -> None:
        """Whether an answer is being written."""
        if busy != self._is_busy:
            self._is_busy, self._waits = busy, False
            self._show_state()

    def set_read_only(self) -> None:
        self._is_read_only = True
        self.editor.setReadOnly(True)
        self.send_button.setDisabled(True)
        self._show_state()

    def put_back(self, text: str) -> None:
        """Return a text that could not be sent, before whatever has been typed since."""
        typed = self.text
        self.editor.setPlainText(f"{text}\n{typed}" if typed.strip() else text)
        self.editor.moveCursor(self.editor.textCursor().MoveOperation.End)

    def focus(self) -> None:
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _submit(self) -> None:
        if self._is_busy:
            self._waits = bool(self.text.strip())
            self._show_state()
            return
        text = self.text
        if text.strip() and not self._is_read_only:
            self.editor.clear()
            self.submitted.emit(text)

    def _on_text_changed(self) -> None:
        self._waits = False
        self._show_state()

    def _show_state(self) -> None:
        placeholder = self._placeholder()
        if placeholder != self.editor.placeholderText():
            self.editor.setPlaceholderText(placeholder)
            self.editor.viewport().update()  # Qt repaints for a placeholder that comes or goes only
        self.send_button.setVisible(not self._is_busy)
        self.stop_button.setVisible(self._is_busy)
        set_text(self._hint, self._hint_text())

    def _hint_text(self) -> str:
        if self._waits:
            return self.tr("Waits until this answer is done")
        return "" if self._is_busy or self._is_read_only else self.tr("Enter sends")

    def _placeholder(self) -> str:
        if self._is_read_only:
            return self.tr(
                "These conversations come from a newer Nibble. "
                "You can read them here, but not change them."
            )
        if self._is_busy:
            return self.tr("Write the next message. It waits until this answer is done.")
        if self._model_name:
            name = short_model_name(self._model_name)
            return self.tr("Write a message to {name}").format(name=name)
        return self.tr("Write a message")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = self.editor.hasFocus() and not self._is_read_only
        painter.setPen(QPen(theme().color("accent" if focused else "controlBorder"), 1.5))
        painter.setBrush(theme().color("raised"))
        area = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        painter.drawRoundedRect(area, px(10), px(10))


class MessageEditor(QPlainTextEdit):
    """Grows from one line to eight. Enter is passed on, Shift+Enter begins a line."""

    entered = Signal()
    focus_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "bare")
        self.setProperty(OWN_RING, True)
        self.setTabChangesFocus(True)
        self.setAccessibleName(self.tr("Message"))
        self.setAccessibleDescription(self.tr("Enter sends, Shift+Enter begins a new line"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(self._grow)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.setFont(font())
        self._grow()

    def _grow(self) -> None:
        lines = max(1, min(_MAX_LINES, int(self.document().size().height())))
        margin = 2 * int(self.document().documentMargin())
        height = lines * self.fontMetrics().lineSpacing() + margin + 2
        if height != self.height():
            self.setFixedHeight(height)
        scrolls = self.document().size().height() > _MAX_LINES
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if scrolls else policy.ScrollBarAlwaysOff
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.key() in _ENTER and not shift:
            self.entered.emit()
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.focus_changed.emit()
        return super().event(event)


class SendButton(QToolButton):
    """The accent square with the arrow."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(name)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.setFixedSize(px(32), px(32))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(32), px(32))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = theme().color("accent" if self.isEnabled() else "track")
        painter.setBrush(ground.darker(112) if self.underMouse() and self.isEnabled() else ground)
        painter.drawRoundedRect(self.rect(), px(6), px(6))
        side = px(20)
        offset = (self.width() - side) // 2
        token = "onAccent" if self.isEnabled() else "textTertiary"
        painter.drawPixmap(offset, offset, icons.pixmap("send", token, side))
