"""One loaded GGUF: weights and vocabulary. Text in and out of token ids.

Source: include/llama.h at the pinned commit (llama-cpp-python 0.3.36 carries 0c1e57098).
"""

from __future__ import annotations

import ctypes
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.core.errors import QT_TRANSLATE_NOOP, EngineError, ModelFileError
from app.core.fit import shape_of
from app.core.fit.repacking import maps_file, repacked_bytes
from app.engine import devices
from app.engine.native import lib
from quantize.errors import GgufError
from quantize.gguf_header import GgufHeader, read_header

_LOG_ERROR = 4
_AUTO, _READ = -1, 0  # llama_load_mode: as the devices have it, or without mapping the file
_KEPT_LOG_LINES = 400
_SPECIAL = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED
_TAG_CHARS = 200  # no special token is longer
_CELLS = re.compile(r"size = *([\d.]+) MiB \( *\d+ cells,.*K \(")


_called: list[object] = []  # llama.cpp keeps the last callback; it must live as long


class NativeLog:
    """llama.cpp's log, kept in memory: buffer sizes and reasons of failure are only said there."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, str]] = []
        self._callback = lib.llama_log_callback(self._on_line)
        lib.llama_log_set(self._callback, None)
        _called.append(self._callback)
        del _called[:-1]

    def clear(self) -> None:
        self._lines.clear()

    def errors(self) -> str:
        return "".join(text for level, text in self._lines if level == _LOG_ERROR)

    def buffer_bytes(self, kind: str) -> int:
        """The sum of the "… {kind} buffer size = N MiB" lines, in bytes."""
        return sum(n_bytes for _, n_bytes in self.buffers(kind))

    def buffers(self, kind: str) -> tuple[tuple[str, int], ...]:
        """The same line by line, each with the buffer's name: "CPU", "CUDA0", "CUDA_Host" …"""
        pattern = re.compile(rf"(\S+) +{kind} buffer size = *([\d.]+) MiB")
        lines = (pattern.search(text) for _, text in self._lines)
        return tuple((line[1], _bytes(line[2])) for line in lines if line)

    def cache_bytes(self) -> int:
        """What the caches of keys and values come to, which a load without memory says as well."""
        sizes = (_CELLS.search(text) for _, text in self._lines)
        return sum(_bytes(size[1]) for size in sizes if size)

    def _on_line(self, level: int, text: bytes, _user_data: Any) -> None:
        if level >= _LOG_ERROR or b"buffer size" in text or b" cells," in text:
            self._lines.append((level, text.decode("utf-8", "replace")))
            del self._lines[:-_KEPT_LOG_LINES]


def _bytes(mebibytes: str) -> int:
    return round(float(mebibytes) * 1024 * 1024)


