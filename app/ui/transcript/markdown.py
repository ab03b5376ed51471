"""The Markdown parser as the transcript wants it, and what may be a link.

HTML is text, nothing is turned into a link that was not written as one, and images are words.
Only http, https and mailto lead anywhere.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MEANS_NOTHING = r"[^\n\\`*_\[\]<>&~|]*"
_PLAIN_LINE = re.compile(rf"[^\W\d_]{_MEANS_NOTHING}\n*")
_PLAIN_WORDS = re.compile(rf"{_MEANS_NOTHING}\n*")
_SCHEMES = ("http", "https", "mailto")
_BRACKETS_MAX = 120
_MARKS_MAX = 500
_BACKTICKS_MAX = 240


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # not before there is something to parse

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 60})
    parser.enable(["table", "strikethrough"])
    # A definition would take its line out of sight, and could not reach other blocks anyway.
    parser.disable("reference")
    return parser


def parse(source: str) -> list[Token]:
    return _parser().parse(source)


def parse_inline(source: str) -> list[Token]:
    return _parser().parseInline(source)


def is_plain(source: str, inline: bool) -> bool:
    """Whether there is no Markdown in `source`: one paragraph of words."""
    return (_PLAIN_WORDS if inline else _PLAIN_LINE).fullmatch(source) is not None


def is_knotty(source: str) -> bool:
    """Whether the parser would spend its time on marks that mean nothing: show it as it is."""
    return (
        source.count("[") > _BRACKETS_MAX
        or source.count("*") + source.count("_") + source.count("~") > _MARKS_MAX
        or source.count("`") > _BACKTICKS_MAX
        or source.count("<") + source.count("&") > _MARKS_MAX
    )


def is_web_link(href: str) -> bool:
    """Whether `href` is an address that may be opened, after asking.

    A name before the host ("https://bank.example@other.example") is only there to mislead.
    """
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    if parts.scheme == "mailto":
        return bool(parts.path)
    host = parts.hostname or ""
    return parts.scheme in _SCHEMES and bool(host) and not {"@", "%"} & set(parts.netloc)
