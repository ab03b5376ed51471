"""The fold over what the model thought: a line that says how long, and opens on demand."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.ui import icons
from app.ui.focus import OWN_RING
from app.ui.transcript.buttons import paint_ring
from app.ui.transcript.look import Look
from app.ui.words import decimal

_LABEL_X = 44


class ReasoningFold(QAbstractButton):
    """ "Thought for 6.2 s" with a chevron. Checked: open."""

    def __init__(self, parent: QWidget, look: Look) -> None:
        super().__init__(parent)
        self._look = look
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setProperty(OWN_RING, True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_state(self, thought_ms: float | None, is_open: bool) -> None:
        """`thought_ms`: none while the model still thinks, 0 where it was not measured."""
        self.setChecked(is_open)
        label = self._label(thought_ms)
        if label != self.text():
            self.setText(label)
            self.setAccessibleName(label)
            self.resize(self.sizeHint())
        self.update()

    def _label(self, thought_ms: float | None) -> str:
        if thought_ms is None:
            return self.tr("Thinking…")
        if not thought_ms:
            return self.tr("Thought")
        return self.tr("Thought for {seconds} s").format(seconds=decimal(thought_ms / 1000))

    def sizeHint(self) -> QSize:
        words = QFontMetrics(self._look.small).horizontalAdvance(self.text())
        return QSize(self._look.px(_LABEL_X + 8) + words, self._look.px(28))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = self._look
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        token = "text" if self.underMouse() else "textSecondary"
        size = look.px(16)
        top = (self.height() - size) // 2
        chevron = "chevron-down" if self.isChecked() else "chevron-right"
        painter.drawPixmap(look.px(-1), top, icons.pixmap(chevron, token, size))
        painter.drawPixmap(look.px(22), top, icons.pixmap("thought", token, size))
        painter.setFont(look.small)
        painter.setPen(look.color(token))
        where = self.rect().adjusted(look.px(_LABEL_X), 0, 0, 0)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, self.text())
        if self.hasFocus():
            paint_ring(painter, QRectF(self.rect()), look, 6)
