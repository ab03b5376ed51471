"""The card under an answer that broke off: what happened, what is safe, and one way on."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.ui import icons
from app.ui.transcript.buttons import PrimaryButton
from app.ui.transcript.look import Look

_ICON_X, _TEXT_X, _PAD, _RADIUS = 13, 43, 12, 8
_WRAP = Qt.TextFlag.TextWordWrap


class TroubleCard(QWidget):
    """A sentence in bold, a second one, and "Try again"."""

    retry_clicked = Signal()

    def __init__(self, parent: QWidget, look: Look, title: str, detail: str) -> None:
        super().__init__(parent)
        self._look = look
        self._title = title
        self._detail = detail
        self._title_rect = self._detail_rect = QRect()
        text = self.tr("Try again")
        self.button = PrimaryButton(self, look, "regenerate", text, text)
        self.button.clicked.connect(self.retry_clicked)
        self.setAccessibleName(title)
        self.setAccessibleDescription(detail)

    def fit(self, width: int) -> int:
        """Take on `width`. Returns the height: words beside the button, or above it."""
        look, button = self._look, self.button
        button.resize(button.sizeHint())
        left, pad = look.px(_TEXT_X), look.px(_PAD)
        is_wide = width >= look.px(360)
        words = width - left - pad - (button.width() + pad if is_wide else 0)
        y = self._place_words(left, look.px(9), words)
        height = max(y + look.px(9), look.px(46))
        if is_wide:
            button.move(width - pad - button.width(), (height - button.height()) // 2)
        else:
            button.move(left, y + look.px(8))
            height = button.y() + button.height() + pad
        self.resize(width, height)
        return height

    def _place_words(self, x: int, y: int, width: int) -> int:
        tall = QRect(0, 0, width, 10_000)
        title = QFontMetrics(self._look.small_bold).boundingRect(tall, _WRAP, self._title)
        self._title_rect = QRect(x, y, width, title.height())
        y += title.height()
        detail = QFontMetrics(self._look.small).boundingRect(tall, _WRAP, self._detail)
        height = detail.height() if self._detail else 0
        self._detail_rect = QRect(x, y + 1, width, height)
        return y + 1 + height

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = self._look
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(look.color("border"), 1))
        painter.setBrush(look.color("raised"))
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(rect, _RADIUS, _RADIUS)
        size = look.px(20)
        top = (self.height() - size) // 2
        painter.drawPixmap(look.px(_ICON_X), top, icons.pixmap("tight", "tight", size))
        painter.setFont(look.small_bold)
        painter.setPen(look.color("text"))
        painter.drawText(self._title_rect, _WRAP, self._title)
        painter.setFont(look.small)
        painter.setPen(look.color("textSecondary"))
        painter.drawText(self._detail_rect, _WRAP, self._detail)
