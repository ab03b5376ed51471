"""The vocabulary that Hugging Face's libraries make of a tokenizer.json and tokenizer_config.json.

The numbers of added tokens are not read but given anew, in order, and a token that is named as
special becomes an added one: what the official converter sees is what these rules leave. Knows
nothing of GGUF.

Source: tokenizers 0.23, added_vocabulary.rs (add_tokens); transformers 5.23,
tokenization_utils_base.py (_from_pretrained) and tokenization_utils_tokenizers.py
(TokenizersBackend.__init__).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from quantize.tokenizer import errors
from quantize.tokenizer.files import MAX_VOCAB, AddedToken, TokenizerFiles, TokenizerJson

_NAMED = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
# What a tokenizer's class takes for special where tokenizer_config.json does not say.
_DEFAULTS: dict[str, dict[str, str]] = {
    "LlamaTokenizer": {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
    "GemmaTokenizer": {
        "unk_token": "<unk>",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    },
    "Qwen2Tokenizer": dict.fromkeys(("unk_token", "eos_token", "pad_token"), "<|endoftext|>"),
    "GPT2Tokenizer": dict.fromkeys(("unk_token", "bos_token", "eos_token"), "<|endoftext|>"),
    "CohereTokenizer": {
        "unk_token": "<UNK>",
        "bos_token": "<BOS_TOKEN>",
        "eos_token": "<|END_OF_TURN_TOKEN|>",
        "pad_token": "<PAD>",
        "cls_token": "<CLS>",
        "sep_token": "<SEP>",
        "mask_token": "<MASK_TOKEN>",
    },
}


@dataclass
class HfVocabulary:
    """`model` is the model's own vocabulary, `added` the other tokens, `special` all special texts.

    `numbers` has the number of every token, added ones included.
    """

    path: Path
    json: TokenizerJson
    model: dict[str, int]
    added: dict[str, AddedToken] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    special: frozenset[str] = frozenset()

    @property
    def n_tokens(self) -> int:
        """One more than the highest number."""
        return max(self.numbers.values(), default=-1) + 1

    def add(self, tokens: Iterable[AddedToken]) -> None:
        """Take `tokens` in; one that is there already gets the newer flags."""
        last = max((self.numbers[text] for text in self.added), default=-1)
        for token in tokens:
            if token.content in self.numbers:
                number = self.numbers[token.content]
            else:
                number = max(last + 1, len(self.model))
            if token.content:
                self.added[token.content] = token
                self.numbers[token.content] = number
                last = max(last, number)


def read_vocabulary(files: TokenizerFiles) -> HfVocabulary:
    """The vocabulary of a tokenizer.json of type BPE. Raises CheckpointError, UnsupportedError."""
    path = files.path("tokenizer.json")
    json = files.tokenizer
    if json is None:
        raise errors.missing(files.folder, "tokenizer.json")
    if json.model.type != "BPE" or not isinstance(json.model.vocab, dict):
        raise errors.unknown_kind(path, json.model.type or "without a type")
    model = json.model.vocab
    if not model or not 0 <= min(model.values()) <= max(model.values()) < MAX_VOCAB:
        raise errors.damaged(path, "no tokens, or numbers out of range")
    vocabulary = HfVocabulary(path, json, model, numbers=dict(model))
    vocabulary.add(json.added_tokens)
    in_config = files.added_in_config or {}
    vocabulary.add(in_config[number] for number in sorted(in_config))
    _add_special(vocabulary, files)
    return vocabulary


def _add_special(vocabulary: HfVocabulary, files: TokenizerFiles) -> None:
    named, extra = _special_tokens(files, vocabulary)
    vocabulary.special = frozenset(token.content for token in (*named, *extra))
    for token in named:
        known = vocabulary.added.get(token.content)
        if known is None:
            vocabulary.add([token])
        elif not known.special:
            normalized = known.is_normalized
            vocabulary.add([msgspec.structs.replace(known, special=True, normalized=normalized)])
    vocabulary.add(token for token in extra if token.content not in vocabulary.added)


def _special_tokens(
    files: TokenizerFiles, vocabulary: HfVocabulary
) -> tuple[list[AddedToken], list[AddedToken]]:
    """The tokens named in tokenizer_config.json, and those it lists as further special ones."""
    config = _with_special_map(files)
    class_name = str(config.get("tokenizer_class")).removesuffix("Fast")
    defaults = _DEFAULTS.get(class_name, {})
    if class_name == "LlamaTokenizer" and not vocabulary.json.model.byte_fallback:
        defaults = {}
    named = {key: config[key] for key in config if key.endswith("_token")}
    for key, text in defaults.items():
        if text in vocabulary.numbers:
            named.setdefault(key, text)
    order = [key for key in named if key in _NAMED] + [key for key in named if key not in _NAMED]
    listed = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    if isinstance(listed, dict):
        return _tokens([*(named[key] for key in order), *listed.values()]), []
    return _tokens(named[key] for key in order), _tokens(listed if isinstance(listed, list) else [])


def _with_special_map(files: TokenizerFiles) -> dict[str, Any]:
    """tokenizer_config.json, overlaid with special_tokens_map.json where it lists no tokens."""
    if files.added_in_config is not None:
        return files.tokenizer_config
    return {**files.tokenizer_config, **files.object("special_tokens_map.json")}


def _tokens(values: Iterable[Any]) -> list[AddedToken]:
    """Special tokens written as text, or as an object that may carry flags."""
    tokens = []
    for value in values:
        if isinstance(value, str) and value:
            tokens.append(AddedToken(value, special=True))
        elif isinstance(value, dict) and isinstance(value.get("content"), str):
            normalized = value.get("normalized") is True
            tokens.append(AddedToken(value["content"], special=True, normalized=normalized))
    return tokens
