"""Markdown tables as QTextTables, with columns as wide as their words while there is room.

The frame and the hairlines are painted by the view: it asks `TableMark` where the rows are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import (
    QFontMetricsF,
    QTextCursor,
    QTextDocument,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
    QTextTableCellFormat,
    QTextTableFormat,
)

from app.ui.transcript import look as looks

if TYPE_CHECKING:
    from markdown_it.token import Token

    from app.ui.transcript.document import Writer

COLUMNS_MAX = 32
_NATURAL_WIDTH = 400
_PAD = 12
_ALIGN = {
    "text-align:right": Qt.AlignmentFlag.AlignRight.value,
    "text-align:center": Qt.AlignmentFlag.AlignHCenter.value,
}


@dataclass(slots=True)
class Cell:
    children: list[Token]
    align: int = 0

    @property
    def text(self) -> str:
        return "".join(token.content for token in self.children)


@dataclass(slots=True)
class TableMark:
    """Where a table is, and how wide its columns want to be."""

    table: QTextTable
    position: int
    natural: list[float] = field(default_factory=list)
    pads: tuple[int, int] = (0, 0)
    width: int = 0

    def fit(self, width: int) -> None:
        """Follow the view's width."""
        if width != self.width:
            self.width = width
            made = self.table.format().toTableFormat()
            share_width(made, self.natural, width)
            self.table.setFormat(made)

    def row_tops(self, document: QTextDocument) -> list[float]:
        """Where each row begins, from the top of the document."""
        layout = document.documentLayout()
        tops = []
        for row in range(self.table.rows()):
            block = self.table.cellAt(row, 0).firstCursorPosition().block()
            tops.append(layout.blockBoundingRect(block).top() - self.pads[0 if row == 0 else 1])
        return tops

    def rect(self, document: QTextDocument) -> QRectF:
        """The table without its margins. Of Qt's own rectangle only the size can be relied on."""
        size = document.documentLayout().frameBoundingRect(self.table).size()
        made = self.table.format().toTableFormat()
        left, top = made.leftMargin(), self.row_tops(document)[0]
        height = size.height() - made.topMargin() - made.bottomMargin()
        return QRectF(left, top, size.width() - left, height)


def share_width(made: QTextTableFormat, natural: list[float], width: int) -> None:
    """Share `width` among the columns: by their words if they fit, else as Qt sees fit."""
    room = width - made.leftMargin() - 2
    total = sum(natural)
    if total > room:
        lengths = [QTextLength(QTextLength.Type.VariableLength, 0)] * len(natural)
        made.setWidth(QTextLength(QTextLength.Type.FixedLength, max(room, 1)))
    else:
        factor = max(1.0, min(_NATURAL_WIDTH, room) / total)
        lengths = [QTextLength(QTextLength.Type.FixedLength, round(w * factor)) for w in natural]
        made.setWidth(QTextLength())
    made.setColumnWidthConstraints(lengths)


def table_rows(tokens: list[Token], start: int) -> tuple[list[list[Cell]], int]:
    """The cells of the table whose first token is `start`, and where its last token is."""
    rows: list[list[Cell]] = []
    i = start
    while tokens[i].type != "table_close":
        token = tokens[i]
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            align = _ALIGN.get(str(token.attrGet("style") or ""), 0)
            rows[-1].append(Cell(tokens[i + 1].children or [], align))
        i += 1
    return rows, i


def write_table(
    writer: Writer, rows: list[list[Cell]], gap: int, left: int, is_rest: bool
) -> TableMark:
    """Put a table at the writer's cursor and leave the cursor in the paragraph after it."""
    look, cursor = writer.look, writer.cursor
    columns = len(rows[0])
    made = QTextTableFormat()
    made.setBorder(0)
    made.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_None)
    made.setCellSpacing(0)
    made.setCellPadding(0)
    made.setTopMargin(look.px(gap) + (0 if is_rest else 1))
    made.setLeftMargin(look.px(left) + 1)
    made.setBottomMargin(1)
    natural = _natural_widths(look, rows)
    share_width(made, natural, writer.width)
    position = cursor.position()
    table = cursor.insertTable(len(rows), columns, made)
    pads = (look.px(6), look.px(2))
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells[:columns]):
            _write_cell(writer, table, row, column, cell, pads)
    cursor.movePosition(QTextCursor.MoveOperation.End)
    return TableMark(table, position, natural, pads, writer.width)


def _write_cell(
    writer: Writer, table: QTextTable, row: int, column: int, cell: Cell, pads: tuple[int, int]
) -> None:
    look = writer.look
    made = QTextTableCellFormat()
    made.setLeftPadding(look.px(_PAD))
    made.setRightPadding(look.px(_PAD))
    made.setTopPadding(pads[0] if row == 0 else pads[1])
    made.setBottomPadding(look.px(6 if row == 0 else 4))
    target = table.cellAt(row, column)
    target.setFormat(made)
    writer.cursor.setPosition(target.firstPosition())
    writer.cursor.setBlockFormat(look.block(16 if row == 0 else 22, align=cell.align))
    if row == 0:
        writer.inline.write(cell.children, "textSecondary", looks.SMALL | looks.HEADING)
    else:
        writer.inline.write(cell.children, "text")


def _natural_widths(look: looks.Look, rows: list[list[Cell]]) -> list[float]:
    """How wide each column would be without a line break, padding included."""
    small, body = QFontMetricsF(look.small_bold), QFontMetricsF(look.body)
    widths = [0.0] * len(rows[0])
    for row, cells in enumerate(rows):
        metrics = small if row == 0 else body
        for column, cell in enumerate(cells[: len(widths)]):
            width = metrics.horizontalAdvance(cell.text[:200]) + 2 * look.px(_PAD) + 2
            widths[column] = max(widths[column], width)
    return widths
