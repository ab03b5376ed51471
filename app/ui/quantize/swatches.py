"""What the colours of types mean, and a bar that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.controls import label
from app.ui.quantize.flow import Flow
from app.ui.quantize.painting import type_colors
from app.ui.theme import px, theme

ColorOf = Callable[[], QColor]


class Swatch(QWidget):
    """A little square in a colour and a word; an empty square without a colour."""

    def __init__(self, text: str, color_of: ColorOf | None) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(6))
        row.addWidget(_Square(color_of), 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(label(text, "small", "secondary"))


class _Square(QWidget):
    def __init__(self, color_of: ColorOf | None) -> None:
        super().__init__()
        self._color_of = color_of
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self.setFixedSize(px(9), px(9))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect())
        if self._color_of is None:
            painter.setPen(QPen(theme().color("controlBorder"), 1))
            area = area.adjusted(0.5, 0.5, -0.5, -0.5)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._color_of())
        painter.drawRoundedRect(area, 2, 2)


class TypeBar(SegmentBar):
    """How a file's bytes are shared among the types of its tensors."""

    def show_types(self, size_bytes: Mapping[str, int]) -> None:
        """Bytes by ggml type."""
        self._types = tuple(size_bytes)
        total = sum(size_bytes.values())
        parts = sorted(size_bytes.items(), key=lambda part: -part[1])
        text = ", ".join(f"{name} {share_of(n, total)}" for name, n in parts)
        self.show_segments([(n, name) for name, n in parts], total, text)

    def color_of(self, token: str) -> QColor:
        return type_colors(self._types)[token]


def share_of(part: int, total: int) -> str:
    """ "62 %", or "under 1 %"."""
    share = 100 * part / max(1, total)
    return f"{words.decimal(share, 0)} %" if share >= 1 else "< 1 %"


def type_legend(flow: Flow, size_bytes: Mapping[str, int]) -> None:
    """Fill `flow` with a swatch, a share and a size for each type, the largest first."""
    flow.clear()
    total, types = sum(size_bytes.values()), tuple(size_bytes)
    for name, n_bytes in sorted(size_bytes.items(), key=lambda part: -part[1]):
        text = f"{name}  {words.size(n_bytes)}, {share_of(n_bytes, total)}"
        flow.add(Swatch(text, lambda name=name: type_colors(types)[name]))
