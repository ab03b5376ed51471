"""Oniguruma expressions of tokenizer.json, run by Python's `re` over one short text.

`re` knows no `\\p{L}` and no nested classes. But a text has few different letters, so every class
is written out as those of them that it holds: exact for this text, and for no other. What is not
understood is refused, and so is what could run for ages: an expression comes from a stranger.
Rejected: the package `regex`, a dependency for one text.

Source: Oniguruma, doc/RE and doc/UNICODE_PROPERTIES.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_MAX_CHARS = 4000
_MAX_GROUPS = 20
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_GROUPS = ("(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>")
_QUANTIFIER = re.compile(r"[*+?]|\{\d{1,3}(?:,\d{0,3})?\}")
_CODE = re.compile(r"x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})")
_PROPERTY = re.compile(r"([pP])\{(\^?)([A-Za-z_]+)\}")

Class = frozenset[str]


class ExpressionError(ValueError):
    """An expression that is damaged, not understood or too costly."""


def find_matches(expression: str, text: str) -> list[tuple[int, int]]:
    """Start and end of each match of `expression` in `text`. Raises ExpressionError.

    Empty matches count, but for one right behind another match.
    """
    translated = _Translator(expression, frozenset(text)).translate()
    try:
        spans = [match.span() for match in re.finditer(translated, text)]
    except (re.error, RecursionError, OverflowError) as error:
        raise ExpressionError(f"{error} in {expression[:200]!r}") from error
    ends = {end for start, end in spans if end > start}
    return [(start, end) for start, end in spans if end > start or start not in ends]


class _Translator:
    """One pass from left to right. `alphabet` holds all letters of the text."""

    def __init__(self, expression: str, alphabet: Class) -> None:
        if len(expression) > _MAX_CHARS:
            raise ExpressionError(f"{len(expression)} characters")
        self._expression = expression
        self._alphabet = alphabet
        self._at = 0
        self._groups: list[bool] = []  # whether each open one holds an unbounded repetition

    def translate(self) -> str:
        parts = []
        while self._at < len(self._expression):
            parts.append(self._part())
        if self._groups:
            raise self._error("an open group")
        return "".join(parts)

    def _part(self) -> str:
        letter = self._expression[self._at]
        if letter == "(":
            return self._group()
        if letter == ")":
            return self._group_end()
        if letter in "|^$":
            self._at += 1
            return letter if letter == "|" else f"(?m:{letter})"
        if letter in "*+?{":
            return self._quantifier(repeats_repetition=False)
        if letter == ".":
            self._at += 1
            return self._atom(self._alphabet - {"\n"})
        return self._atom(self._set(self._class() if letter == "[" else self._letter()))

    def _set(self, found: Class | str) -> Class:
        return found if isinstance(found, frozenset) else frozenset(found)

    def _atom(self, letters: Class) -> str:
        atom = _written(letters) + self._quantifiers(holds_repetition=False)
        if atom.endswith("}") and self._expression.startswith("+", self._at):
            self._at += 1  # Oniguruma repeats the interval; it is not a possessive one
            return f"(?:{atom})+"
        return atom

    def _group(self) -> str:
        start = next((g for g in _GROUPS if self._expression.startswith(g, self._at)), "(")
        self._at += len(start)
        if self._expression.startswith("?", self._at) or len(self._groups) >= _MAX_GROUPS:
            raise self._error("a group")
        self._groups.append(False)
        return "(?:" if start == "(" else start

    def _group_end(self) -> str:
        if not self._groups:
            raise self._error("a group's end")
        self._at += 1
        holds = self._groups.pop()
        if holds and self._groups:
            self._groups[-1] = True
        return ")" + self._quantifiers(holds)

    def _quantifiers(self, holds_repetition: bool) -> str:
        if self._at < len(self._expression) and self._expression[self._at] in "*+?{":
            return self._quantifier(holds_repetition)
        return ""

    def _quantifier(self, repeats_repetition: bool) -> str:
        """A quantifier, lazy or possessive ones too. `(a+)+` takes exponential time: refused."""
        found = _QUANTIFIER.match(self._expression, self._at)
        if not found:
            raise self._error("a repetition")
        self._at = found.end()
        suffix = self._expression[self._at : self._at + 1]
        if found[0].endswith("}") or suffix not in ("?", "+"):
            suffix = ""
        self._at += len(suffix)
        unbounded = found[0] in "*+" or found[0].endswith(",}")
        if unbounded and repeats_repetition:
            raise self._error("a repetition of repetitions")
        if unbounded and self._groups:
            self._groups[-1] = True
        return found[0] + suffix

    def _letter(self) -> Class | str:
        """One letter, or the class that an escape stands for."""
        letter = self._expression[self._at]
        self._at += 1
        if letter != "\\":
            return letter
        return self._escape()

    def _escape(self) -> Class | str:
        found = _PROPERTY.match(self._expression, self._at)
        if found:
            self._at = found.end()
            return self._matching(_property(found[3]), (found[1] == "P") != bool(found[2]))
        code = _CODE.match(self._expression, self._at)
        if code:
            self._at = code.end()
            return self._coded(int(code[1] or code[2] or code[3], 16))
        letter = self._expression[self._at : self._at + 1]
        self._at += 1
        if letter in _ESCAPES and letter:
            return _ESCAPES[letter]
        if letter.lower() in _SHORT and letter:
            return self._matching(_SHORT[letter.lower()], letter.isupper())
        if not letter or letter.isalnum():
            raise self._error(f"\\{letter}")
        return letter

    def _coded(self, number: int) -> str:
        if number > 0x10FFFF:
            raise self._error("a letter's number")
        return chr(number)

    def _matching(self, predicate: Callable[[str], bool], negated: bool) -> Class:
        return frozenset(c for c in self._alphabet if predicate(c) != negated)

    def _class(self, depth: int = 0) -> Class:
        """`[…]` with ranges, nested classes and intersections."""
        self._at += 1
        negated = self._expression.startswith("^", self._at)
        self._at += negated
        kept: Class | None = None
        letters: set[str] = set()
        is_first = True
        while is_first or not self._expression.startswith("]", self._at):
            if self._at >= len(self._expression) or depth > _MAX_GROUPS:
                raise self._error("a class")
            is_first = False
            if self._expression.startswith("&&", self._at):
                self._at += 2
                kept = frozenset(letters) if kept is None else kept & letters
                letters = set()
            elif self._expression.startswith("[:", self._at):
                raise self._error("a POSIX class")
            elif self._expression.startswith("[", self._at):
                letters |= self._class(depth + 1)
            else:
                letters |= self._class_item()
        self._at += 1
        result = frozenset(letters) if kept is None else kept & letters
        return self._alphabet - result if negated else result & self._alphabet

    def _class_item(self) -> Class:
        first = self._letter()
        rest = self._expression[self._at : self._at + 2]
        if isinstance(first, frozenset) or rest[:1] != "-" or rest == "-]":
            return self._set(first)
        self._at += 1
        last = self._letter() if len(rest) > 1 else ""
        if isinstance(last, frozenset) or last < first:
            raise self._error("a range")
        return frozenset(c for c in self._alphabet if first <= c <= last)

    def _error(self, what: str) -> ExpressionError:
        return ExpressionError(f"{what} before {self._at} in {self._expression[:200]!r}")


def _written(letters: Class) -> str:
    """A class of `re`; one that holds nothing matches nothing."""
    if not letters:
        return "(?:(?!))"
    return "[" + "".join(f"\\U{ord(c):08x}" for c in sorted(letters)) + "]"


def _property(name: str) -> Callable[[str], bool]:
    """A general category ("Lu", "L") or a script ("Han", by the letters' names)."""
    if len(name) <= 2:
        return lambda c: unicodedata.category(c).startswith(name)
    script = _SCRIPT_NAMES.get(name.lower(), name.upper() + " ")
    return lambda c: unicodedata.name(c, "").startswith(script)


def _is_word(c: str) -> bool:
    return unicodedata.category(c)[0] in "LM" or unicodedata.category(c) in ("Nd", "Pc")


_SCRIPT_NAMES = {"han": "CJK UNIFIED IDEOGRAPH"}
_SHORT: dict[str, Callable[[str], bool]] = {
    "s": str.isspace,
    "d": str.isdecimal,
    "w": _is_word,
}
