"""Cuts a message into blocks that never change again, while it is still being written.

Pure text in, `Block`s out; knows nothing of Qt or of how a block is drawn. The sources of the
blocks, put together, are the input, character for character, and the cuts do not depend on how the
input was dealt out. A block is small (a few thousand characters), so whatever is done with one has
a bounded cost; a line of any length is cut too.

The cuts follow CommonMark for what models write. On purpose it differs in two places: a fence
inside a list ends at its closing line only, even when the code is indented less than the list; and
each item of a list is a block of its own. What a block means inside is left to the Markdown parser.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from enum import Enum

from app.ui.transcript.text import LINE_MAX, LOOKAHEAD, cut_point, dedent, indent_of

BLOCK_MAX = 2_500
CODE_MAX = 4_000
CODE_LINES_MAX = 120
TABLE_LINES_MAX = 60
LEVELS_MAX = 8
_FENCE_MAX = 200

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^\n]*)")
_MARKER = re.compile(r"[ \t]*([-*+]|\d{1,9}[.)])([ \t]+)(?=[^ \t\n])")
_RULE = re.compile(r"[ \t]*(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,})$")
_INTERRUPT = re.compile(r" {0,3}(?:#{1,6}[ \t\n]|>)")
_DEEP = re.compile(r"(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))){9}")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\n")
_UNFINISHED = re.compile(r"[ \t]*(?:[-*+=#>|`~]+|\d{1,9}[.)]?)[ \t]*$")


class Kind(Enum):
    PROSE = "prose"  # Markdown
    CODE = "code"  # a piece of a fenced code block
    PLAIN = "plain"  # shown as it is


@dataclass(frozen=True, slots=True)
class Fence:
    """The opening line of a code block."""

    mark: str
    length: int
    indent: int
    info: str

    def is_closed_by(self, line: str) -> bool:
        bare = line.strip(" \t\n")
        return (
            len(bare) >= self.length
            and not bare.strip(self.mark)
            and indent_of(line) <= self.indent + 3
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A run of source that is drawn on its own.

    `indent` columns belong to the list item around it and are taken off each line before parsing;
    `depth` says how many lists that is. `joined`: goes on where the block before was cut. `loose`:
    a blank line lies before it. `prefix` is parsed before the source: the head of a table that was
    cut. `literal` and `inline`: no Markdown at all, or no block structure.
    """

    kind: Kind
    source: str
    indent: int = 0
    depth: int = 0
    joined: bool = False
    loose: bool = False
    prefix: str = ""
    literal: bool = False
    inline: bool = False
    fence: Fence | None = None
    opens: bool = False
    closes: bool = False

    @property
    def code(self) -> str:
        """CODE: the source without the fence's own lines and indentation."""
        text = self.source
        if self.opens:
            text = text.partition("\n")[2]
        if self.closes:
            text = text[: text.rstrip("\n").rfind("\n") + 1]
        if self.fence is None or not self.fence.indent:
            return text
        lines = text.split("\n")
        first = 1 if self.joined else 0
        return "\n".join(lines[:first] + [dedent(x, self.fence.indent) for x in lines[first:]])


def is_unfinished(line: str) -> bool:
    """Whether a last line may still turn out to be a fence, a list mark, a heading, a rule."""
    return _UNFINISHED.match(line) is not None


