"""Cuts text that is shown as it is: what the user wrote, what the model thought. Pure."""

from __future__ import annotations

import copy

from app.ui.transcript.blocks import Block, Kind
from app.ui.transcript.text import LINE_MAX, LOOKAHEAD, cut_point


class PlainSplitter:
    """A `Splitter` for plain text: cuts at a line where there is one."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[Block]:
        self._rest += text
        out = []
        while len(self._rest) > LINE_MAX + LOOKAHEAD:
            line_end = self._rest.rfind("\n", LINE_MAX // 2, LINE_MAX)
            at = line_end + 1 if line_end >= 0 else cut_point(self._rest)
            out.append(Block(Kind.PLAIN, self._rest[:at], joined=True))
            self._rest = self._rest[at:]
        return out

    def finish(self) -> list[Block]:
        rest, self._rest = self._rest, ""
        return [Block(Kind.PLAIN, rest, joined=True)] if rest else []

    def tail(self) -> list[Block]:
        return copy.copy(self).finish()
