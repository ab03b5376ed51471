"""Writes blocks of Markdown into a QTextDocument, so that only the end of it is ever rewritten.

`write` adds a block at the end, `commit` makes what is there final, `rewind` takes everything after
the last commit out again. What a document cannot draw itself (chips behind code, bars beside
quotes, rules, the frames of tables) is noted in `marks` for the view to paint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextList,
    QTextListFormat,
)

from app.ui.transcript import look as looks
from app.ui.transcript.blocks import Block, Kind
from app.ui.transcript.body import gap, shape
from app.ui.transcript.inline import LINE, InlineWriter
from app.ui.transcript.look import Look
from app.ui.transcript.markdown import is_knotty, is_plain, parse, parse_inline
from app.ui.transcript.marks import CIRCLE, DISC, DONE, TO_DO, Marks
from app.ui.transcript.tables import COLUMNS_MAX, table_rows, write_table
from app.ui.transcript.text import dedent

if TYPE_CHECKING:
    from markdown_it.token import Token

_QUOTES_MAX = 12
_UNSEEN = QTextCharFormat()
_UNSEEN.setForeground(Qt.GlobalColor.transparent)


@dataclass(slots=True)
class _OpenList:
    format: QTextListFormat
    number: int | None  # of the next item; none if the list has bullets
    is_nested: bool
    made: QTextList | None = None
    items: int = 0

    def next_mark(self) -> str:
        self.items += 1
        if self.number is None:
            return CIRCLE if self.is_nested else DISC
        self.number += 1
        return f"{self.number - 1}."


class Writer:
    """The only one that writes into `document`."""

    def __init__(
        self, document: QTextDocument, look: Look, token: str = "text", flags: int = 0
    ) -> None:
        self.marks = Marks()
        self.width = 0  # of the view, for tables
        self._look = look
        self._token = token
        self._cursor = QTextCursor(document)
        self.inline = InlineWriter(self._cursor, look, self.marks)
        self._plain_char = look.char(flags, token)
        self._plain_line = 18 if flags & looks.SMALL else 22
        self._fresh = True  # the last paragraph is still unused
        self._committed = (0, True, "")
        self._committed_marks = Marks()
        self._committed_format = self._cursor.blockFormat()
        self._committed_list: QTextListFormat | None = None
        self._shape = ""
        self._lists: list[_OpenList] = []
        self._quotes = 0
        self._depth = 0
        self._gap = 0
        self._awaits_item = False
        self._heading = 0

    @property
    def cursor(self) -> QTextCursor:
        return self._cursor

    @property
    def look(self) -> Look:
        return self._look

    def commit(self) -> None:
        self._committed = (self._cursor.position(), self._fresh, self._shape)
        self._committed_marks.take(self.marks)
        made = self._cursor.currentList()
        self._committed_format = self._cursor.blockFormat()
        self._committed_list = made.format() if made is not None else None

    def rewind(self) -> None:
        position, self._fresh, self._shape = self._committed
        self._cursor.setPosition(position)
        self._cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        self._cursor.removeSelectedText()
        if not self._fresh and self._cursor.atBlockStart():
            self._restore_empty_paragraph()
        self.marks.take(self._committed_marks)

    def _restore_empty_paragraph(self) -> None:
        """Qt gives an empty paragraph the format of what was removed after it."""
        self._cursor.setBlockFormat(self._committed_format)
        if self._committed_list is not None and self._cursor.currentList() is None:
            self._cursor.createList(self._committed_list)

    def write(self, block: Block) -> None:
        """Add `block` at the end."""
        self._gap = gap(self._shape, block) if self._shape else 0
        self._depth = block.depth
        self._lists.clear()
        self._quotes = 0
        if block.kind is Kind.PLAIN:
            self._write_plain(block.source)
        elif block.literal or is_knotty(block.source):
            self._write_literal(block.source)
        elif _is_plain(block):
            self._paragraph()
            self._cursor.insertText(block.source.rstrip(), self._plain_char)
        elif block.inline:
            self._paragraph()
            self._inline(parse_inline(block.source)[0].children or [])
        else:
            self._write_tokens(parse(_source(block)), bool(block.prefix))
        self._shape = shape(block)

    def extend(self, old: Block, new: Block) -> bool:
        """Add what `new` has more than `old`, the last block written, if that is all it takes."""
        text, more = old.source.rstrip(), new.source.rstrip()
        if not (_is_plain(new) and _is_plain(old) and more.startswith(text)):
            return False
        self._cursor.insertText(more[len(text) :], self._plain_char)
        return True

    def _write_plain(self, source: str) -> None:
        """Each line is a paragraph: the text may be long."""
        for line in source.removesuffix("\n").split("\n"):
            self._paragraph(self._plain_line)
            self._cursor.insertText(line, self._plain_char)
            self._gap = 0

    def _write_literal(self, source: str) -> None:
        self._paragraph()
        text = source.strip("\n").replace("\n", LINE)
        self._cursor.insertText(text, self._plain_char)

    def _write_tokens(self, tokens: list[Token], is_rest_of_table: bool) -> None:
        i = 0
        while i < len(tokens):
            token = tokens[i]
            if token.type == "table_open":
                i = self._table(tokens, i, is_rest_of_table)
            elif token.type == "inline":
                self._inline(token.children or [])
            else:
                handler = getattr(self, "_on_" + token.type, None)
                if handler is not None:
                    handler(token)
            i += 1

    # What each token does

    def _on_paragraph_open(self, _token: Token) -> None:
        self._paragraph()

    def _on_paragraph_close(self, _token: Token) -> None:
        self._gap = 12

    def _on_heading_open(self, token: Token) -> None:
        if self._shape:
            self._gap = max(self._gap, 20) if not self._quotes else self._gap
        large = token.tag in ("h1", "h2")
        self._heading = looks.TITLE | looks.HEADING if large else looks.HEADING
        self._paragraph(28 if large else 22)

    def _on_heading_close(self, _token: Token) -> None:
        self._heading = 0
        self._gap = 8
        self._shape = "heading"

    def _on_bullet_list_open(self, _token: Token) -> None:
        self._open_list(None)

    def _on_ordered_list_open(self, token: Token) -> None:
        start = token.attrGet("start")
        self._open_list(1 if start is None else int(start))

    def _on_bullet_list_close(self, _token: Token) -> None:
        self._lists.pop()
        self._gap = 12

    _on_ordered_list_close = _on_bullet_list_close

    def _on_list_item_open(self, _token: Token) -> None:
        self._awaits_item = True
        if self._lists[-1].items or len(self._lists) > 1:
            self._gap = 4

    def _on_list_item_close(self, _token: Token) -> None:
        if self._awaits_item:
            self._paragraph()

    def _on_blockquote_open(self, _token: Token) -> None:
        self._quotes = min(self._quotes + 1, _QUOTES_MAX)

    def _on_blockquote_close(self, _token: Token) -> None:
        self._quotes -= 1
        self._gap = 12

    def _on_hr(self, _token: Token) -> None:
        self._paragraph(9)
        self.marks.rules.append(self._cursor.position())
        self._gap = 12

    def _on_code_block(self, token: Token) -> None:
        """Code inside a quote, or indented: no card of its own, a shaded paragraph."""
        self._gap += 6
        self._paragraph(20, inset=looks.CODE_PAD)
        start = self._cursor.position()
        text = token.content.rstrip("\n").replace("\n", LINE)
        self._cursor.insertText(text, self._look.char(looks.CODE, self._token))
        self.marks.codes.append((start, self._cursor.position()))
        self._gap = 20

    _on_fence = _on_code_block

    # Paragraphs and what is in them

    def _open_list(self, start: int | None) -> None:
        """Qt knows that it is a list, for whoever copies it; its marks are painted by us."""
        styles = QTextListFormat.Style
        made = QTextListFormat()
        made.setStyle(styles.ListDisc if start is None else styles.ListDecimal)
        made.setIndent(self._depth + len(self._lists) + 1)
        made.setStart(start or 1)
        nested = bool(self._lists) or self._depth > 0
        self._lists.append(_OpenList(made, start, nested))

    def _paragraph(self, line: int = 22, inset: int = 0) -> None:
        """Begin a paragraph at the end of the document."""
        is_item = self._awaits_item and bool(self._lists)
        depth = 0 if is_item else self._depth + len(self._lists)
        mark = self._lists[-1].next_mark() if is_item else ""
        made = self._look.block(
            line, self._gap, depth, self._quotes, inset=inset + self._overhang(mark)
        )
        if self._fresh:
            self._cursor.setBlockFormat(made)
            self._fresh = False
        else:
            self._cursor.insertBlock(made)
        self._cursor.setBlockCharFormat(_UNSEEN if is_item else self._plain_char)
        if is_item:
            self._add_to_list(self._lists[-1])
            self.marks.items.append((self._cursor.position(), mark))
            self._awaits_item = False
        if self._quotes:
            self._note_quote()
        self._gap = 0
        self._shape = self._shape or "text"

    def _overhang(self, mark: str) -> int:
        """How much further in an item with a long number begins."""
        if len(mark) < 4 or not mark[0].isdigit():
            return 0
        words = self._look.figures_metrics.horizontalAdvance(mark) / self._look.scale
        return max(0, round(words + 6 - looks.LIST_STEP))

    def _add_to_list(self, opened: _OpenList) -> None:
        if opened.made is None:
            opened.made = self._cursor.createList(opened.format)
        else:
            opened.made.add(self._cursor.block())

    def _note_quote(self) -> None:
        at, quotes = self._cursor.position(), self.marks.quotes
        if quotes and quotes[-1][2] == self._quotes and quotes[-1][1] == at - 1:
            quotes[-1] = (quotes[-1][0], at, self._quotes)
        else:
            quotes.append((at, at, self._quotes))

    def _inline(self, children: list[Token]) -> None:
        self.inline.write(self._with_task(children), self._token, self._heading)
        if self.marks.quotes and self._quotes:
            start, _, level = self.marks.quotes[-1]
            self.marks.quotes[-1] = (start, self._cursor.position(), level)

    def _with_task(self, children: list[Token]) -> list[Token]:
        """The children without "[ ] " or "[x] ", which become the box of the list item."""
        first, items = children[0] if children else None, self.marks.items
        at_item = items and items[-1][0] == self._cursor.position()
        if first is None or first.type != "text" or not at_item:
            return children
        if first.content[:4].lower() in ("[ ] ", "[x] "):
            items[-1] = (items[-1][0], TO_DO if first.content[1] == " " else DONE)
            first.content = first.content[4:]
        return children

    def _table(self, tokens: list[Token], start: int, is_rest: bool) -> int:
        """Write the table that begins at `start`. Returns where its last token is."""
        rows, end = table_rows(tokens, start)
        if len(rows[0]) > COLUMNS_MAX:
            self._write_literal("\n".join(" | ".join(cell.text for cell in row) for row in rows))
            return end
        left = (self._depth + len(self._lists)) * looks.LIST_STEP + self._quotes * looks.QUOTE_STEP
        if self._fresh:  # an empty paragraph before a table has no height, but it has margins
            self._cursor.setBlockFormat(self._look.block(1))
        mark = write_table(self, rows, self._gap, left, is_rest)
        self.marks.tables.append(mark)
        # Qt ignores the space above a paragraph that follows a table: this one only separates.
        self._cursor.setBlockFormat(self._look.block(1))
        self._fresh = False
        self._gap = 12
        self._shape = self._shape or "text"
        return end


def _is_plain(block: Block) -> bool:
    is_line = block.kind is Kind.PROSE and not block.indent and not block.prefix
    return is_line and is_plain(block.source, block.inline)


def _source(block: Block) -> str:
    text = block.prefix + block.source
    if not block.indent:
        return text
    return "\n".join(dedent(line, block.indent) for line in text.split("\n"))
