"""A folder's tokenizer files, read with bounds and checked for their shape; decides nothing.

Files come from strangers: sizes are capped, and what does not have the right shape is refused here
with the place in its detail, so that the modules above can trust kinds. Steps (normalizers,
pre-tokenizers, post-processors, decoders) share one struct with every field any of them has.
"""

from __future__ import annotations

import json
import stat
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from quantize.tokenizer import errors

_MAX_BYTES = 256 * 1024**2  # the largest known tokenizer.json has 35 MB
MAX_VOCAB = 2**24


class AddedToken(msgspec.Struct, frozen=True):
    """A token beside the model's own. `normalized` None: not `special`, as Hugging Face has it."""

    content: str
    id: int = -1
    special: bool = False
    normalized: bool | None = None
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False

    @property
    def is_normalized(self) -> bool:
        return not self.special if self.normalized is None else self.normalized


class Pattern(msgspec.Struct, frozen=True):
    """What to split at or to replace: plain text or an Oniguruma expression."""

    text: str | None = msgspec.field(name="String", default=None)
    regex: str | None = msgspec.field(name="Regex", default=None)


class TemplatePart(msgspec.Struct, frozen=True):
    id: str = ""


class TemplatePiece(msgspec.Struct, frozen=True):
    """One place of a template: a special token or a sequence."""

    special: TemplatePart | None = msgspec.field(name="SpecialToken", default=None)
    sequence: TemplatePart | None = msgspec.field(name="Sequence", default=None)

    @property
    def token(self) -> str:
        """The special token's text, or ""."""
        return self.special.id if self.special else ""


class SpecialIds(msgspec.Struct, frozen=True):
    ids: list[int] = []


class Step(msgspec.Struct, frozen=True):
    """A normalizer, pre-tokenizer, post-processor or decoder: `type` says which fields count."""

    type: str = ""
    normalizers: list[Step] = []
    pretokenizers: list[Step] = []
    processors: list[Step] | None = None
    decoders: list[Step] = []
    pattern: Pattern | str | None = None
    content: str = ""
    prepend: str = ""
    behavior: str = "Isolated"
    invert: bool = False
    add_prefix_space: bool = True
    use_regex: bool = True
    individual_digits: bool = False
    replacement: str = "▁"
    prepend_scheme: str | None = None
    split: bool = True
    start: int = 0
    stop: int = 0
    strip_left: bool = True
    strip_right: bool = True
    lowercase: bool | None = None
    strip_accents: bool | None = None
    single: list[TemplatePiece] = []
    pair: list[TemplatePiece] = []
    special_tokens: dict[str, SpecialIds] = {}
    cls: tuple[str, int] | None = None
    sep: tuple[str, int] | None = None


class BpeModel(msgspec.Struct, frozen=True):
    """The `model` of a tokenizer.json. A Unigram's vocabulary is a list of text and score."""

    vocab: dict[str, int] | list[Any] = {}
    type: str | None = None
    merges: list[str | tuple[str, str]] = []
    unk_token: str | None = None
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None
    fuse_unk: bool = False
    byte_fallback: bool | None = None
    ignore_merges: bool | None = None


class TokenizerJson(msgspec.Struct, frozen=True):
    model: BpeModel
    added_tokens: list[AddedToken] = []
    normalizer: Step | None = None
    pre_tokenizer: Step | None = None
    post_processor: Step | None = None
    decoder: Step | None = None


class TokenizerFiles:
    """The files of one folder, each read when asked for and kept. Raises CheckpointError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        return self.folder / name

    def has(self, name: str) -> bool:
        return self.path(name).is_file()

    def read(self, name: str) -> bytes:
        """The whole file, which must not be larger than any tokenizer's."""
        path = self.path(name)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise errors.damaged(path, "not a regular file")
            if status.st_size > _MAX_BYTES:
                raise errors.too_large(path, status.st_size)
            return path.read_bytes()
        except OSError as error:
            raise errors.unreadable(path, error) from error

    def text(self, name: str) -> str:
        """The whole file, with universal newlines as Python's text files have them."""
        try:
            text = self.read(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise errors.damaged(self.path(name), str(error)) from error
        return text.replace("\r\n", "\n").replace("\r", "\n")

    @cached_property
    def tokenizer(self) -> TokenizerJson | None:
        """tokenizer.json, or None where there is none."""
        if not self.has("tokenizer.json"):
            return None
        try:
            return msgspec.json.decode(self.read("tokenizer.json"), type=TokenizerJson)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise errors.damaged(self.path("tokenizer.json"), str(error)) from error

    @cached_property
    def tokenizer_config(self) -> dict[str, Any]:
        """tokenizer_config.json, or nothing."""
        return self.json_object("tokenizer_config.json")

    @cached_property
    def added_in_config(self) -> dict[int, AddedToken] | None:
        """`added_tokens_decoder` of tokenizer_config.json by number, or None without it."""
        if "added_tokens_decoder" not in self.tokenizer_config:
            return None
        path = self.path("tokenizer_config.json")
        tokens = self._converted(
            path, self.tokenizer_config["added_tokens_decoder"], dict[str, AddedToken]
        )
        return {_number(path, key): token for key, token in tokens.items()}

    @cached_property
    def added_tokens_file(self) -> dict[str, int]:
        """added_tokens.json, or nothing."""
        value = self.json_object("added_tokens.json")
        tokens: dict[str, int] = self._converted(
            self.path("added_tokens.json"), value, dict[str, int]
        )
        for number in tokens.values():
            _number(self.path("added_tokens.json"), str(number))
        return tokens

    def json_object(self, name: str) -> dict[str, Any]:
        """The JSON object in the file `name`; empty where there is no such file."""
        if not self.has(name):
            return {}
        try:
            value = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise errors.damaged(self.path(name), str(error)) from error
        if not isinstance(value, dict):
            raise errors.damaged(self.path(name), f"a {type(value).__name__}, not an object")
        return value

    @staticmethod
    def _converted(path: Path, value: object, type_: Any) -> Any:
        try:
            return msgspec.convert(value, type_)
        except (msgspec.ValidationError, RecursionError) as error:
            raise errors.damaged(path, str(error)) from error


def _number(path: Path, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < MAX_VOCAB):
        raise errors.damaged(path, f"token number {text[:40]!r}")
    return int(text)
