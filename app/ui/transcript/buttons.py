"""The small buttons of the transcript, painted from tokens: no style sheet has to know them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.ui import icons
from app.ui.focus import OWN_RING
from app.ui.transcript.look import Look

COPIED_MS = 2_000
_ICON = 16


class FlatButton(QAbstractButton):
    """An icon, a text, or both, without a frame. Shows where the mouse and the focus are."""

    def __init__(self, parent: QWidget, look: Look, icon: str, name: str, text: str = "") -> None:
        super().__init__(parent)
        self._look = look
        self._icon = icon
        self._shown_icon = icon
        self.setText(text)
        self.setAccessibleName(name)
        self.setToolTip("" if text else name)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setProperty(OWN_RING, True)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._reset = QTimer(self)
        self._reset.setSingleShot(True)
        self._reset.timeout.connect(self._on_reset)
        self._usual = (name, text)

    def sizeHint(self) -> QSize:
        side = self._look.px(28)
        if not self.text():
            return QSize(side, side)
        words = QFontMetrics(self._look.small).horizontalAdvance(self.text())
        return QSize(self._look.px(_ICON) + words + self._look.px(22), side)

    def say_for_a_while(self, icon: str, text: str) -> None:
        """Show that it worked, then go back."""
        self._shown_icon = icon
        self.setAccessibleName(text)
        if self._usual[1]:
            self.setText(text)
        self._reset.start(COPIED_MS)
        self.updateGeometry()
        self.update()

    def _on_reset(self) -> None:
        self._shown_icon = self._icon
        self.setAccessibleName(self._usual[0])
        self.setText(self._usual[1])
        self.updateGeometry()
        self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Enter, QEvent.Type.Leave):
            self.update()
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isEnabled() and (self.underMouse() or self.isDown()):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._look.color("hover"))
            painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        token = self._token()
        size = self._look.px(_ICON)
        x = (self.width() - size) // 2 if not self.text() else self._look.px(8)
        if not self.isEnabled():
            painter.setOpacity(0.4)
        pixmap = icons.pixmap(self._shown_icon, token, size)
        painter.drawPixmap(x, (self.height() - size) // 2, pixmap)
        if self.text():
            painter.setFont(self._look.small)
            painter.setPen(self._look.color(token))
            where = self.rect().adjusted(x + size + self._look.px(6), 0, 0, 0)
            painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.setOpacity(1)
        if self.hasFocus():
            paint_ring(painter, QRectF(self.rect()), self._look, 6)

    def _token(self) -> str:
        return "text" if self.underMouse() and self.isEnabled() else "textSecondary"


def paint_ring(painter: QPainter, rect: QRectF, look: Look, radius: float) -> None:
    """The focus ring, along the inside of `rect`."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(look.color("accentText"), 2))
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), radius, radius)