class Splitter:
    """Takes Markdown as it comes and gives back the blocks that are finished."""

    def __init__(self) -> None:
        self._partial = ""
        self._pending: list[str] = []
        self._size = 0
        self._levels: list[int] = []  # the content columns of the list items around
        self._fence: Fence | None = None
        self._depth = 0
        self._indent = 0
        self._prefix = ""
        self._joined = False
        self._loose = False
        self._has_text = False
        self._blank = False
        self._in_cut_line = False
        self._in_code_line = False
        self._opens = False
        self._out: list[Block] = []

    def feed(self, text: str) -> list[Block]:
        """The blocks that `text` finishes."""
        self._out = []
        lines = (self._partial + text).split("\n")
        last = lines.pop()
        for line in lines:
            self._end_line(self._cut(line + "\n"))
        self._partial = self._cut(last)
        return self._out

    def finish(self) -> list[Block]:
        """The rest. Nothing can be fed afterwards."""
        self._out = []
        if self._partial:
            self._end_line(self._partial)
            self._partial = ""
        self._freeze()
        return self._out

    def tail(self, hold_back: bool = True) -> list[Block]:
        """What `finish` would give now. `hold_back`: without a last line that may still turn."""
        fork = copy.copy(self)
        fork._pending = self._pending.copy()
        fork._levels = self._levels.copy()
        if hold_back and is_unfinished(self._partial):
            fork._partial = ""
        return fork.finish()

    def _cut(self, line: str) -> str:
        """What is left of `line` after whole fragments of it were taken."""
        while len(line) > LINE_MAX + LOOKAHEAD:
            at = cut_point(line)
            self._take_fragment(line[:at])
            line = line[at:]
        return line

    def _take_fragment(self, fragment: str) -> None:
        if self._fence is not None:
            self._add(fragment)
            self._freeze()
            self._joined = self._in_code_line = True
        elif self._in_cut_line:
            self._emit_inline(fragment)
        else:
            self._take_prose(fragment)
            self._freeze()
            self._in_cut_line = self._fence is None

    def _end_line(self, line: str) -> None:
        if self._in_cut_line:
            self._in_cut_line = False
            self._emit_inline(line)
            self._joined = True
        elif self._fence is not None:
            self._take_code(line, self._fence)
        else:
            self._take_prose(line)

    def _emit_inline(self, text: str) -> None:
        self._out.append(Block(Kind.PROSE, text, depth=len(self._levels), joined=True, inline=True))

    def _take_code(self, line: str, fence: Fence) -> None:
        closes = not self._in_code_line and fence.is_closed_by(line)
        self._in_code_line = False
        self._add(line)
        if closes:
            self._freeze(closes=True)
            self._fence = None
            self._blank = False
        elif self._size > CODE_MAX or len(self._pending) >= CODE_LINES_MAX:
            self._freeze()

    def _take_prose(self, line: str) -> None:
        if not line.strip(" \t\n"):
            self._blank = True
            self._add(line)
            if self._size > BLOCK_MAX:
                self._freeze()
            return
        if _DEEP.match(line):
            self._take_deep(line)
            return
        indent = indent_of(line)
        fence = self._fence_in(line, indent)
        marker = None if fence or _RULE.match(line) else self._marker_in(line, indent)
        if self._starts_block(line, indent, fence, marker):
            self._freeze()
        if fence:
            self._open_fence(line, fence)
        elif marker:
            self._take_item(line, marker)
        else:
            self._add_text(line)

    def _take_deep(self, line: str) -> None:
        """A line with a great many list and quote marks: shown as it is, for the parser's sake."""
        self._freeze()
        self._levels.clear()
        self._out.append(Block(Kind.PROSE, line, joined=not self._blank, literal=True))
        self._blank = False

    def _fence_in(self, line: str, indent: int) -> Fence | None:
        match = _FENCE.match(line)
        if match is None or len(match[1]) > _FENCE_MAX or (match[1][0] == "`" and "`" in match[2]):
            return None
        if not self._levels and indent > 3:
            return None
        return Fence(match[1][0], len(match[1]), indent, match[2].strip())

    def _marker_in(self, line: str, indent: int) -> re.Match[str] | None:
        match = _MARKER.match(line)
        if match is None:
            return None
        if not self._levels and indent > 3:
            return None
        in_paragraph = self._has_text and not self._blank and not self._levels
        if in_paragraph and match[1][:-1] not in ("", "1"):
            return None  # "1986. A good year" goes on with the paragraph
        return match

    def _starts_block(
        self, line: str, indent: int, fence: Fence | None, marker: re.Match[str] | None
    ) -> bool:
        """Whether `line` begins a new block. Leaves the lists that it ends."""
        interrupts = _INTERRUPT.match(line) is not None
        had_levels = len(self._levels)
        if fence or marker or self._blank or interrupts:
            while self._levels and self._levels[-1] > indent:
                self._levels.pop()
        left_list = len(self._levels) < had_levels
        if not self._has_text:
            return False
        if fence or indent < self._indent or len(self._levels) >= LEVELS_MAX:
            return True
        if not self._levels:
            return bool(marker or self._blank or left_list) or (
                interrupts and not (line.lstrip().startswith(">") and self._is_quote())
            )
        return self._is_too_long(marker is not None)

    def _is_quote(self) -> bool:
        return self._pending[-1].lstrip().startswith(">")

    def _is_too_long(self, at_item: bool) -> bool:
        return self._size > (BLOCK_MAX if at_item else 2 * BLOCK_MAX)

    def _take_item(self, line: str, marker: re.Match[str]) -> None:
        self._begin_block()
        rest = line[marker.end() :]
        width = indent_of(marker[2]) if indent_of(marker[2]) <= 4 else 1
        self._levels.append(indent_of(line) + len(marker[1]) + width)
        fence = self._fence_in(rest, self._levels[-1])
        if fence:
            self._add(line[: marker.end()])
            self._has_text = True
            self._freeze()
            self._open_fence(rest, fence)
        else:
            self._add(line)
            self._has_text = True
            self._blank = False

    def _add_text(self, line: str) -> None:
        is_long = self._size > BLOCK_MAX or ("|" in line and len(self._pending) > TABLE_LINES_MAX)
        if self._has_text and not self._levels and is_long:
            prefix = self._table_head() if "|" in line else ""
            self._freeze()
            self._joined, self._prefix = not self._blank, prefix
        self._begin_block()
        self._add(line)
        self._has_text = True
        self._blank = False

    def _begin_block(self) -> None:
        if self._has_text:
            return
        self._loose = self._blank
        self._joined = self._joined and not self._blank
        self._indent = self._levels[-1] if self._levels else 0
        self._depth = len(self._levels)

    def _table_head(self) -> str:
        """The two lines that every piece of a cut table is parsed with, if it is a table."""
        if self._prefix:
            return self._prefix
        lines = [x for x in self._pending if x.strip(" \t\n")][:2]
        is_table = len(lines) == 2 and "|" in lines[0] and _TABLE_RULE.match(lines[1])
        return "".join(lines) if is_table else ""

    def _open_fence(self, line: str, fence: Fence) -> None:
        self._begin_block()
        self._freeze()
        self._fence = fence
        self._opens = True
        self._joined = False
        self._depth = len(self._levels)
        self._add(line)

    def _add(self, text: str) -> None:
        self._pending.append(text)
        self._size += len(text)

    def _freeze(self, closes: bool = False) -> None:
        """Make a block of what is pending."""
        if not self._pending:
            return
        self._out.append(
            Block(
                kind=Kind.PROSE if self._fence is None else Kind.CODE,
                source="".join(self._pending),
                indent=self._indent,
                depth=min(self._depth, LEVELS_MAX),
                joined=self._joined,
                loose=self._loose,
                prefix=self._prefix,
                fence=self._fence,
                opens=self._opens,
                closes=closes,
            )
        )
        self._pending = []
        self._size = 0
        self._prefix = ""
        self._joined = self._loose = self._has_text = self._opens = False
