"""The numbers that a tokenizer.json gives a short text, added and special tokens included.

Slow on purpose: one check text is all it is for. Knows no names of pre-tokenizers.

Source: tokenizers 0.23, models/bpe/{model,word}.rs, tokenizer/added_vocabulary.rs, processors/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from quantize.tokenizer.files import AddedToken, Step
from quantize.tokenizer.hf import HfVocabulary
from quantize.tokenizer.pretokenize import UnknownStepError, normalize, split_words


@dataclass(frozen=True)
class _Bpe:
    """The model, with the rank of each pair; `rank` of a pair that does not merge is None."""

    vocabulary: HfVocabulary
    rank: Callable[[str, str], int | None]

    def encode(self, word: str) -> list[int]:
        model = self.vocabulary.json.model
        if model.ignore_merges and word in self.vocabulary.model:
            return [self.vocabulary.model[word]]
        return [self.vocabulary.model[part] for part in self._merged(self._symbols(word))]

    def _symbols(self, word: str) -> list[str]:
        """The letters of `word`; an unknown one becomes bytes, the unknown token or nothing."""
        model = self.vocabulary.json.model
        if model.continuing_subword_prefix or model.end_of_word_suffix:
            raise UnknownStepError("BPE with prefixes or suffixes")
        symbols: list[str] = []
        was_unknown = False
        for letter in word:
            found = self._known(letter)
            if not found and model.unk_token in self.vocabulary.model:
                found = [] if was_unknown and model.fuse_unk else [str(model.unk_token)]
                was_unknown = True
            else:
                was_unknown = False
            symbols += found
        return symbols

    def _known(self, letter: str) -> list[str]:
        if letter in self.vocabulary.model:
            return [letter]
        spelled = [f"<0x{n:02X}>" for n in letter.encode("utf-8")]
        falls_back = self.vocabulary.json.model.byte_fallback
        return spelled if falls_back and all(n in self.vocabulary.model for n in spelled) else []

    def _merged(self, symbols: list[str]) -> list[str]:
        """The lowest rank merges first, and of equal ones the leftmost."""
        ranks = [self.rank(*pair) for pair in pairwise(symbols)]
        while any(rank is not None for rank in ranks):
            _, at = min((rank, at) for at, rank in enumerate(ranks) if rank is not None)
            joined = symbols[at] + symbols[at + 1]
            if joined not in self.vocabulary.model:
                raise UnknownStepError(f"a merge to {joined[:40]!r}, which is no token")
            symbols[at : at + 2] = [joined]
            around = symbols[max(at - 1, 0) : at + 2]
            ranks[max(at - 1, 0) : at + 2] = [self.rank(*pair) for pair in pairwise(around)]
        return symbols


def encode(vocabulary: HfVocabulary, text: str) -> list[int]:
    """The numbers of `text` without what the post-processor adds. Raises UnknownStepError."""
    bpe = _Bpe(vocabulary, _ranks(vocabulary))
    json = vocabulary.json
    numbers: list[int] = []
    raw, normalized = _matchers(vocabulary)
    at_start = True
    for piece, token in _split_added(text, raw):
        if token is not None:
            numbers.append(token)
        else:
            for part, inner in _split_added(normalize(json.normalizer, piece), normalized):
                if inner is not None:
                    numbers.append(inner)
                else:
                    for word in split_words(json.pre_tokenizer, [part], at_start):
                        numbers += bpe.encode(word)
                at_start = False
        at_start = False
    return numbers


def _ranks(vocabulary: HfVocabulary) -> Callable[[str, str], int | None]:
    merges = vocabulary.json.model.merges
    ranks: Mapping[str | tuple[str, str], int] = dict(zip(merges, range(len(merges)), strict=True))
    if merges and isinstance(merges[0], str):
        return lambda left, right: ranks.get(f"{left} {right}")
    return lambda left, right: ranks.get((left, right))


def _matchers(
    vocabulary: HfVocabulary,
) -> tuple[dict[str, tuple[AddedToken, int]], dict[str, tuple[AddedToken, int]]]:
    """Added tokens that are found in the raw text, and those found once it is normalized."""
    raw, normalized = {}, {}
    for text, token in vocabulary.added.items():
        found = (token, vocabulary.numbers[text])
        if token.is_normalized:
            normalized[normalize(vocabulary.json.normalizer, text)] = found
        else:
            raw[text] = found
    return raw, normalized


def _split_added(
    text: str, tokens: Mapping[str, tuple[AddedToken, int]]
) -> Iterator[tuple[str, int | None]]:
    """`text` cut at the added tokens in it, the leftmost and of these the longest first."""
    here = {token: found for token, found in tokens.items() if token and token in text}
    by_length = sorted(here, key=len, reverse=True)
    at = start = 0
    while at < len(text):
        token = next((t for t in by_length if text.startswith(t, at)), None)
        end = at + (1 if token is None else len(token))
        if token is not None and _stands_alone(here[token][0], text, at, end):
            added, number = here[token]
            first = max(len(text[:at].rstrip()), start) if added.lstrip else at
            last = len(text) - len(text[end:].lstrip()) if added.rstrip else end
            if first > start:
                yield text[start:first], None
            if last > first:
                yield token, number
            start = last
        at = end  # also where `rstrip` took more: so does the original
    if start < len(text):
        yield text[start:], None


def _stands_alone(token: AddedToken, text: str, start: int, end: int) -> bool:
    around = text[start - 1 : start] + text[end : end + 1]
    return not (token.single_word and any(c.isalnum() or c == "_" for c in around))


def with_special(post_processor: Step | None, numbers: Sequence[int]) -> list[int]:
    """`numbers` with what the post-processor adds around one text."""
    steps = [post_processor] if post_processor else []
    if post_processor and post_processor.type == "Sequence":
        steps = post_processor.processors or []
    for step in steps:
        if step.type in ("RobertaProcessing", "BertProcessing") and step.cls and step.sep:
            numbers = [step.cls[1], *numbers, step.sep[1]]
        elif step.type == "TemplateProcessing":
            numbers = _fill(step, numbers)
    return [*numbers]


def _fill(step: Step, numbers: Sequence[int]) -> list[int]:
    filled: list[int] = []
    for piece in step.single:
        if piece.special:
            special = step.special_tokens.get(piece.token)
            filled += special.ids if special else []
        else:
            filled += numbers
    return filled
