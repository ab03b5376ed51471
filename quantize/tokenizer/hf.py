"""The vocabulary that Hugging Face's libraries make of a tokenizer.json and tokenizer_config.json.

The numbers of added tokens are not read but given anew, in order, and a token that is named as
special becomes an added one: what the official converter sees is what these rules leave. What
tokenizer.json says counts for every class, also where transformers 5 would build the class from its
own code. Knows nothing of GGUF.

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

_NAMES = frozenset(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))


# What these classes take for special where tokenizer_config.json does not say.
_DEFAULTS = {
    "LlamaTokenizer": {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
    "GemmaTokenizer": {
        "unk_token": "<unk>",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
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
    _add_listed(vocabulary, files)
    return vocabulary


def _add_listed(vocabulary: HfVocabulary, files: TokenizerFiles) -> None:
    """Add what tokenizer_config.json lists and names. A token it names is special."""
    config = _defaults(files, vocabulary) | _with_special_map(files)
    named, extra = _named_tokens(config), _extra_tokens(config)
    vocabulary.special = frozenset(token.content for token in (*named, *extra))
    names = {token.content for token in named}
    listed = _listed(files, vocabulary)
    vocabulary.add(
        _as_special(listed[number]) if listed[number].content in names else listed[number]
        for number in sorted(listed)
    )
    for token in (*named, *extra):
        if token.content not in vocabulary.added:
            vocabulary.add([token])


def _listed(files: TokenizerFiles, vocabulary: HfVocabulary) -> dict[int, AddedToken]:
    """Added tokens by number, of the files that count where tokenizer_config.json has no list."""
    if files.added_in_config is not None:
        return files.added_in_config
    special = vocabulary.special
    listed = {
        number: AddedToken(text, special=text in special)
        for text, number in files.added_tokens_file.items()
    }
    return listed | {token.id: token for token in vocabulary.json.added_tokens}


def _as_special(token: AddedToken) -> AddedToken:
    return msgspec.structs.replace(token, special=True, normalized=token.is_normalized)


def _defaults(files: TokenizerFiles, vocabulary: HfVocabulary) -> dict[str, Any]:
    class_name = str(files.tokenizer_config.get("tokenizer_class")).removesuffix("Fast")
    tokens = _DEFAULTS.get(class_name, {}) if vocabulary.json.model.byte_fallback else {}
    return {key: text for key, text in tokens.items() if text in vocabulary.numbers}


def _with_special_map(files: TokenizerFiles) -> dict[str, Any]:
    """tokenizer_config.json, overlaid with special_tokens_map.json where it lists no tokens."""
    if files.added_in_config is not None:
        return files.tokenizer_config
    return {**files.tokenizer_config, **files.json_object("special_tokens_map.json")}


def _named_tokens(config: dict[str, Any]) -> list[AddedToken]:
    """`bos_token` and all others that have a name, in the order in which they are added."""
    named = [key for key in config if key.endswith("_token")]
    named.sort(key=lambda key: key not in _NAMES)
    extra = config.get("extra_special_tokens")
    return _tokens([*(config[key] for key in named), *_values(extra)])


def _extra_tokens(config: dict[str, Any]) -> list[AddedToken]:
    """Special tokens that are only listed."""
    listed = config.get("extra_special_tokens") or config.get("additional_special_tokens")
    return _tokens(listed if isinstance(listed, list) else [])


def _values(value: Any) -> list[Any]:
    return [*value.values()] if isinstance(value, dict) else []


def _tokens(values: Iterable[Any]) -> list[AddedToken]:
    """Special tokens written as text, or as an object that may carry flags."""
    tokens = []
    for value in values:
        if isinstance(value, str) and value:
            tokens.append(AddedToken(value, special=True))
        elif isinstance(value, dict) and isinstance(value.get("content"), str):
            normalized = value.get("normalized", not value.get("special")) is True
            tokens.append(AddedToken(value["content"], special=True, normalized=normalized))
    return tokens
