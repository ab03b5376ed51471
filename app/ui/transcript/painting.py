"""Paints what lies under the words of a document: see `Marks`."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTextBlock, QTextDocument

from app.ui import icons
from app.ui.transcript import look as looks
from app.ui.transcript.look import Look
from app.ui.transcript.marks import CIRCLE, DISC, DONE, TO_DO, Marks
from app.ui.transcript.tables import TableMark

CHIP_PAD = 3
_CHIP_RISE, _CHIP_HEIGHT = 14.5, 19
_BULLET_GAP, _NUMBER_GAP = 10, 6


def paint_marks(
    painter: QPainter, document: QTextDocument, marks: Marks, look: Look, width: int
) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    _paint_codes(painter, document, marks, look, width)
    _paint_chips(painter, document, marks, look)
    _paint_quotes(painter, document, marks, look)
    for position in marks.rules:
        rect = _block_rect(document, position)
        painter.drawRect(QRectF(rect.left(), rect.center().y(), width - rect.left(), 1))
    for start, mark in marks.items:
        _paint_item(painter, document.findBlock(start), mark, look)
    for table in marks.tables:
        _paint_table(painter, document, table, look)


def _paint_codes(
    painter: QPainter, document: QTextDocument, marks: Marks, look: Look, width: int
) -> None:
    painter.setBrush(look.color("codeBackground"))
    pad = look.px(looks.CODE_PAD)
    for start, _ in marks.codes:
        left, _ = _edges(document.findBlock(start))
        rect = _block_rect(document, start)
        box = QRectF(left - pad, rect.top() - look.px(3), width - left + pad, rect.height())
        painter.drawRoundedRect(box.adjusted(0, 0, 0, look.px(10)), 4, 4)


def _paint_chips(painter: QPainter, document: QTextDocument, marks: Marks, look: Look) -> None:
    painter.setBrush(look.color("track"))
    pad = look.px(CHIP_PAD)
    for start, end in marks.chips:
        for left, right, baseline in _line_spans(document, start, end):
            top = baseline - _CHIP_RISE * look.scale
            rect = QRectF(left - pad, top, right - left + pad, _CHIP_HEIGHT * look.scale)
            painter.drawRoundedRect(rect, 4, 4)


def _paint_quotes(painter: QPainter, document: QTextDocument, marks: Marks, look: Look) -> None:
    """A bar for each level, without a gap between paragraphs of one quote."""
    painter.setBrush(look.color("border"))
    bars: dict[int, tuple[int, QRectF]] = {}
    for start, end, levels in marks.quotes:
        top = _block_rect(document, start).top()
        bottom = _block_rect(document, end).bottom() + look.px(5)
        for level in range(levels):
            goes_on = level in bars and bars[level][0] == start - 1
            rect = QRectF(level * look.px(looks.QUOTE_STEP), top, 2, bottom - top)
            if goes_on:
                rect = rect.united(bars[level][1])
            elif level in bars:
                painter.drawRect(bars[level][1])
            bars[level] = (end, rect)
    for _, rect in bars.values():
        painter.drawRect(rect)


def _paint_item(painter: QPainter, block: QTextBlock, mark: str, look: Look) -> None:
    """The mark of a list item, beside its first line."""
    line = block.layout().lineAt(0)
    if not line.isValid():
        return
    left, right = _edges(block)
    is_rtl = block.textDirection() == Qt.LayoutDirection.RightToLeft
    gap = look.px(_NUMBER_GAP if mark[0].isdigit() else _BULLET_GAP)
    baseline = _origin(block).y() + line.y() + line.ascent()
    edge = right + gap if is_rtl else left - gap
    middle = baseline - 5 * look.scale
    if mark in (DISC, CIRCLE):
        _paint_bullet(painter, QPointF(edge + (3 if is_rtl else -3), middle), mark, look)
    elif mark in (TO_DO, DONE):
        _paint_box(painter, QPointF(edge + (7 if is_rtl else -7), middle), mark == DONE, look)
    else:
        painter.setPen(look.color("textSecondary"))
        painter.setFont(look.body_figures)
        where = QRectF(edge - (0 if is_rtl else 100), baseline - 40, 100, 40)
        where.adjust(0, 0, 0, painter.fontMetrics().descent())
        side = Qt.AlignmentFlag.AlignLeft if is_rtl else Qt.AlignmentFlag.AlignRight
        painter.drawText(where, Qt.AlignmentFlag.AlignBottom | side, mark)
        painter.setPen(Qt.PenStyle.NoPen)


def _paint_bullet(painter: QPainter, center: QPointF, mark: str, look: Look) -> None:
    color = look.color("textSecondary")
    painter.setBrush(color if mark == DISC else Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(color, 1.2) if mark == CIRCLE else QPen(Qt.PenStyle.NoPen))
    radius = (2.5 if mark == DISC else 2.4) * look.scale
    painter.drawEllipse(center, radius, radius)
    painter.setPen(Qt.PenStyle.NoPen)


def _paint_box(painter: QPainter, center: QPointF, is_done: bool, look: Look) -> None:
    side = 14 * look.scale
    box = QRectF(center.x() - side / 2, center.y() - side / 2, side, side)
    painter.setPen(QPen(look.color("accent" if is_done else "controlBorder"), 1.5))
    painter.setBrush(look.color("accent") if is_done else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 3, 3)
    painter.setPen(Qt.PenStyle.NoPen)
    if is_done:
        size = look.px(12)
        where = center - QPointF(size / 2, size / 2)
        painter.drawPixmap(where, icons.pixmap("check", "onAccent", size))


def _paint_table(painter: QPainter, document: QTextDocument, mark: TableMark, look: Look) -> None:
    """A rounded frame, a shaded head, and a hairline above each row."""
    frame = mark.rect(document).translated(-0.5, -0.5)
    tops = mark.row_tops(document)
    head_bottom = tops[1] - 0.5 if len(tops) > 1 else frame.bottom()
    painter.save()
    painter.setBrush(look.color("codeBackground"))
    head = QRectF(frame.left(), frame.top(), frame.width(), head_bottom - frame.top())
    painter.setClipRect(head, Qt.ClipOperation.IntersectClip)
    painter.drawRoundedRect(frame, 8, 8)
    painter.restore()
    painter.setPen(QPen(look.color("border"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(frame, 8, 8)
    for top in tops[1:]:
        painter.drawLine(QPointF(frame.left(), top - 0.5), QPointF(frame.right(), top - 0.5))
    painter.setPen(Qt.PenStyle.NoPen)


def _line_spans(
    document: QTextDocument, start: int, end: int
) -> Iterator[tuple[float, float, float]]:
    """Left, right and baseline of the characters from `start` to `end`, line by line."""
    block = document.findBlock(start)
    layout, origin = block.layout(), _origin(block)
    first, last = start - block.position(), end - block.position()
    for i in range(layout.lineCount()):
        line = layout.lineAt(i)
        begin, stop = line.textStart(), line.textStart() + line.textLength()
        if stop > first and begin < last:
            x1 = origin.x() + line.cursorToX(max(first, begin))[0]
            x2 = origin.x() + line.cursorToX(min(last, stop))[0]
            yield min(x1, x2), max(x1, x2), origin.y() + line.y() + line.ascent()


def _origin(block: QTextBlock) -> QPointF:
    return _block_rect(block.document(), block.position()).topLeft()


def _edges(block: QTextBlock) -> tuple[float, float]:
    """Where the block's first line may begin and end."""
    line, x = block.layout().lineAt(0), _origin(block).x()
    return x + line.x(), x + line.x() + line.width()


def _block_rect(document: QTextDocument, position: int) -> QRectF:
    return document.documentLayout().blockBoundingRect(document.findBlock(position))
