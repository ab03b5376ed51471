"""A message's text as segments: the pieces that one widget shows, and that live and die alone.

Knows no widgets. A segment holds a few blocks of prose, one piece of a code block, or some plain
text. While an answer is written, the last segment also has a `tail`: blocks that may still change.
Segments keep their identity as the text grows, so that a widget can follow one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from app.ui.transcript.blocks import Block, Kind, Splitter
from app.ui.transcript.plain import PlainSplitter
from app.ui.transcript.text import clean

GROUP_MAX = 1_500
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])[ \t]")
_HEADING = re.compile(r"\s*#{1,6}[ \t]")

Span = tuple[int, int, str]  # start, length, colour token


class CodeSource:
    """A whole code block, of which segments show pieces, and how it is coloured.

    `spans[n]` colours line n, as far as it is known. `closed`: no more will come. `colored`: nor
    will more colours.
    """

    def __init__(self, info: str) -> None:
        self.info = info
        self.pieces: list[str] = []
        self.spans: list[list[Span]] = []
        self.closed = False
        self.colored = False

    @property
    def text(self) -> str:
        """The code as it was written, without a line break at its end."""
        return "".join(self.pieces).removesuffix("\n")

    def complete_lines(self, first: int, end: int) -> list[str]:
        """The lines from `first` to `end` that have their line break."""
        return "".join(self.pieces).split("\n")[:-1][first:end]

    def first_line(self, index: int) -> int:
        """The number of the line that piece `index` begins with."""
        return sum(piece.count("\n") for piece in self.pieces[:index])


@dataclass(eq=False, slots=True)
class Segment:
    """What one widget shows. `gap` lies above it, in pixels at the normal text size.

    `height` was measured at `width`; where that is 0 the height is a guess.
    """

    kind: Kind
    gap: int = 0
    depth: int = 0
    blocks: list[Block] = field(default_factory=list)
    tail: list[Block] = field(default_factory=list)
    source: CodeSource | None = None
    index: int = 0
    size: int = 0
    lines: int = 0
    height: int = 0
    width: int = 0

    @property
    def is_table(self) -> bool:
        """Whether it begins with a table, as far as can be told at a glance."""
        first = next(iter((*self.blocks, *self.tail)), None)
        return first is not None and (bool(first.prefix) or first.source.startswith("|"))

    @property
    def is_first_piece(self) -> bool:
        return self.index == 0

    @property
    def is_last_piece(self) -> bool:
        return self.source is None or self.index == len(self.source.pieces) - 1

    @property
    def text(self) -> str:
        """What a widget without Markdown shows: the line break at the end is the frame's."""
        if self.source is not None:
            return self.source.pieces[self.index].removesuffix("\n")
        return "".join(b.source for b in (*self.blocks, *self.tail)).removesuffix("\n")


class _AnySplitter(Protocol):
    def feed(self, text: str) -> list[Block]: ...
    def finish(self) -> list[Block]: ...
    def tail(self) -> list[Block]: ...


class Body:
    """The text of one message, whole or growing."""

    def __init__(self, plain: bool = False) -> None:
        self.segments: list[Segment] = []
        self._splitter: _AnySplitter = PlainSplitter() if plain else Splitter()
        self._shape = ""
        self._spare: list[Segment] = []

    @classmethod
    def of(cls, text: str, plain: bool = False) -> Body:
        body = cls(plain)
        body.feed(text, with_tail=False)
        body.finish()
        return body

    def feed(self, text: str, with_tail: bool = True) -> None:
        """Take in more text; the last segments follow it."""
        self._drop_tail()
        self._shape = self._place(self._splitter.feed(clean(text)))
        if with_tail:
            self._place(self._splitter.tail(), in_tail=True)

    def finish(self) -> None:
        self._drop_tail()
        self._shape = self._place(self._splitter.finish())
        for segment in self.segments[-1:]:
            if segment.source is not None:
                segment.source.closed = True

    def _drop_tail(self) -> None:
        """Take the provisional blocks out; the segments that they alone filled are kept to hand."""
        self._spare = []
        while self.segments and self.segments[-1].tail:
            segment = self.segments[-1]
            segment.size -= sum(len(b.source) for b in segment.tail)
            segment.lines -= sum(b.source.count("\n") for b in segment.tail)
            segment.tail = []
            if segment.blocks:
                return
            self._spare.insert(0, self.segments.pop())

    def _place(self, blocks: list[Block], in_tail: bool = False) -> str:
        """Put `blocks` into segments. Returns the shape of what is last then."""
        before = self._shape
        for block in blocks:
            if block.kind is Kind.CODE:
                segment = self._code_segment(block, before)
            elif block.kind is Kind.PLAIN or not block.source.isspace():
                segment = self._text_segment(block, before)
            else:
                continue
            if segment is not None:
                self._put(segment, block, in_tail)
                before = shape(block)
        return before

    def _put(self, segment: Segment, block: Block, in_tail: bool) -> None:
        (segment.tail if in_tail else segment.blocks).append(block)
        segment.size += len(block.source)
        segment.lines += block.source.count("\n")
        segment.width = 0

    def _text_segment(self, block: Block, before: str) -> Segment:
        last = self.segments[-1] if self.segments else None
        if last and last.kind is block.kind is Kind.PROSE and last.size < GROUP_MAX:
            return last
        return self._new_segment(block, before)

    def _code_segment(self, block: Block, before: str) -> Segment | None:
        """The segment for a piece of code; none for one that only closes the code before it."""
        previous = self.segments[-1] if self.segments and not block.opens else None
        if previous is not None and previous.source is not None and not block.code:
            previous.source.closed = block.closes
            return None
        segment = self._new_segment(block, before)
        if previous is not None:
            segment.source, segment.index, segment.gap = previous.source, previous.index + 1, 0
            previous.width = 0
        if segment.source is None:
            segment.source = CodeSource("")
        source = segment.source
        source.info = block.fence.info if block.fence else ""
        source.pieces[segment.index :] = [block.code]
        source.closed = block.closes
        return segment

    def _new_segment(self, block: Block, before: str) -> Segment:
        if self._spare and self._spare[0].kind is block.kind:
            segment = self._spare.pop(0)
        else:
            self._spare = []
            segment = Segment(block.kind)
        segment.gap = gap(before, block) if self.segments else 0
        segment.depth = block.depth if block.kind is Kind.CODE else 0
        self.segments.append(segment)
        return segment


def shape(block: Block) -> str:
    """What a block looks like at its beginning, as far as the space around it goes."""
    if block.kind is Kind.CODE:
        return "code"
    if block.literal or block.inline or block.kind is Kind.PLAIN:
        return "text"
    if _ITEM.match(block.source):
        return "item"
    return "heading" if _HEADING.match(block.source) else "text"


def gap(before: str, block: Block) -> int:
    """The space between a block and the one before it, in pixels at the normal text size."""
    if block.joined and block.kind is not Kind.CODE:
        return 0
    now = shape(block)
    if now == "item" and before in ("item", "text"):
        return 4 if before == "item" and not block.loose else 8
    if now == "heading":
        return 20
    return 8 if before == "heading" else 12
