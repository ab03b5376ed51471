"""Words that a person wants more or less of, as biases on a vocabulary's tokens."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from typing import Any

from app.engine.native import lib

_ID = re.compile(r"\[(\d{1,9})\]")


def token_biases(
    biases: Sequence[tuple[str, float]], vocab: Any, n_vocab: int
) -> Sequence[tuple[int, float]]:
    """(token, bias) for (word, bias): a word's own tokens, with and without a space before it.

    "[123]" is the token of that id. A word that is no single token either way biases all its parts,
    as llama.cpp's server does it. Then the tokens that the model's file says are never written.
    """
    found = {
        token: bias
        for text, bias in biases
        for token in _tokens_of(text, vocab)
        if 0 <= token < n_vocab
    }
    found.update((token, float("-inf")) for token in _never_written(vocab) if token < n_vocab)
    return tuple(found.items())


def _tokens_of(text: str, vocab: Any) -> Iterator[int]:
    if match := _ID.fullmatch(text):
        yield int(match[1])
        return
    forms = [_tokenized(form, vocab) for form in (text, f" {text}")]
    single = [form for form in forms if len(form) == 1]
    for form in single or forms[1:]:
        yield from form


def _tokenized(text: str, vocab: Any) -> Sequence[int]:
    data = text.encode("utf-8", "replace")
    tokens = (lib.llama_token * (len(data) + 8))()
    n = lib.llama_tokenize(vocab, data, len(data), tokens, len(tokens), False, False)
    return list(tokens[: max(0, n)])


def _never_written(vocab: Any) -> Sequence[int]:
    n = ctypes.c_int32(0)
    tokens = lib.llama_vocab_get_suppress_tokens(vocab, ctypes.byref(n))
    return tokens[: n.value] if tokens else ()
