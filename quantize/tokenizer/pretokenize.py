"""How a tokenizer.json normalizes a text and cuts it into words, before any merging.

Exact for what the known tokenizers use; the rest is refused. Words are as byte-level letters where
the tokenizer works on bytes.

Source: tokenizers 0.23, normalizers/ and pre_tokenizers/, tokenizer/normalizer.rs (split).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from quantize.tokenizer.bytelevel import to_letters
from quantize.tokenizer.expression import find_matches
from quantize.tokenizer.files import Pattern, Step

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORDS = r"[\w\u200c\u200d]+|[^\w\s\u200c\u200d]+"  # Rust's \w, which has the two joiners

Span = tuple[int, int]


class UnknownStepError(ValueError):
    """A normalizer or pre-tokenizer that is not known here."""


def normalize(step: Step | None, text: str) -> str:
    """Raises UnknownStepError, ExpressionError."""
    if step is None:
        return text
    if step.type == "Sequence":
        for inner in step.normalizers:
            text = normalize(inner, text)
        return text
    simple = _NORMALIZERS.get(step.type)
    if simple is None:
        raise UnknownStepError(f"normalizer {step.type}")
    return simple(step, text)


def _replace(step: Step, text: str) -> str:
    kept, at = [], 0
    for start, end in _matches(step, text):
        kept += [text[at:start], step.content]
        at = end
    return "".join(kept) + text[at:]


def _strip(step: Step, text: str) -> str:
    text = text.lstrip() if step.strip_left else text
    return text.rstrip() if step.strip_right else text


def _strip_accents(_: Step, text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c)[0] != "M")


_NORMALIZERS: dict[str, Callable[[Step, str], str]] = {
    "NFC": lambda _, text: unicodedata.normalize("NFC", text),
    "NFD": lambda _, text: unicodedata.normalize("NFD", text),
    "NFKC": lambda _, text: unicodedata.normalize("NFKC", text),
    "NFKD": lambda _, text: unicodedata.normalize("NFKD", text),
    "Replace": _replace,
    "Prepend": lambda step, text: step.prepend + text if text else text,
    "Lowercase": lambda _, text: text.lower(),
    "Strip": _strip,
    "StripAccents": _strip_accents,
}


def split_words(step: Step | None, words: Sequence[str], is_start: bool) -> list[str]:
    """Each of `words` cut as `step` says; `is_start`: the first one begins the whole text.

    Raises UnknownStepError, ExpressionError.
    """
    if step is None:
        return [*words]
    if step.type == "Sequence":
        for inner in step.pretokenizers:
            words = split_words(inner, words, is_start)
        return [*words]
    cut = _PRE_TOKENIZERS.get(step.type)
    if cut is None:
        raise UnknownStepError(f"pre-tokenizer {step.type}")
    cut_words = (cut(step, word, is_start and at == 0) for at, word in enumerate(words))
    return [part for parts in cut_words for part in parts if part]


def _split(step: Step, word: str, _: bool) -> list[str]:
    return _cut(word, _matches(step, word), step.behavior, step.invert)


def _byte_level(step: Step, word: str, _: bool) -> list[str]:
    if step.add_prefix_space and not word.startswith(" "):
        word = " " + word
    words = _cut(word, find_matches(_GPT2, word), "Isolated") if step.use_regex else [word]
    return [to_letters(part) for part in words]


def _digits(step: Step, word: str, _: bool) -> list[str]:
    behavior = "Isolated" if step.individual_digits else "Contiguous"
    return _cut(word, _letters(word, lambda c: unicodedata.category(c)[0] == "N"), behavior)


def _punctuation(step: Step, word: str, _: bool) -> list[str]:
    return _cut(word, _letters(word, _is_punctuation), step.behavior)


def _is_punctuation(c: str) -> bool:
    return c in _ASCII or unicodedata.category(c)[0] == "P"


_ASCII = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def _whitespace(_: Step, word: str, __: bool) -> list[str]:
    return _cut(word, find_matches(_WORDS, word), "Removed", invert=True)


def _whitespace_split(_: Step, word: str, __: bool) -> list[str]:
    return word.split()


def _metaspace(step: Step, word: str, is_start: bool) -> list[str]:
    mark = step.replacement
    word = word.replace(" ", mark)
    scheme = step.prepend_scheme or ("always" if step.add_prefix_space else "never")
    if (scheme == "always" or (scheme == "first" and is_start)) and not word.startswith(mark):
        word = mark + word
    return _cut(word, _letters(word, mark.__eq__), "MergedWithNext") if step.split else [word]


_PRE_TOKENIZERS: dict[str, Callable[[Step, str, bool], list[str]]] = {
    "Split": _split,
    "ByteLevel": _byte_level,
    "Digits": _digits,
    "Punctuation": _punctuation,
    "Whitespace": _whitespace,
    "WhitespaceSplit": _whitespace_split,
    "Metaspace": _metaspace,
}


def _matches(step: Step, text: str) -> list[Span]:
    pattern = step.pattern
    if isinstance(pattern, Pattern) and pattern.regex is not None:
        return find_matches(pattern.regex, text)
    plain = pattern.text if isinstance(pattern, Pattern) else pattern
    if not plain:
        raise UnknownStepError(f"{step.type} without a pattern")
    found, at = [], text.find(plain)
    while at >= 0:
        found.append((at, at + len(plain)))
        at = text.find(plain, at + len(plain))
    return found


def _letters(word: str, predicate: Callable[[str], bool]) -> list[Span]:
    return [(at, at + 1) for at, c in enumerate(word) if predicate(c)]


def _cut(word: str, matches: Sequence[Span], behavior: str, invert: bool = False) -> list[str]:
    """`word` cut at `matches`; `behavior` says which piece keeps what matched."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    for start, end in [*matches, (len(word), len(word))]:
        if at < start:
            pieces.append((word[at:start], invert))
        pieces.append((word[start:end], not invert))
        at = end
    pieces.pop()
    join = _BEHAVIORS.get(behavior.lower().replace("_", ""))
    if join is None:
        raise UnknownStepError(f"split behavior {behavior}")
    return join(pieces)


def _merged_with_previous(pieces: Sequence[tuple[str, bool]]) -> list[str]:
    words: list[str] = []
    was_match = True
    for text, is_match in pieces:
        if is_match and not was_match:
            words[-1] += text
        else:
            words.append(text)
        was_match = is_match
    return words


def _merged_with_next(pieces: Sequence[tuple[str, bool]]) -> list[str]:
    backwards = [(text[::-1], is_match) for text, is_match in reversed(pieces)]
    return [text[::-1] for text in reversed(_merged_with_previous(backwards))]


def _contiguous(pieces: Sequence[tuple[str, bool]]) -> list[str]:
    words: list[str] = []
    previous: bool | None = None
    for text, is_match in pieces:
        if is_match == previous:
            words[-1] += text
        else:
            words.append(text)
        previous = is_match
    return words


_BEHAVIORS: dict[str, Callable[[Sequence[tuple[str, bool]]], list[str]]] = {
    "isolated": lambda pieces: [text for text, _ in pieces],
    "removed": lambda pieces: [text for text, is_match in pieces if not is_match],
    "mergedwithprevious": _merged_with_previous,
    "mergedwithnext": _merged_with_next,
    "contiguous": _contiguous,
}
