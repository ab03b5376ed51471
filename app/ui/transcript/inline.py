"""Writes what stands in a line: words with their emphasis, code and links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QFont, QTextCharFormat, QTextCursor

from app.ui.transcript import look as looks
from app.ui.transcript.look import Look
from app.ui.transcript.markdown import is_web_link
from app.ui.transcript.marks import Marks

if TYPE_CHECKING:
    from markdown_it.token import Token

LINE = "\u2028"  # a new line in the same paragraph
_CHIP_GAP = 3
_FLAGS = {"strong": looks.BOLD, "em": looks.ITALIC, "s": looks.STRIKE}
_LEFT = QTextCursor.MoveOperation.Left


class InlineWriter:
    """Writes at a cursor that somebody else moves."""

    def __init__(self, cursor: QTextCursor, look: Look, marks: Marks) -> None:
        self._cursor = cursor
        self._look = look
        self._marks = marks
        self._token = "text"

    def write(self, children: list[Token], token: str, flags: int = 0) -> None:
        """The tokens of one paragraph, in the colour `token`."""
        self._token = token
        links: list[str] = []
        for child in children:
            name, _, end = child.type.rpartition("_")
            if name in _FLAGS:
                flags = flags | _FLAGS[name] if end == "open" else flags & ~_FLAGS[name]
            elif child.type == "link_open":
                links.append(str(child.attrGet("href") or ""))
            elif child.type == "link_close":
                self._close_link(links.pop(), flags)
            else:
                self._word(child, flags, links[-1] if links else "")

    def _word(self, token: Token, flags: int, href: str) -> None:
        target = href if href and is_web_link(href) else ""
        if token.type == "code_inline":
            self._chip(token.content, flags | looks.CODE, target)
        elif token.type in ("softbreak", "hardbreak"):
            self._insert(LINE, flags, target)
        elif token.type == "image":
            self._insert(f"{token.content} ({token.attrGet('src') or ''})", flags)
        elif token.content:
            self._insert(token.content.replace("\n", LINE), flags, target)

    def _insert(self, text: str, flags: int, target: str = "") -> None:
        self._cursor.insertText(text, self._look.char(flags, self._token, target))

    def _close_link(self, href: str, flags: int) -> None:
        """A target that cannot be opened is shown, so that nobody is misled by its text."""
        if href and not is_web_link(href):
            self._insert(f" ({href})", flags)

    def _chip(self, text: str, flags: int, target: str) -> None:
        """Code in a line. The letters at its edges stand a little off, for the chip's own edges."""
        before = QTextCursor(self._cursor)
        if not before.atBlockStart():
            before.movePosition(_LEFT, QTextCursor.MoveMode.KeepAnchor)
            before.mergeCharFormat(self._apart(QTextCharFormat()))
        start = self._cursor.position()
        self._insert(text[:-1], flags, target)
        char = QTextCharFormat(self._look.char(flags, self._token, target))
        self._cursor.insertText(text[-1:], self._apart(char))
        self._marks.chips.append((start, self._cursor.position()))

    def _apart(self, char: QTextCharFormat) -> QTextCharFormat:
        char.setFontLetterSpacingType(QFont.SpacingType.AbsoluteSpacing)
        char.setFontLetterSpacing(self._look.px(_CHIP_GAP))
        return char
