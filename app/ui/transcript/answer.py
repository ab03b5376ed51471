"""An answer of the model: header, thoughts, body, trouble, footer."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QWidget

from app.core.chat import Status
from app.ui import icons
from app.ui.transcript import look as looks
from app.ui.transcript.body import Segment
from app.ui.transcript.footer import _OVERHANG, Footer
from app.ui.transcript.host import Host, Window
from app.ui.transcript.look import Look
from app.ui.transcript.message import SIDE, MessageView, SegmentView, discard
from app.ui.transcript.prose import ProseView
from app.ui.transcript.reasoning import ReasoningFold
from app.ui.transcript.row import Row
from app.ui.trouble import TroubleCard

ABOVE, HEADER, FOOTER = 20, 20, 28
_THOUGHT_X, _THOUGHT_BAR_X = 22, 7


class AnswerView(MessageView):
    """The assistant's side of the conversation, as wide as the column."""

    def __init__(self, parent: QWidget, host: Host, look: Look, row: Row) -> None:
        super().__init__(parent, host, look, row)
        self._fold: ReasoningFold | None = None
        self._trouble: TroubleCard | None = None
        self._footer = Footer(self, host, look, row)
        self._header_y = self._wait_y = 0
        self._thoughts_span = (0, 0)
        self._caret_owner: SegmentView | None = None
        self.refresh()

    def refresh(self) -> None:
        super().refresh()
        self._show_fold()
        self._show_trouble()

    def _arrange(self, window: Window, width: int, y: int) -> int:
        look, row = self._look, self.row
        span_before, self._thoughts_span = self._thoughts_span, (0, 0)
        self._header_y = y + look.px(ABOVE)
        y = self._header_y + look.px(HEADER)
        if row.thoughts is not None:
            y = self._arrange_thoughts(window, y, width)
        if self._thoughts_span != span_before:
            bottom = max(self._thoughts_span[1], span_before[1])
            self.update(SIDE, 0, look.px(_THOUGHT_X), bottom)
        y += look.px(8)
        self._wait_y = y
        segments = row.body.segments if row.body else []
        y = self._stack(segments, window, SIDE, y, width)
        if row.is_streaming and not segments:
            y += look.px(22)
        self._move_caret()
        if self._trouble is not None:
            y += look.px(8)
            height = self._trouble.heightForWidth(width)
            self._boxes[self._trouble] = QRect(SIDE, y, width, height)
            y += height
        y += look.px(4)
        height = look.px(FOOTER)
        self._boxes[self._footer] = QRect(SIDE - _OVERHANG, y, width + 2 * _OVERHANG, height)
        return y + height

    def _arrange_thoughts(self, window: Window, y: int, width: int) -> int:
        look, thoughts = self._look, self.row.thoughts
        if self._fold is None:
            self._show_fold()
        if self._fold is None or thoughts is None:
            return y
        y += look.px(6)
        self._boxes[self._fold] = QRect(SIDE, y, self._fold.width(), self._fold.height())
        y += self._fold.height()
        if self.row.shows_thoughts:
            top = y + look.px(4)
            x = SIDE + look.px(_THOUGHT_X)
            y = self._stack(thoughts.segments, window, x, top, width - look.px(_THOUGHT_X))
            self._thoughts_span = (top, y)
            y += look.px(4)
        return y

    def _make_prose(self, segment: Segment) -> ProseView:
        thoughts = self.row.thoughts
        if thoughts is not None and segment in thoughts.segments:
            return ProseView(self, self._host, self._look, "textSecondary", looks.SMALL)
        return ProseView(self, self._host, self._look)

    def _show_fold(self) -> None:
        row = self.row
        if row.thoughts is None:
            if self._fold is not None:
                discard(self._fold)
                self._fold = None
            return
        if self._fold is None:
            self._fold = ReasoningFold(self, self._look)
            self._fold.clicked.connect(self._on_fold_clicked)
            self._fold.show()
        stats = row.message.stats
        thought_ms = row.stream.thought_ms if row.stream else row.thought_ms
        thought_ms = stats.thought_ms if stats else thought_ms
        self._fold.show_state(None if row.is_thinking else thought_ms, row.shows_thoughts)

    def _on_fold_clicked(self, is_open: bool) -> None:
        self.row.thoughts_open = is_open
        self.refresh()
        self._host.relayout()

    def _show_trouble(self) -> None:
        if not self.row.is_unfinished:
            if self._trouble is not None:
                discard(self._trouble)
                self._trouble = None
            return
        if self._trouble is None:
            title, _, detail = self.row.message.error.partition("\n")
            if not title:
                title = self.tr("This answer is unfinished.")
                detail = self.tr("It was cut off while it was written. What is there is kept.")
            self._trouble = TroubleCard("tight", self)
            self._trouble.add_button(self.tr("Try again"), self._retry, "primary")
            self._trouble.show_words(title, detail)

    def _retry(self) -> None:
        self._host.retry(self.row.message.id)

    def _show_actions(self) -> None:
        self._footer.set_active(self._is_active or self.row.is_last_answer)
        self._footer.update()

    def _move_caret(self) -> None:
        """The caret stands where the next word will be: in the last segment that grows."""
        row = self.row
        owner: SegmentView | None = None
        if row.is_streaming:
            body = row.thoughts if row.is_thinking and row.shows_thoughts else row.body
            owner = self._views.get(body.segments[-1]) if body and body.segments else None
        if owner is self._caret_owner:
            return
        if self._caret_owner is not None and self._caret_owner in self._views.values():
            self._caret_owner.set_caret(False)
        self._caret_owner = owner
        if owner is not None:
            owner.set_caret(True)

    def _name(self) -> str:
        model = self.row.message.model_name
        if not model:
            return self.tr("The model answered")
        return self.tr("{model} answered").format(model=model)

    def _ring_rect(self) -> QRectF:
        return QRectF(0, self._header_y - 6, self.width(), self.height() - self._header_y + 6)

    def _paint(self, painter: QPainter) -> None:
        look = self._look
        self._paint_header(painter)
        top, bottom = self._thoughts_span
        if bottom > top:
            x = SIDE + look.px(_THOUGHT_BAR_X)
            painter.fillRect(QRectF(x, top, 2, bottom - top), look.color("border"))
        if self._waits():
            where = QRectF(SIDE, self._wait_y + look.px(3), look.px(8), look.px(17))
            painter.fillRect(where, look.color("accentText"))

    def _waits(self) -> bool:
        """Whether the answer is about to come, and no text carries the caret yet."""
        row = self.row
        has_text = row.body is not None and bool(row.body.segments)
        return row.is_streaming and not has_text and not (row.is_thinking and row.shows_thoughts)

    def _paint_header(self, painter: QPainter) -> None:
        """Name of the model, variant, badge."""
        look, message = self._look, self.row.message
        x: float = SIDE
        for font, token, text in (
            (look.small_bold, "text", message.model_name),
            (look.small, "textSecondary", message.variant),
        ):
            if text:
                painter.setFont(font)
                painter.setPen(look.color(token))
                where = QRectF(x, self._header_y, self.width() - x, look.px(HEADER))
                painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, text)
                x += QFontMetrics(font).horizontalAdvance(text) + look.px(8)
        if self.row.is_unfinished:
            self._paint_badge(painter, x, "tight", self.tr("Unfinished"))
        elif message.status is Status.STOPPED:
            self._paint_badge(painter, x, "", self.tr("Stopped"))

    def _paint_badge(self, painter: QPainter, x: float, state: str, text: str) -> None:
        look = self._look
        words = QFontMetrics(look.small).horizontalAdvance(text)
        icon = look.px(14) if state else 0
        left = x + look.px(8) + (icon + look.px(4) if icon else 0)
        height = look.px(HEADER)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color(f"{state}Background" if state else "track"))
        rect = QRectF(x, self._header_y, left - x + words + look.px(8), height)
        painter.drawRoundedRect(rect, height / 2, height / 2)
        if state:
            corner = QPointF(x + look.px(8), self._header_y + (height - icon) / 2)
            painter.drawPixmap(corner, icons.pixmap(state, state, icon))
        painter.setPen(QPen(look.color(state or "textSecondary")))
        painter.setFont(look.small)
        where = QRectF(left, self._header_y, words + 2, height)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, text)
