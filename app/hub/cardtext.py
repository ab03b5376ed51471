"""What a safe card is written with: text in which Markdown finds nothing, and checked links."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SPECIAL = re.compile(r"([\\`*_\[\]<>&~|])")
_LINE_START = re.compile(r"^([ \t]*)([#+\-=])", re.MULTILINE)
_NUMBER_START = re.compile(r"^([ \t]*\d{1,9})([.)])(?=\s|$)", re.MULTILINE)
_TARGET = re.compile(r"[^\s<>()\[\]\\`\"'|*_~]+(?:[*_~][^\s<>()\[\]\\`\"'|]*)?")
_MAX_OPEN = 40  # more are there to keep somebody busy
_SCHEMES = ("http", "https", "mailto")


def escape(text: str) -> str:
    """`text` so that Markdown finds nothing in it."""
    text = _SPECIAL.sub(r"\\\1", text)
    return _NUMBER_START.sub(r"\1\\\2", _LINE_START.sub(r"\1\\\2", text))


def safe_target(href: str) -> str:
    """`href` if it may be opened after asking, else ""."""
    href = href.strip().replace("(", "%28").replace(")", "%29")
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    if parts.scheme not in _SCHEMES or not _TARGET.fullmatch(href):
        return ""
    if parts.scheme == "mailto":
        return href if parts.path else ""
    # A name before the host is only there to mislead.
    return href if parts.hostname and not {"@", "%"} & set(parts.netloc) else ""


class Line:
    """A line of inline Markdown as it is put together: what is opened is wrapped when it closes."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open: list[tuple[str, int]] = []

    def add(self, markdown: str) -> None:
        self._parts.append(markdown)

    def add_text(self, text: str) -> None:
        self._parts.append(escape(text))

    def add_code(self, code: str) -> None:
        code = " ".join(code.split())
        if not code:
            return
        ticks = "`" * (1 + max((len(run) for run in re.findall("`+", code)), default=0))
        pad = " " if code.startswith("`") or code.endswith("`") else ""
        self._parts.append(f"{ticks}{pad}{code}{pad}{ticks}")

    def open(self, mark: str) -> None:
        """`mark`: "**" and the like, or the target of a link after "(", which may be empty."""
        if len(self._open) < _MAX_OPEN:
            self._open.append((mark, len(self._parts)))

    def close(self, is_link: bool) -> None:
        """Ends the innermost mark of that kind; marks inside that are still open mean nothing."""
        at = next(
            (i for i in range(len(self._open) - 1, -1, -1) if self._is_link(i) == is_link), None
        )
        if at is None:
            return
        mark, start = self._open[at]
        del self._open[at:]
        inner = "".join(self._parts[start:])
        del self._parts[start:]
        self._parts.append(_wrapped(inner, mark))

    def _is_link(self, i: int) -> bool:
        return self._open[i][0].startswith("(")

    def markdown(self) -> str:
        return "".join(self._parts).strip()


def _wrapped(inner: str, mark: str) -> str:
    words = inner.strip()
    if not words:
        return " "
    before = inner[: len(inner) - len(inner.lstrip())]
    after = inner[len(inner.rstrip()) :]
    if mark == "(" or (mark.startswith("(") and "](" in words):  # no target, or a link in a link
        return inner
    if mark.startswith("("):
        return f"{before}[{words}]{mark}){after}"
    return f"{before}{mark}{words}{mark}{after}"
