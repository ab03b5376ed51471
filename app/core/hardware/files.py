"""The system's text files behind a Protocol, so that recordings of other machines can stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

_LIMIT_BYTES = 4_000_000  # /proc and /sys hold nothing longer; the list of PCI names is 1.5 MB


class Files(Protocol):
    """Reading never raises: what is missing or may not be read is empty."""

    def text(self, path: str) -> str: ...

    def names(self, folder: str) -> tuple[str, ...]:
        """The entries of `folder`, sorted."""
        ...


class SystemFiles:
    """The files of this computer."""

    def text(self, path: str) -> str:
        try:
            with Path(path).open("rb") as file:
                return file.read(_LIMIT_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def names(self, folder: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(entry.name for entry in Path(folder).iterdir()))
        except OSError:
            return ()


def fields(text: str, separator: str = ":") -> dict[str, str]:
    """The "name: value" lines of `text`; of lines with the same name the first counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, middle, value = line.partition(separator)
        if middle:
            found.setdefault(name.strip(), value.strip())
    return found


def number(text: str, default: int = 0) -> int:
    """A whole number from 0 up, decimal or after 0x, and whatever follows it; else `default`."""
    word = text.split()[0] if text.split() else ""
    try:
        value = int(word, 16 if word[:2].lower() == "0x" else 10)
    except ValueError:
        return default
    return value if 0 <= value < 2**64 else default


def number_list(text: str) -> frozenset[int]:
    """The kernel's lists: "0-3,8,10-11". What is not a number is left out."""
    found: set[int] = set()
    for piece in text.strip().split(","):
        first, _, last = piece.partition("-")
        if first.isdecimal() and (not last or last.isdecimal()):
            low, high = int(first), int(last or first)
            found.update(range(low, min(high, low + 65_535) + 1))
    return frozenset(found)
