"""Paints what lies under the words: chips behind code, bars beside quotes, rules, table frames."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTextDocument

from app.ui.transcript import look as looks
from app.ui.transcript.document import Marks
from app.ui.transcript.look import Look
from app.ui.transcript.tables import TableMark


def paint_marks(
    painter: QPainter, document: QTextDocument, marks: Marks, look: Look, width: int
) -> None:
    """What lies under the words: chips, bars beside quotes, rules, the frames of tables."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.color("track" if look.is_dark else "codeBackground"))
    for start, end in marks.chips:
        for rect in line_rects(document, start, end):
            painter.drawRoundedRect(rect.adjusted(-3, 0, 3, 0), 4, 4)
    painter.setBrush(look.color("codeBackground"))
    for start, _ in marks.codes:
        rect = _block_rect(document, start)
        painter.drawRoundedRect(rect.adjusted(-8, 0, 8, 6), 4, 4)
    painter.setBrush(look.color("border"))
    for start, end, level in marks.quotes:
        top, bottom = _block_rect(document, start).top(), _block_rect(document, end).bottom()
        for i in range(level):
            painter.drawRect(QRectF(i * look.px(looks.QUOTE_STEP), top, 2, bottom - top + 4))
    for position in marks.rules:
        rect = _block_rect(document, position)
        painter.drawRect(QRectF(rect.left(), rect.center().y(), width - rect.left(), 1))
    for table in marks.tables:
        _paint_table(painter, document, table, look)


def line_rects(document: QTextDocument, start: int, end: int) -> Iterator[QRectF]:
    """Where the characters from `start` to `end` are, one rectangle for each line."""
    block = document.findBlock(start)
    layout = block.layout()
    origin = document.documentLayout().blockBoundingRect(block).topLeft()
    first, last = start - block.position(), end - block.position()
    for i in range(layout.lineCount()):
        line = layout.lineAt(i)
        left, right = line.textStart(), line.textStart() + line.textLength()
        if right <= first or left >= last:
            continue
        x1 = line.cursorToX(max(first, left))[0]
        x2 = line.cursorToX(min(last, right))[0]
        baseline = origin.y() + line.y() + line.ascent()
        top, height = baseline - 1.02 * line.ascent(), line.ascent() + line.descent() + 2
        yield QRectF(
            QPointF(origin.x() + min(x1, x2), top), QPointF(origin.x() + max(x1, x2), top + height)
        )


def _block_rect(document: QTextDocument, position: int) -> QRectF:
    return document.documentLayout().blockBoundingRect(document.findBlock(position))


def _paint_table(painter: QPainter, document: QTextDocument, mark: TableMark, look: Look) -> None:
    """A rounded frame, a shaded head, and a hairline above each row."""
    frame = mark.rect(document).translated(-0.5, -0.5)
    tops = mark.row_tops(document)
    head_bottom = tops[1] - 0.5 if len(tops) > 1 else frame.bottom()
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.color("codeBackground"))
    painter.setClipRect(
        QRectF(frame.left(), frame.top(), frame.width(), head_bottom - frame.top()),
        Qt.ClipOperation.IntersectClip,
    )
    painter.drawRoundedRect(frame, 8, 8)
    painter.restore()
    painter.save()
    painter.setPen(QPen(look.color("border"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(frame, 8, 8)
    for top in tops[1:]:
        painter.drawLine(QPointF(frame.left(), top - 0.5), QPointF(frame.right(), top - 0.5))
    painter.restore()
