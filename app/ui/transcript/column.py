"""The column of rows: which of them are widgets, where they are, what stays still.

Every row has a height, guessed until it was measured. When a guess turns out wrong, what is being
read stays where it is and the rest moves. Knows nothing of scroll bars and of streaming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from app.ui.transcript.body import Segment
from app.ui.transcript.heights import Heights
from app.ui.transcript.host import Window
from app.ui.transcript.look import look
from app.ui.transcript.message import SIDE, MessageView, discard
from app.ui.transcript.row import COLUMN_MAX, Row

_MARGIN, _TOP, _BOTTOM, _HEADER_GAP = 24, 4, 24, 16
_PASSES_MAX = 8
_GUESS_HOLDS = 0.1


@dataclass(slots=True)
class _Anchor:
    """Something that is being read, and how far below the top of the viewport it begins."""

    row: Row
    segment: Segment | None
    y: int


class Column:
    """Rows under each other, scrolled by `scroll` pixels."""

    def __init__(self, viewport: QWidget, make_view: Callable[[Row], MessageView]) -> None:
        self.rows: list[Row] = []
        self.scroll = 0
        self.width = 0
        self.look = look()
        self.header: QWidget | None = None
        self._viewport = viewport
        self._make_view = make_view
        self._heights = Heights()
        self._live: list[Row] = []
        self._placed: set[Row] = set()
        self._offset = 0
        self._held: _Anchor | None = None
        self._guessed_width = 0

    @property
    def live_views(self) -> list[MessageView]:
        return [row.view for row in self._live if row.view is not None]

    @property
    def height(self) -> int:
        """All of it, with the space above and below."""
        return self._offset + self._heights.total + self.look.px(_BOTTOM)

    @property
    def max_scroll(self) -> int:
        return max(0, self.height - self._viewport.height())

    def top_of(self, row: Row) -> int:
        return self._offset + self._heights.top(row.index)

    def height_of(self, row: Row) -> int:
        return self._heights[row.index]

    def index_in_view(self, last: bool) -> int:
        """The first or the last row that can be seen."""
        y = self.scroll + (self._viewport.height() - self.look.px(_BOTTOM) if last else 0)
        return self._heights.index_at(y - self._offset)

    # The rows

    def set_rows(self, rows: list[Row]) -> None:
        kept = set(rows)
        self.hold()
        for row in self._live.copy():
            if row not in kept:
                self.release(row)
        self.rows = rows
        if self._held is not None and self._held.row not in kept:
            self._held = None
        self.guess_heights()

    def append(self, row: Row) -> None:
        self.rows.append(row)
        self._heights.append(0)
        self.guess_height(row)

    def guess_heights(self) -> None:
        """Guess all heights anew, but those that hold for the width there is."""
        self._guessed_width = self.width
        chars, scale = self._chars_per_line(), self.look.scale
        self._heights = Heights(
            [row.measured(self.width) or row.estimate(chars, scale) for row in self.rows]
        )

    def guess_height(self, row: Row) -> None:
        self._heights[row.index] = row.estimate(self._chars_per_line(), self.look.scale)

    def _chars_per_line(self) -> float:
        return max(1.0, self.width / self.look.char_width)

    def release(self, row: Row) -> None:
        """Let the widget of `row` go; its heights stay."""
        if row.view is not None:
            self._live.remove(row)
            self._placed.discard(row)
            discard(row.view)
            row.view = None

    def hold(self) -> None:
        """What is being read now will be where it is after the next `settle`, come what may."""
        self._held = self._held or self._find_anchor()

    def release_all(self) -> None:
        for row in self._live.copy():
            self.release(row)

    # Layout

    def take_width(self) -> None:
        """Follow the viewport's width. A little more or less is no reason to guess anew."""
        made = self.look
        width = min(made.px(COLUMN_MAX), self._viewport.width() - 2 * made.px(_MARGIN))
        width = max(width, made.px(120))
        self.width = width
        if abs(width - self._guessed_width) > _GUESS_HOLDS * self._guessed_width:
            self.hold()
            self.guess_heights()

    def settle(self, deadline: float, at_end: bool) -> bool:
        """Make what is to be seen, and more until `deadline`. Returns whether more is to do.

        `at_end`: stay at the end; else what is being read stays where it is.
        """
        self._measure_header()
        anchor = None if at_end else self._held or self._find_anchor()
        if self._held is not None:
            self.scroll = self._scroll_for(anchor)
            self._held = None
        for _ in range(_PASSES_MAX):
            window = Window(self.scroll, self._viewport.height(), deadline)
            self._arrange(window)
            distance = self._scroll_for(anchor) - self.scroll
            self.scroll += distance
            if not window.made and (not distance or self._is_covered(window, distance)):
                break
        self._place()
        return window.unfinished

    def _is_covered(self, window: Window, distance: int) -> bool:
        """Whether after scrolling so far nothing is seen that was not made."""
        return not window.unfinished and abs(distance) < self._viewport.height() // 2

    def _measure_header(self) -> None:
        made = self.look
        self._offset = made.px(_TOP)
        if self.header is not None:
            hint = self.header.heightForWidth(self.width)
            height = hint if hint > 0 else self.header.sizeHint().height()
            self.header.resize(self.width, height)
            self._offset += made.px(_HEADER_GAP) + height

    def _find_anchor(self) -> _Anchor | None:
        """What is being read: the first measured part in the viewport, else the first row."""
        if not self.rows:
            return None
        first = self._heights.index_at(self.scroll - self._offset)
        for row in self.rows[first : first + 20]:
            top = self.top_of(row)
            if top > self.scroll + self._viewport.height():
                break
            if row.view is not None:
                segment, y = row.view.part_at(self.scroll - top)
                if segment is not None:
                    return _Anchor(row, segment, top + y - self.scroll)
        row = self.rows[first]
        return _Anchor(row, None, self.top_of(row) - self.scroll)

    def _scroll_for(self, anchor: _Anchor | None) -> int:
        """Where to scroll to, for the anchor to be where it was; without one: to the end."""
        if anchor is None:
            return self.max_scroll
        y = anchor.row.view.top_of(anchor.segment) if anchor.row.view is not None else 0
        return min(max(0, self.top_of(anchor.row) + (y or 0) - anchor.y), self.max_scroll)

    def _arrange(self, window: Window) -> None:
        """One pass over the rows near the viewport: make, measure, let go."""
        near: set[Row] = set()
        if self.rows:
            index = self._heights.index_at(window.keep[0] - self._offset)
            top = self._offset + self._heights.top(index)
            while index < len(self.rows) and top < window.keep[1]:
                row = self.rows[index]
                self._arrange_row(row, window, top)
                near.add(row)
                top += self._heights[index]
                index += 1
        for row in self._live.copy():
            if row not in near and row.view is not None and not row.view.has_focus_within():
                self.release(row)

    def _arrange_row(self, row: Row, window: Window, top: int) -> None:
        window.base = top
        height = self._heights[row.index]
        if row.view is None:
            if not window.wants(0, height):
                return
            row.view = self._make_view(row)
            # Text can only be measured in a widget that is shown: out of sight, until it is placed.
            row.view.setGeometry(0, self._viewport.height(), self.width + 2 * SIDE, height)
            row.view.show()
            self._live.append(row)
        elif not window.keeps(0, height) and not row.view.has_focus_within():
            self.release(row)
            return
        row.height = self._heights[row.index] = row.view.arrange(window, self.width)
        row.width = self.width

    def _place(self) -> None:
        """Move the widgets to where they belong, all at once where they move together."""
        x = (self._viewport.width() - self.width) // 2
        self._scroll_pixels()
        if self.header is not None:
            self.header.move(x, self.look.px(_TOP + _HEADER_GAP) - self.scroll)
        width = self.width + 2 * SIDE
        for row in self._live:
            if row.view is not None:
                y = self.top_of(row) - self.scroll
                row.view.setGeometry(x - SIDE, y, width, self._heights[row.index])
                row.view.place()
        self._placed = set(self._live)

    def _scroll_pixels(self) -> None:
        """Let Qt move what is on the screen already, which spares painting it again."""
        for row in self._live:
            if row.view is not None and row in self._placed:
                distance = self.top_of(row) - self.scroll - row.view.y()
                if distance and abs(distance) < self._viewport.height():
                    self._viewport.scroll(0, distance)
                return
