"""A model's card made safe to show: Markdown in, plainer Markdown out; knows no network and no Qt.

The card is read by a Markdown parser and written anew from what it understood, so nothing passes
that is not meant to: no HTML, no pictures, no front matter, and only links to http, https and
mailto. HTML's own headings and links, which cards use for looks, become Markdown; so do references,
which the conversation's renderer does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from app.hub.cardhtml import markdown_of_html, target_of
from app.hub.cardtext import Line, safe_target

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_CHARS = 80_000
_MAX_LINE = 4000  # longer ones are data, and marks without end slow a parser down
_MAX_BRACKETS = 3000  # more are no links, and cost the parser seconds
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\n.*?^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_ALERT = re.compile(r"\A\\\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\\\]\s*")
_MARKS = {"strong": "**", "em": "*", "s": "~~"}


def safe_card(markdown: str) -> str:
    """The card's words, headings, lists, tables, code and links; "" where there are none."""
    text = markdown[: 2 * MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n")
    text = _FRONT_MATTER.sub("", _NOT_TEXT.sub("", text), count=1)[:MAX_CHARS]
    if text.count("[") > _MAX_BRACKETS:
        text = text.replace("[", "(").replace("]", ")")
    lines = (line[:_MAX_LINE] for line in text.split("\n"))
    return "\n\n".join(_blocks(iter(_parser().parse("\n".join(lines))), ""))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 20})
    return parser.enable(["table", "strikethrough"])


def _blocks(tokens: Iterator[Token], end: str) -> list[str]:
    """The blocks up to the token `end`, each as its Markdown, none empty."""
    found: list[str] = []
    for token in tokens:
        if token.type == end:
            break
        if block := _block(token, tokens):
            found.append(block)
    return found


def _block(token: Token, tokens: Iterator[Token]) -> str:
    kind = token.type
    if kind in ("fence", "code_block"):
        return _code(token)
    if kind == "html_block":
        return markdown_of_html(token.content)
    if kind == "hr":
        return "* * *"
    if kind == "inline":
        return _inline(token, in_table=False)
    if kind == "heading_open":
        words = " ".join("\n\n".join(_blocks(tokens, "heading_close")).split("\n"))
        return f"{token.markup if token.markup.startswith('#') else _level(token)} {words}" * bool(
            words
        )
    if kind == "blockquote_open":
        words = "\n\n".join(_blocks(tokens, "blockquote_close"))
        return _indented(_ALERT.sub(lambda found: f"**{found[1].title()}:** ", words), "> ", "> ")
    if kind in ("bullet_list_open", "ordered_list_open"):
        return _list(tokens, kind)
    if kind == "table_open":
        return _table(tokens)
    return ""  # paragraph_open and _close: what is between them comes next


def _level(token: Token) -> str:
    return "#" * int(token.tag[1:])


def _code(token: Token) -> str:
    runs = re.findall("`{3,}", token.content)
    ticks = "`" * (1 + max((len(run) for run in runs), default=2))
    language = re.sub(r"[^\w.+#-]", "", token.info.partition(" ")[0])
    return f"{ticks}{language}\n{token.content.rstrip()}\n{ticks}"


def _list(tokens: Iterator[Token], kind: str) -> str:
    items: list[str] = []
    for token in tokens:
        if token.type == kind.replace("_open", "_close"):
            break
        if token.type == "list_item_open":
            marker = f"{len(items) + 1}. " if kind.startswith("ordered") else "- "
            words = _item(_blocks(tokens, "list_item_close"))
            if words:
                items.append(_indented(words, marker, " " * len(marker)))
    return "\n".join(items)


def _item(blocks: list[str]) -> str:
    """A list in a list follows at once, so that the outer one stays tight."""
    words = "".join(blocks[:1])
    for block in blocks[1:]:
        words += ("\n" if block.startswith(("- ", "1. ")) else "\n\n") + block
    return words


def _indented(text: str, first: str, rest: str) -> str:
    lines = text.split("\n") if text else []
    marked = [f"{rest if i else first}{line}".rstrip() for i, line in enumerate(lines)]
    return "\n".join(marked)


def _table(tokens: Iterator[Token]) -> str:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(_inline(token, in_table=True))
    width = len(rows[0]) if rows else 0
    if not any(cell for row in rows for cell in row):
        return ""
    rows.insert(1, ["---"] * width)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _inline(token: Token, in_table: bool) -> str:
    line = Line()
    for child in token.children or ():
        _add(line, child, in_table)
    return line.markdown()


def _add(line: Line, token: Token, in_table: bool) -> None:
    kind, _, edge = token.type.rpartition("_")
    if token.type == "text":
        line.add_text(token.content)
    elif token.type == "code_inline":
        line.add_code(token.content.replace("|", "\\|") if in_table else token.content)
    elif token.type == "softbreak" or (token.type == "hardbreak" and in_table):
        line.add(" ")
    elif token.type == "hardbreak":
        line.add("  \n")
    elif token.type == "html_inline":
        _add_tag(line, token.content.lower(), token.content)
    elif kind == "link" and edge == "open":
        line.open("(" + safe_target(str(token.attrGet("href") or "")))
    elif kind in _MARKS and edge == "open":
        line.open(_MARKS[kind])
    elif edge == "close":
        line.close(is_link=kind == "link")


def _add_tag(line: Line, tag: str, as_written: str) -> None:
    if tag.startswith("<a "):
        line.open("(" + target_of(as_written))
    elif tag.startswith("</a"):
        line.close(is_link=True)
    elif tag.startswith("<br"):
        line.add(" ")
