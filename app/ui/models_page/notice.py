"""What stands where rows would: nothing found, trouble, no network; and a bar for what lasts."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.ui.controls import IconLabel, button, label, restyle, set_text
from app.ui.theme import px, theme, tokens
from app.ui.words import translate

_BAR_DELAY_MS = 300
_TICK_MS = 40


class Notice(QWidget):
    """An icon, a sentence, a hint, one way on; in a narrow column. Hidden until it has words."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = IconLabel("info", "textSecondary", 16)
        self._text = label("", strong=True, wrap=True)
        self._hint = label("", "small", "secondary", wrap=True)
        self.button = button(self.tr("Try again"), small=True)
        self._act: Callable[[], object] = lambda: None
        self.button.clicked.connect(lambda: self._act())
        texts = QVBoxLayout()
        texts.addWidget(self._text)
        texts.addWidget(self._hint)
        texts.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        self._texts = texts
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addLayout(texts, 1)
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    @property
    def text(self) -> str:
        return self._text.text()

    @property
    def hint(self) -> str:
        return self._hint.text()

    def show_words(
        self,
        text: str,
        hint: str = "",
        way_on: str = "",
        act: Callable[[], object] | None = None,
        *,
        icon: str = "info",
        token: str = "textSecondary",
        primary: bool = False,
    ) -> None:
        self._icon.show_icon(icon, token)
        set_text(self._text, text)
        set_text(self._hint, hint)
        self._hint.setVisible(bool(hint))
        self._act = act or (lambda: None)
        self.button.setText(way_on or self.tr("Try again"))
        self.button.setVisible(bool(way_on))
        self.button.setProperty("kind", "primary" if primary else "")
        restyle(self.button)
        self.setAccessibleName(f"{text} {hint}".strip())
        self.show()

    def show_error(self, error: AppError, way_on: str, act: Callable[[], object]) -> None:
        hint = translate(error.hint) if error.hint else ""
        self.show_words(
            translate(error.text), hint, way_on, act, icon="does-not-fit", token="doesNotFit"
        )

    def _place(self) -> None:
        self._row.setContentsMargins(px(16), px(12), px(16), px(12))
        self._row.setSpacing(px(10))
        self._texts.setSpacing(px(6))


class Waiting(QWidget):
    """Says at once what is waited for; a bar comes when it takes longer. Can be given up."""

    cancelled = Signal()

    def __init__(self, margin_px: int = 16) -> None:
        super().__init__()
        self._margin_px = margin_px
        self._words = label("", "small", "secondary", wrap=True)
        self.cancel_link = button(self.tr("Cancel"), "link")
        self.cancel_link.clicked.connect(self.cancelled)
        self.bar = _MovingBar()
        row = QHBoxLayout()
        row.addWidget(self._words, 1)
        row.addWidget(self.cancel_link)
        self._column = QVBoxLayout(self)
        self._column.addLayout(row)
        self._column.addWidget(self.bar)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_BAR_DELAY_MS)
        self._delay.timeout.connect(self.bar.begin)
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    def begin(self, text: str) -> None:
        set_text(self._words, text)
        self.setAccessibleName(text)
        if self.isHidden():
            self._delay.start()
        self.show()

    def finish(self) -> None:
        self._delay.stop()
        self.bar.end()
        self.hide()

    def _place(self) -> None:
        side = px(self._margin_px)
        self._column.setContentsMargins(side, px(6), side, px(6))
        self._column.setSpacing(px(6))


class _MovingBar(QWidget):
    """A bar of unknown length: it says only that something goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._step)
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    def begin(self) -> None:
        self._at = 0.0
        self.show()
        self._timer.start()

    def end(self) -> None:
        self._timer.stop()
        self.hide()

    def _place(self) -> None:
        self.setFixedHeight(px(4))

    def _step(self) -> None:
        self._at = (self._at + 0.02) % 1.0
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        radius = tokens()["radius"]["key"]
        painter.setBrush(theme().color("track"))
        painter.drawRoundedRect(QRectF(self.rect()), radius, radius)
        width = self.width() * 0.3
        left = self._at * (self.width() + width) - width
        painter.setClipRect(self.rect())
        painter.setBrush(theme().color("accent"))
        painter.drawRoundedRect(QRectF(left, 0, width, self.height()), radius, radius)
