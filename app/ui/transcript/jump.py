"""The round button that leads back to the end of the conversation."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.ui import icons
from app.ui.transcript.buttons import FlatButton, paint_ring
from app.ui.transcript.look import Look


class JumpButton(FlatButton):
    """Floats over the lower right of the transcript."""

    def __init__(self, parent: QWidget, look: Look) -> None:
        super().__init__(parent, look, "chevron-down", "")
        name = self.tr("Jump to the end")
        self.setAccessibleName(name)
        self.setToolTip(name)

    def sizeHint(self) -> QSize:
        side = self._look.px(32)
        return QSize(side, side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = self._look
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(look.color("controlBorder"), 1))
        painter.setBrush(look.color("hover" if self.underMouse() else "raised"))
        painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        size = look.px(16)
        pixmap = icons.pixmap(self._icon, "text", size)
        painter.drawPixmap((self.width() - size) // 2, (self.height() - size) // 2 + 1, pixmap)
        if self.hasFocus():
            paint_ring(painter, QRectF(self.rect()), look, self.width() / 2)
