"""Small questions about text: white space, and where a line may be cut. Pure."""

from __future__ import annotations

import unicodedata

LINE_MAX = 2_000
LOOKAHEAD = 64

_GONE = {
    ord("\r"): None,
    ord("\x0b"): " ",
    ord("\x0c"): " ",
    0x2028: "\n",
    0x2029: "\n",
    0x85: "\n",
    0: "\ufffd",
    0xFDD0: "\ufffd",  # QTextDocument's own marks for frames and objects
    0xFDD1: "\ufffd",
    0xFFFC: "\ufffd",
} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def clean(text: str) -> str:
    """`text` without the characters that a text document takes for its own structure."""
    return text.translate(_GONE)


def indent_of(line: str) -> int:
    """The column of the first character that is neither space nor tab."""
    column = 0
    for char in line:
        if char == " ":
            column += 1
        elif char == "\t":
            column += 4 - column % 4
        else:
            break
    return column


def dedent(line: str, columns: int) -> str:
    """`line` without its first `columns` columns of white space, or as many as it has."""
    column = 0
    for i, char in enumerate(line):
        if column >= columns or char not in " \t":
            return " " * (column - columns) + line[i:]
        column += 1 if char == " " else 4 - column % 4
    return ""


def cut_point(text: str, limit: int = LINE_MAX) -> int:
    """Where to cut `text` before `limit`: after a space, else not inside a character."""
    space = text.rfind(" ", limit // 2, limit)
    if space >= 0:
        return space + 1
    for i in range(limit, limit - LOOKAHEAD, -1):
        if not _sticks(text[i]) and text[i - 1] != "\u200d" and not _splits_flag(text, i):
            return i
    return limit


def _splits_flag(text: str, at: int) -> bool:
    """Whether an odd number of the letters that make up flags ends at `at`, and one follows."""
    start = at
    while start and "\U0001f1e6" <= text[start - 1] <= "\U0001f1ff":
        start -= 1
    return (at - start) % 2 == 1 and "\U0001f1e6" <= text[at] <= "\U0001f1ff"


def _sticks(char: str) -> bool:
    """Whether `char` belongs to the one before it: an accent, a joiner, an emoji's variation."""
    return (
        unicodedata.category(char)[0] == "M"
        or char == "\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\udc00" <= char <= "\udfff"
    )
