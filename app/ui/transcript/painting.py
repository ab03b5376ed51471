"""Paints what lies under the words of a document: see `Marks`."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTextBlock, QTextDocument

from app.ui import icons
from app.ui.transcript import look as looks
from app.ui.transcript.look import Look
from app.ui.transcript.marks import CIRCLE, DISC, DONE, TO_DO, Marks
from app.ui.transcript.tables import TableMark

CHIP_PAD = 3
_CHIP_RISE, _CHIP_HEIGHT = 14.5, 19
_BULLET_GAP, _NUMBER_GAP = 10, 6
_NO_PEN = Qt.PenStyle.NoPen


class MarkPainter:
    """Paints the marks of one document, as far as they lie in `clip`."""

    def __init__(
        self, painter: QPainter, document: QTextDocument, look: Look, width: int, clip: QRect
    ) -> None:
        self._painter = painter
        self._document = document
        self._layout = document.documentLayout()
        self._look = look
        self._width = width
        self._top, self._bottom = clip.top() - look.px(40), clip.bottom() + look.px(40)

    def paint(self, marks: Marks) -> None:
        self._painter.setPen(_NO_PEN)
        for start, _ in marks.codes:
            self._paint_code(self._block(start))
        self._painter.setBrush(self._look.color("track"))
        for start, end in marks.chips:
            self._paint_chip(start, end)
        self._painter.setBrush(self._look.color("border"))
        self._paint_quotes(marks.quotes)
        for position in marks.rules:
            self._paint_rule(self._rect(self._block(position)))
        for start, mark in marks.items:
            self._paint_item(self._block(start), mark)
        for table in marks.tables:
            self._paint_table(table)

    def _is_seen(self, rect: QRectF) -> bool:
        return rect.bottom() >= self._top and rect.top() <= self._bottom

    def _block(self, position: int) -> QTextBlock:
        return self._document.findBlock(position)

    def _rect(self, block: QTextBlock) -> QRectF:
        return self._layout.blockBoundingRect(block)

    def _edges(self, block: QTextBlock) -> tuple[float, float]:
        """Where the block's first line may begin and end."""
        line, x = block.layout().lineAt(0), self._rect(block).left()
        return x + line.x(), x + line.x() + line.width()

    def _paint_code(self, block: QTextBlock) -> None:
        rect, pad = self._rect(block), self._look.px(looks.CODE_PAD)
        left, _ = self._edges(block)
        self._painter.setBrush(self._look.color("codeBackground"))
        box = QRectF(left - pad, rect.top(), self._width - left + pad, rect.height())
        box.adjust(0, -self._look.px(3), 0, self._look.px(7))
        self._painter.drawRoundedRect(box, 4, 4)

    def _paint_chip(self, start: int, end: int) -> None:
        block = self._block(start)
        if not self._is_seen(self._rect(block)):
            return
        pad, height = self._look.px(CHIP_PAD), _CHIP_HEIGHT * self._look.scale
        for left, right, baseline in self._spans(block, start, end):
            top = baseline - _CHIP_RISE * self._look.scale
            rect = QRectF(left - pad, top, right - left + pad, height)
            self._painter.drawRoundedRect(rect, 4, 4)

    def _spans(
        self, block: QTextBlock, start: int, end: int
    ) -> Iterator[tuple[float, float, float]]:
        """Left, right and baseline of the characters from `start` to `end`, line by line."""
        layout, origin = block.layout(), self._rect(block).topLeft()
        first, last = start - block.position(), end - block.position()
        for i in range(layout.lineCount()):
            line = layout.lineAt(i)
            begin, stop = line.textStart(), line.textStart() + line.textLength()
            if stop > first and begin < last:
                x1 = origin.x() + line.cursorToX(max(first, begin))[0]
                x2 = origin.x() + line.cursorToX(min(last, stop))[0]
                yield min(x1, x2), max(x1, x2), origin.y() + line.y() + line.ascent()

    def _paint_quotes(self, quotes: list[tuple[int, int, int]]) -> None:
        """A bar for each level, without a gap between paragraphs of one quote."""
        bars: dict[int, tuple[int, QRectF]] = {}
        for start, end, levels in quotes:
            top = self._rect(self._block(start)).top()
            bottom = self._rect(self._block(end)).bottom() + self._look.px(5)
            for level in range(levels):
                bar = QRectF(level * self._look.px(looks.QUOTE_STEP), top, 2, bottom - top)
                if level in bars and bars[level][0] == start - 1:
                    bar = bar.united(bars[level][1])
                elif level in bars:
                    self._painter.drawRect(bars[level][1])
                bars[level] = (end, bar)
        for _, bar in bars.values():
            self._painter.drawRect(bar)

    def _paint_rule(self, rect: QRectF) -> None:
        left = rect.left()
        self._painter.drawRect(QRectF(left, rect.center().y(), self._width - left, 1))

    def _paint_item(self, block: QTextBlock, mark: str) -> None:
        """The mark of a list item, beside its first line."""
        rect, line = self._rect(block), block.layout().lineAt(0)
        if not line.isValid() or not self._is_seen(rect):
            return
        left, right = self._edges(block)
        side = 1 if block.textDirection() == Qt.LayoutDirection.RightToLeft else -1
        edge = right if side > 0 else left
        baseline = rect.top() + line.y() + line.ascent()
        if mark[0].isdigit():
            edge += side * self._look.px(_NUMBER_GAP)
            self._paint_number(edge, baseline, mark, side)
            return
        edge += side * self._look.px(_BULLET_GAP)
        middle = baseline - 5 * self._look.scale
        if mark in (DISC, CIRCLE):
            self._paint_bullet(QPointF(edge + side * 3, middle), mark == DISC)
        elif mark in (TO_DO, DONE):
            self._paint_box(QPointF(edge + side * 6, middle), mark == DONE)

    def _paint_number(self, edge: float, baseline: float, mark: str, side: int) -> None:
        painter = self._painter
        painter.setPen(self._look.color("textSecondary"))
        painter.setFont(self._look.body_figures)
        width = painter.fontMetrics().horizontalAdvance(mark)
        painter.drawText(QPointF(edge if side > 0 else edge - width, baseline), mark)
        painter.setPen(_NO_PEN)

    def _paint_bullet(self, center: QPointF, is_filled: bool) -> None:
        color, radius = self._look.color("textSecondary"), 2.5 * self._look.scale
        self._painter.setBrush(color if is_filled else Qt.BrushStyle.NoBrush)
        self._painter.setPen(QPen(_NO_PEN) if is_filled else QPen(color, 1.2))
        self._painter.drawEllipse(center, radius, radius)
        self._painter.setPen(_NO_PEN)

    def _paint_box(self, center: QPointF, is_done: bool) -> None:
        """The box of a task. It shows; it cannot be ticked."""
        look, side = self._look, 14 * self._look.scale
        box = QRectF(center.x() - side / 2, center.y() - side / 2, side, side)
        self._painter.setPen(QPen(look.color("accent" if is_done else "controlBorder"), 1.5))
        self._painter.setBrush(look.color("accent") if is_done else Qt.BrushStyle.NoBrush)
        self._painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 3, 3)
        self._painter.setPen(_NO_PEN)
        if is_done:
            size = look.px(12)
            where = center - QPointF(size / 2, size / 2)
            self._painter.drawPixmap(where, icons.pixmap("check", "onAccent", size))

    def _paint_table(self, mark: TableMark) -> None:
        """A rounded frame, a shaded head, and a hairline above each row."""
        painter = self._painter
        frame = mark.rect(self._document).translated(-0.5, -0.5)
        if not self._is_seen(frame):
            return
        tops = mark.row_tops(self._document)
        head = QRectF(frame)
        if len(tops) > 1:
            head.setBottom(tops[1] - 0.5)
        painter.save()
        painter.setBrush(self._look.color("codeBackground"))
        painter.setClipRect(head, Qt.ClipOperation.IntersectClip)
        painter.drawRoundedRect(frame, 8, 8)
        painter.restore()
        painter.setPen(QPen(self._look.color("border"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(frame, 8, 8)
        for top in tops[1:]:
            painter.drawLine(QPointF(frame.left(), top - 0.5), QPointF(frame.right(), top - 0.5))
        painter.setPen(_NO_PEN)
