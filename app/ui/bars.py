"""Bars of measured figures: what memory a model takes, how full its context is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QWidget

from app.ui.controls import label
from app.ui.theme import px, theme, tokens

_STEPS = 10_000  # a QProgressBar counts in int, too small for bytes


class SegmentBar(QProgressBar):
    """Segments one after the other on one scale, the value in words for screen readers."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._segments: tuple[tuple[float, str], ...] = ()
        self.setAccessibleName(name)
        self.setRange(0, _STEPS)
        self.setTextVisible(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def show_segments(self, segments: Sequence[tuple[float, str]], scale: float, text: str) -> None:
        """`segments` are (value, colour token) on a bar that is `scale` long; `text` says it."""
        shares = tuple((value / scale if scale > 0 else 0.0, token) for value, token in segments)
        self.setValue(min(_STEPS, round(_STEPS * sum(share for share, _ in shares))))
        if text != self.format():
            self.setFormat(text)
            self.setAccessibleDescription(text)
        if shares != self._segments:
            self._segments = shares
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(80), px(12))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(40), px(12))

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paint_segments(QPainter(self), QRectF(self.rect()))

    def paint_segments(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius, gap = tokens()["memoryBar"]["radius"], tokens()["memoryBar"]["segmentGap"]
        path = QPainterPath()
        path.addRoundedRect(area, radius, radius)
        painter.setClipPath(path)
        painter.fillRect(area, theme().color("track"))
        x = area.x()
        for share, token in self._segments:
            width = share * area.width()
            if width > 0:
                part = QRectF(x, area.y(), max(1.0, width - gap), area.height())
                painter.fillRect(part, self.color_of(token))
            x += width

    def color_of(self, token: str) -> QColor:
        return theme().color(token)


class Legend(QWidget):
    """Swatches with words, for a SegmentBar."""

    def __init__(self) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._labels = []
        theme().changed.connect(self._place)
        self._place()

    def add(self, token: str) -> int:
        """A swatch in `token` with an empty word; returns its number for `set_text`."""
        words = label("", "small", "secondary")
        self._row.addWidget(_Swatch(token), 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.addWidget(words)
        self._row.addSpacing(4)
        self._labels.append(words)
        return len(self._labels) - 1

    def _place(self) -> None:
        self._row.setSpacing(px(5))

    def finish(self) -> None:
        self._row.addStretch(1)

    def set_text(self, number: int, text: str) -> None:
        if self._labels[number].text() != text:
            self._labels[number].setText(text)


class _Swatch(QWidget):
    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self.setFixedSize(px(8), px(8))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color(self._token))
        painter.drawRoundedRect(QRectF(self.rect()), 2, 2)
