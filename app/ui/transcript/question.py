"""A message of the user: a box at the right, its text shown exactly as it was written."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from app.ui.transcript.body import Segment
from app.ui.transcript.footer import Actions
from app.ui.transcript.host import Host, Window
from app.ui.transcript.look import Look
from app.ui.transcript.message import SIDE, MessageView, SegmentView
from app.ui.transcript.prose import ProseView
from app.ui.transcript.row import USER_MAX, Row

ABOVE = 16
_PAD_X, _PAD_Y, _RADIUS = 13, 9, 8


class QuestionView(MessageView):
    """The user's side of the conversation, as wide as its words."""

    def __init__(self, parent: QWidget, host: Host, look: Look, row: Row) -> None:
        super().__init__(parent, host, look, row)
        self._box = QRect()
        self._words_right = 0
        self._actions = Actions(self, host, look, row)
        self.refresh()

    def _arrange(self, window: Window, width: int, y: int) -> int:
        look = self._look
        pad_x, pad_y = look.px(_PAD_X), look.px(_PAD_Y)
        top = y + look.px(ABOVE)
        beside = look.px(122 if len(self.row.branches) > 1 else 36)
        widest = min(look.px(USER_MAX), width - beside) - 2 * pad_x
        segments = self.row.body.segments if self.row.body else []
        self._words_right = SIDE + width - pad_x
        bottom = self._stack(segments, window, self._words_right - widest, top + pad_y, widest)
        only = self._views.get(segments[0]) if len(segments) == 1 else None
        words = only.width() if only is not None else widest
        left = self._words_right - words - pad_x
        box = QRect(left, top, words + 2 * pad_x, bottom + pad_y - top)
        if box != self._box:
            self._box = box
            self.update()
        self._place_actions()
        return self._box.bottom() + 1

    def _put_segment(self, view: SegmentView, _x: int, y: int, height: int) -> None:
        super()._put_segment(view, self._words_right - view.width(), y, height)

    def _measure(self, view: SegmentView, segment: Segment, width: int) -> None:
        """A short message gets a small box."""
        super()._measure(view, segment, width)
        if isinstance(view, ProseView) and self.row.body and len(self.row.body.segments) == 1:
            view.fit(min(width, view.natural_width() + 1))

    def _place_actions(self) -> None:
        actions, look = self._actions, self._look
        x = self._box.left() - actions.width() - look.px(4)
        actions.move(x, self._box.bottom() - actions.height() - look.px(4))

    def _show_actions(self) -> None:
        self._actions.set_active(self._is_active)
        if self._box.isValid():
            self._place_actions()

    def _name(self) -> str:
        return self.tr("You said")

    def _ring_rect(self) -> QRectF:
        return QRectF(self._box).adjusted(-4, -4, 4, 4)

    def _paint(self, painter: QPainter) -> None:
        painter.setPen(QPen(self._look.color("border"), 1))
        painter.setBrush(self._look.color("sidebar"))
        painter.drawRoundedRect(QRectF(self._box).adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS, _RADIUS)
