"""Where the parts of a row of the table of variants stand, for any width and text size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QRect
from PySide6.QtGui import QFontMetrics

from app.core.fit import Fit
from app.ui import words
from app.ui.controls import badge_width
from app.ui.models_page.variantrows import COLUMNS, Column, VariantRow, headings
from app.ui.models_page.wording import fit_name
from app.ui.theme import BODY, CODE, SMALL, font, px

# Pixels of the drawings: what lies before each column, and how wide it is at least.
MARGIN = 24
_BEFORE = dict(zip(COLUMNS, (24, 0, 16, 0, 16, 0, 16, 8), strict=True))
_LEAST = dict(zip(COLUMNS, (92, 72, 196, 60, 104, 56, 100, 96), strict=True))
_LEAST_BAR, _MARKS, _NAME_MAX, _PAD = 112, 22, 220, 24
_SPACE = 12  # between parts of the second line


class Mode(StrEnum):
    """How a row is broken into lines."""

    WIDE = "one line"
    MEDIUM = "the figures below"
    NARROW = "three lines"


_ROW_PX = {Mode.WIDE: 40, Mode.MEDIUM: 64, Mode.NARROW: 92}


@dataclass(frozen=True, slots=True)
class Widths:
    """What each part needs, without the space before it."""

    of: dict[Column, int]

    @property
    def least(self) -> int:
        """Of a row in one line, with the bar as short as it may get."""
        spare = self.of[Column.BAR] - px(_LEAST_BAR)
        return self.whole - spare

    @property
    def whole(self) -> int:
        return sum(self.of.values()) + sum(px(each) for each in _BEFORE.values()) + px(MARGIN)


def measure(rows: Sequence[VariantRow]) -> Widths:
    """In the fonts in force, for what the rows say."""
    body, code = QFontMetrics(font(BODY)), QFontMetrics(font(CODE, 500))
    small, bold = QFontMetrics(font(SMALL)), QFontMetrics(font(BODY, 500))
    names = (code.horizontalAdvance(row.variant) + px(_MARKS) for row in rows)
    needs = {
        Column.NAME: min(px(_NAME_MAX), max(names, default=0)),
        Column.FILE: body.horizontalAdvance(words.size(88.8e9)),
        Column.BAR: 0,
        Column.TOTAL: body.horizontalAdvance(_widest_total(rows)),
        Column.FIT: max(badge_width(fit.value, fit_name(fit)) for fit in Fit),
        Column.SPEED: max(
            [body.horizontalAdvance(row.speed) for row in rows]
            + [small.horizontalAdvance(headings()[Column.SPEED])]
        ),
        Column.QUALITY: max((small.horizontalAdvance(row.quality) for row in rows), default=0),
        Column.ACTION: max(
            (bold.horizontalAdvance(row.action_text) + px(_PAD) for row in rows), default=0
        ),
    }
    return Widths({column: max(px(_LEAST[column]), needs[column]) for column in COLUMNS})


def _widest_total(rows: Sequence[VariantRow]) -> str:
    figure = words.size(88.8e9, 1)
    return f"≈ {figure}" if any(row.is_estimate for row in rows) else figure


def mode_for(width: int, widths: Widths) -> Mode:
    if width >= widths.least:
        return Mode.WIDE
    first = (Column.NAME, Column.FILE, Column.FIT, Column.ACTION)
    needed = sum(widths.of[column] for column in first) + px(2 * MARGIN + 3 * _SPACE)
    return Mode.MEDIUM if width >= needed else Mode.NARROW


def row_height(mode: Mode) -> int:
    return px(_ROW_PX[mode])


def column_widths(width: int, widths: Widths) -> dict[Column, int]:
    """Of the table's columns in one line: the bar gives way, the words take what is left over."""
    result = {column: px(_BEFORE[column]) + widths.of[column] for column in COLUMNS}
    result[Column.ACTION] += px(MARGIN)
    over = width - sum(result.values())
    if over < 0:
        result[Column.BAR] += over
    else:
        result[Column.BAR] += min(over // 2, px(120))
        result[Column.QUALITY] += over - min(over // 2, px(120))
    return result


def inside(column: Column, cell: QRect) -> QRect:
    """The part of a cell that is written in."""
    right = px(MARGIN) if column is Column.ACTION else 0
    return cell.adjusted(px(_BEFORE[column]), 0, -right, -1)


def places(mode: Mode, row: QRect, widths: Widths) -> dict[Column, QRect]:
    """Of a row in two or three lines; what there is no room for has no place."""
    left, end, space = px(MARGIN), row.width() - px(MARGIN), px(_SPACE)
    of = widths.of
    if mode is Mode.MEDIUM:
        first, second = _line(row, 4, 30), _line(row, 34, 24)
        action = end - of[Column.ACTION]
        fit = action - space - of[Column.FIT]
        file = left + of[Column.NAME]
        speed = fit - space - of[Column.SPEED]
        total = speed - of[Column.TOTAL]
        return {
            Column.NAME: _between(first, left, file),
            Column.FILE: _between(first, file, min(file + of[Column.FILE], fit - space)),
            Column.FIT: _between(first, fit, action - space),
            Column.ACTION: _between(first, action, end),
            Column.BAR: _between(second, left, total - px(4)),
            Column.TOTAL: _between(second, total, total + of[Column.TOTAL]),
            Column.SPEED: _between(second, speed, speed + of[Column.SPEED]),
            Column.QUALITY: _between(second, fit, end),
        }
    first, second, third = _line(row, 4, 30), _line(row, 34, 26), _line(row, 62, 26)
    action = end - of[Column.ACTION]
    file = action - space - of[Column.FILE]
    total = end - of[Column.TOTAL]
    return {
        Column.NAME: _between(first, left, file),
        Column.FILE: _between(first, file, action - space),
        Column.ACTION: _between(first, action, end),
        Column.BAR: _between(second, left, total - px(4)),
        Column.TOTAL: _between(second, total, end),
        Column.FIT: _between(third, left, left + of[Column.FIT]),
        Column.SPEED: _between(third, end - of[Column.SPEED], end),
    }


def _line(row: QRect, top_px: int, height_px: int) -> QRect:
    return QRect(row.x(), row.y() + px(top_px), row.width(), px(height_px))


def _between(line: QRect, left: int, right: int) -> QRect:
    return QRect(line.x() + left, line.y(), max(0, right - left), line.height())
