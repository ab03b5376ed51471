"""Where the parts of a row of the table of variants stand, for any width and text size."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QRect

from app.ui.quantize.columns import COLUMN_GAP, NAME, Columns
from app.ui.theme import px

# Pixels of the drawings.
_CHECK, _MARGIN, _GAP, _WORDS_WIDTH = 24, 24, 12, 240


class Mode(StrEnum):
    """How a row is broken into lines."""

    WIDE = "one line"
    MEDIUM = "the words below"
    NARROW = "three lines"


_ROW_PX = {Mode.WIDE: 40, Mode.MEDIUM: 56, Mode.NARROW: 88}


@dataclass(frozen=True, slots=True)
class Places:
    """Rectangles in the row's coordinates; an empty one is not shown."""

    check: QRect
    name: QRect
    file: QRect
    bpw: QRect
    bar: QRect
    badge: QRect
    time: QRect
    words: QRect


def mode_for(width: int, columns: Columns) -> Mode:
    if width >= columns.end + px(COLUMN_GAP + _WORDS_WIDTH):
        return Mode.WIDE
    return Mode.MEDIUM if width >= columns.end + px(_MARGIN) else Mode.NARROW


def row_height(mode: Mode) -> int:
    return px(_ROW_PX[mode])


def places(mode: Mode, row: QRect, columns: Columns) -> Places:
    if mode is Mode.NARROW:
        return _narrow(row, columns)
    top = row.adjusted(0, 0, 0, -1)
    end = row.width() - px(_MARGIN)
    words = _between(top, columns.end + px(COLUMN_GAP), end)
    if mode is Mode.MEDIUM:
        top = QRect(row.x(), row.y() + px(4), row.width(), px(28))
        words = _between(QRect(row.x(), top.bottom() + 1, row.width(), px(18)), px(NAME), end)
    rects, x = [], px(NAME)
    for width in columns.widths:
        rects.append(_between(top, x, x + width))
        x += width + px(COLUMN_GAP)
    return Places(_square(top), *rects, words=words)


def _narrow(row: QRect, columns: Columns) -> Places:
    """Name, size, bits and fit; the bar and the time; the words. For want of room no time."""
    end = row.width() - px(_MARGIN)
    lines = [QRect(row.x(), row.y() + px(y), row.width(), px(h)) for y, h in _NARROW_LINES]
    badge = end - max(columns.badge, columns.time)
    file = px(NAME) + columns.name + columns.file
    fits = file + px(_GAP) <= badge
    return Places(
        check=_square(lines[0]),
        name=_between(lines[0], px(NAME), px(NAME) + columns.name),
        file=_between(lines[0], px(NAME) + columns.name, file),
        bpw=_between(lines[0], file, min(file + columns.bpw, badge - px(_GAP))),
        bar=_between(lines[1], px(NAME), badge - px(_GAP)),
        badge=_between(lines[0 if fits else 1], badge, end),
        time=_between(lines[1], badge, end if fits else badge),
        words=_between(lines[2], px(NAME), end),
    )


_NARROW_LINES = ((6, 28), (36, 24), (62, 20))


def _between(line: QRect, left: int, right: int) -> QRect:
    return QRect(line.x() + left, line.y(), max(0, right - left), line.height())


def _square(line: QRect) -> QRect:
    side = px(16)
    return QRect(line.x() + px(_CHECK), line.y() + (line.height() - side) // 2, side, side)
