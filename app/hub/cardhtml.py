"""The HTML in a model's card as Markdown: its words, headings and links, and nothing else.

No HTML parser: Python's takes seconds for tags that never close, and a tag that is misread here
only leaves some words behind.
"""

from __future__ import annotations

import html
import re

from app.hub.cardtext import Line, safe_target

_PIECE = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>|([^<]+)|<")
_HEADINGS = {f"h{n}": "#" * n for n in range(1, 7)}
_BLOCKS = frozenset(
    {"p", "div", "li", "tr", "ul", "ol", "table", "summary", "details", "center", "pre", *_HEADINGS}
)
_SILENT = frozenset({"script", "style", "svg", "head", "template", "iframe", "object"})
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*"}
_HREF = re.compile(r"\bhref\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)


def markdown_of_html(source: str) -> str:
    """Blocks apart by an empty line. Never raises."""
    reader = _Reader()
    for piece in _PIECE.finditer(_without_comments(source)):
        slash, tag, attributes, text = piece.groups()
        if tag is None:
            reader.add_text(html.unescape(text or ""))
        elif slash:
            reader.close(tag.lower())
        else:
            reader.open(tag.lower(), attributes)
    return reader.markdown()


def target_of(attributes: str) -> str:
    """Where a link's opening tag leads, "" where it may not."""
    found = _HREF.search(attributes)
    return safe_target(html.unescape(found[1])) if found else ""


def _without_comments(source: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := source.find("<!--", at)) >= 0:
        kept.append(source[at:start])
        end = source.find("-->", start)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join([*kept, source[at:]])


class _Reader:
    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._prefix = ""
        self._line = Line()
        self._silent = ""

    def open(self, tag: str, attributes: str) -> None:
        if self._silent:
            return
        if tag in _SILENT:
            self._silent = "" if attributes.endswith("/") else tag
        elif tag in _BLOCKS:
            self._end_block()
            self._prefix = f"{_HEADINGS[tag]} " if tag in _HEADINGS else "- " * (tag == "li")
        elif tag == "a":
            self._line.open("(" + target_of(attributes))
        elif tag in _MARKS:
            self._line.open(_MARKS[tag])
        elif tag in ("br", "td", "th"):
            self._line.add(" ")

    def close(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""
        elif tag in _BLOCKS:
            self._end_block()
        elif tag == "a" or tag in _MARKS:
            self._line.close(is_link=tag == "a")

    def add_text(self, text: str) -> None:
        if not self._silent:
            self._line.add_text(re.sub(r"\s+", " ", text))

    def _end_block(self) -> None:
        if words := self._line.markdown():
            self._blocks.append(self._prefix + words)
        self._prefix, self._line = "", Line()

    def markdown(self) -> str:
        self._end_block()
        return "\n\n".join(self._blocks)
