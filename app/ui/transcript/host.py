"""What the parts of the transcript ask of the whole, which they do not know."""

from __future__ import annotations

import time
from typing import Protocol

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget

from app.ui.transcript.body import CodeSource
from app.ui.transcript.mark import Actions


class Host(Actions, Protocol):
    def open_link(self, href: str) -> None:
        """The user chose a link."""

    def reveal(self, widget: QWidget, rect: QRect) -> None:
        """Scroll so that `rect` of `widget` can be seen."""

    def relayout(self) -> None:
        """Some part wants another height."""

    def copy(self, text: str) -> None:
        """Put `text` on the clipboard."""

    def regenerate(self, message_id: int) -> None:
        """The user wants another answer in place of this one."""

    def go_on(self, message_id: int) -> None:
        """The user wants this answer, which ended too early, to go on."""

    def retry(self, message_id: int) -> None:
        """The user wants the answer that failed."""

    def show_branch(self, message_id: int) -> None:
        """The user wants to read on from this sibling."""

    def highlight(self, source: CodeSource) -> None:
        """Colour this code when there is time; `CodeView.show_colors` is called then."""


class Window:
    """Which parts of the transcript are to be live, in pixels from its top.

    Parts that can be seen are made at once. Parts within one screen are made while there is time
    before `deadline`; `unfinished` tells whether some were left. Parts further off go.
    """

    def __init__(self, scroll: int, height: int, deadline: float) -> None:
        self._must = (scroll, scroll + height)
        self._want = (scroll - height, scroll + 2 * height)
        self.keep = (scroll - 3 * height // 2, scroll + 5 * height // 2)
        self._deadline = deadline
        self.base = 0
        self.unfinished = False
        self.made = 0

    def wants(self, top: int, bottom: int) -> bool:
        """Whether a part at `top` to `bottom`, counted from `base`, is to be made now."""
        top, bottom = top + self.base, max(bottom, top + 1) + self.base
        if bottom <= self._want[0] or top >= self._want[1]:
            return False
        seen = bottom > self._must[0] and top < self._must[1]
        if not seen and time.perf_counter() >= self._deadline:
            self.unfinished = True
            return False
        self.made += 1
        return True

    def keeps_all(self, height: int) -> bool:
        """Whether all from `base` on for `height` is near enough to stay."""
        return self.base >= self.keep[0] and self.base + height <= self.keep[1]

    def keeps(self, top: int, bottom: int) -> bool:
        return bottom + self.base > self.keep[0] and top + self.base < self.keep[1]