class Model:
    """A GGUF in memory. `on_progress` gets the fraction loaded and returns False to give up.

    `without_weights`: only what they would take is found out; the rest of the file is not read.
    Raises ModelFileError for a file that cannot be used, EngineError where memory is short.
    """

    def __init__(
        self,
        path: Path,
        n_gpu_layers: int,
        log: NativeLog,
        on_progress: Callable[[float], bool],
        *,
        without_weights: bool = False,
    ) -> None:
        self.header = checked_header(path)
        params = lib.llama_model_default_params()
        params.n_gpu_layers = n_gpu_layers
        params.no_alloc = without_weights
        params.load_mode = _READ if without_weights or not _is_mapped(self.header) else _AUTO
        progress = lib.llama_progress_callback(lambda fraction, _: on_progress(fraction))
        params.progress_callback = progress
        self.handle = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise _load_error(self.header, path, log.errors())
        self.vocab = lib.llama_model_get_vocab(self.handle)
        self.n_vocab = int(lib.llama_vocab_n_tokens(self.vocab))
        self.n_ctx_train = int(lib.llama_model_n_ctx_train(self.handle))
        self.n_params = int(lib.llama_model_n_params(self.handle))
        self.size_bytes = int(lib.llama_model_size(self.handle))
        self.can_rewind = not (  # a recurrent state cannot be taken back token by token
            lib.llama_model_is_recurrent(self.handle) or lib.llama_model_is_hybrid(self.handle)
        )
        self.n_swa = int(lib.llama_model_n_swa(self.handle))
        self._piece_buffer = ctypes.create_string_buffer(512)
        self._shown_tokens = self._end_tokens = self._inner_tokens = frozenset[int]()

    @property
    def bos(self) -> int:
        return int(lib.llama_vocab_bos(self.vocab))

    @property
    def fingerprint(self) -> str:
        """Tells this file from any other, and from itself once changed: header, size, time."""
        path, header = self.header.path, self.header
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(header.data_offset)).hexdigest()
        return f"{digest} {header.file_size_bytes} {path.stat().st_mtime_ns}"

    def token_text(self, token: int) -> str:
        """The text of a special token as the vocabulary writes it; "" for none."""
        if token < 0:
            return ""
        return bytes(lib.llama_vocab_get_text(self.vocab, token) or b"").decode("utf-8", "replace")

    @property
    def bos_text(self) -> str:
        return self.token_text(self.bos)

    @property
    def eos_text(self) -> str:
        return self.token_text(int(lib.llama_vocab_eos(self.vocab)))

    def mark(self, ends: frozenset[int], inner: frozenset[int], shown: frozenset[int]) -> None:
        """Tokens that end a turn, that do not whatever the file says, and whose text is wanted."""
        self._end_tokens, self._inner_tokens, self._shown_tokens = ends, inner, shown

    def is_end(self, token: int) -> bool:
        if token in self._end_tokens or token in self._inner_tokens:
            return token in self._end_tokens
        return bool(lib.llama_vocab_is_eog(self.vocab, token))

    def special_tokens(self, text: str) -> Sequence[int]:
        """The tokens in `text` that are not made of its characters: control and user-defined."""
        return [token for token in self.tokenize(text, add_special=False) if self._special(token)]

    def first_special(self, text: str) -> int | None:
        """The token that `text` begins with, where it is a special one."""
        tokens = self.tokenize(text[:_TAG_CHARS], add_special=False)
        return tokens[0] if tokens and self._special(tokens[0]) else None

    def _special(self, token: int) -> bool:
        return bool(lib.llama_vocab_get_attr(self.vocab, token) & _SPECIAL)

    def tokenize(self, text: str, add_special: bool = True) -> Sequence[int]:
        """Token ids of `text`, int32; special tokens written in the text are recognised."""
        data = text.encode("utf-8", "replace")
        capacity = len(data) + 8
        tokens = (lib.llama_token * capacity)()
        n = lib.llama_tokenize(self.vocab, data, len(data), tokens, capacity, add_special, True)
        if n < 0:
            raise EngineError(QT_TRANSLATE_NOOP("engine", "The text could not be tokenized."))
        return list(tokens[:n])

    def tokenize_prompt(self, text: str) -> Sequence[int]:
        """As `tokenize`, with one beginning-of-text token where the vocabulary asks for it."""
        bos = self.bos_text
        return self.tokenize(text, add_special=not (bos and text.startswith(bos)))

    def piece(self, token: int) -> bytes:
        """The UTF-8 bytes of `token`, perhaps part of a character; control tokens are empty."""
        special = token in self._shown_tokens
        buffer = self._piece_buffer
        n = lib.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, special)
        if n < 0:
            self._piece_buffer = buffer = ctypes.create_string_buffer(-n)
            n = lib.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[: max(n, 0)]

    def close(self) -> None:
        if self.handle:
            lib.llama_model_free(self.handle)
            self.handle = None


def _is_mapped(header: GgufHeader) -> bool:
    """Whether the file is mapped: not where much of it would then lie in memory twice."""
    if devices.has_gpu():
        return True
    try:
        shape = shape_of(header)
    except GgufError:  # the load will say what is wrong
        return True
    return maps_file(repacked_bytes(shape, devices.cpu_features()), shape.weights_bytes)


def checked_header(path: Path) -> GgufHeader:
    """The header, checked against the file's size. Raises ModelFileError."""
    try:
        return read_header(path)
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error


def _load_error(header: GgufHeader, path: Path, log: str) -> ModelFileError | EngineError:
    if "unknown model architecture" in log:
        return ModelFileError(
            QT_TRANSLATE_NOOP("engine", "Nibble cannot run models of the kind “{kind}” yet.").fill(
                kind=header.architecture
            ),
            QT_TRANSLATE_NOOP("engine", "Choose another model, or update Nibble."),
            log,
        )
    if is_out_of_memory(log):
        return out_of_memory(log)
    return ModelFileError(
        QT_TRANSLATE_NOOP("engine", "{name} cannot be loaded.").fill(name=path.name),
        QT_TRANSLATE_NOOP("engine", "The file may be damaged. Get it again, or choose another."),
        log,
    )


def is_out_of_memory(log: str) -> bool:
    marks = ("failed to allocate", "unable to allocate", "out of memory", "OutOfMemory", "ENOMEM")
    return any(mark in log for mark in marks)


class MemoryShortError(EngineError):
    """llama.cpp could not get the memory it asked for."""


def out_of_memory(log: str) -> MemoryShortError:
    return MemoryShortError(
        QT_TRANSLATE_NOOP("engine", "This computer has too little free memory for this model."),
        QT_TRANSLATE_NOOP(
            "engine", "Close some programs, choose a smaller model, or a smaller context."
        ),
        log,
    )
