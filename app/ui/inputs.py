"""Spin boxes and combo boxes with the drawn chevrons, deaf to the wheel until they have focus."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QSpinBox, QWidget

from app.ui.theme import px, theme


def _draw_chevron(painter: QPainter, x: float, y: float, half: float, direction: int) -> None:
    """A chevron around (x, y); `direction` 1 points down, -1 up."""
    tip, base = direction * half / 2, -direction * half / 2
    points = [QPointF(x - half, y + base), QPointF(x, y + tip), QPointF(x + half, y + base)]
    painter.drawPolyline(QPolygonF(points))


def _chevron_painter(widget: QWidget) -> QPainter:
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = painter.pen()
    pen.setColor(theme().color("textSecondary" if widget.isEnabled() else "textTertiary"))
    pen.setWidthF(max(1.25, px(125) / 100))
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    return painter


class _Spin:
    """What both spin boxes have in common."""

    def _set_up(self: Any, *, small: bool) -> None:
        self.setProperty("compact", small)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setGroupSeparatorShown(True)
        self.lineEdit().setTextMargins(px(6), 0, 0, 0)

    def _draw_chevrons(self: Any) -> None:
        painter = _chevron_painter(self)
        x, middle = self.width() - px(10), self.height() / 2
        _draw_chevron(painter, x, middle - px(4), px(3), -1)
        _draw_chevron(painter, x, middle + px(4), px(3), 1)

    def paintEvent(self: Any, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self._draw_chevrons()

    def wheelEvent(self: Any, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class SpinBox(_Spin, QSpinBox):
    def __init__(self, *, small: bool = False) -> None:
        super().__init__()
        self._set_up(small=small)


class DoubleSpinBox(_Spin, QDoubleSpinBox):
    def __init__(self, *, small: bool = False) -> None:
        super().__init__()
        self._set_up(small=small)


class ComboBox(QComboBox):
    def __init__(self, *, small: bool = False) -> None:
        super().__init__()
        self.setProperty("compact", small)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = _chevron_painter(self)
        _draw_chevron(painter, self.width() - px(15), self.height() / 2, px(4), 1)

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()
