"""Measures an importance matrix: reads a text with the model, in chunks, while `Sums` watches.

Attention is llama.cpp's default, as in its own tool, with keys and values in 16 bits. Rejected:
attention in float32 (no flash attention, float32 cache). Its sums are those of an exact forward
pass to 1e-5 where the default's are to 1e-3, but a small model reads 20 to 30 % slower with it.

Source: llama.cpp at 0c1e57098, tools/imatrix/imatrix.cpp (compute_imatrix).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import resources
from quantize import gguf_errors
from quantize.control import Control
from quantize.errors import CheckpointError, UnsupportedError
from quantize.gguf_header import read_header
from quantize.gguf_writer import refuse_existing
from quantize.imatrix import CALIBRATION, Imatrix, write_imatrix
from quantize.imatrix_sums import MIN_TOKENS, Entry, Sums
from quantize.job import Event, MatrixDone, MatrixProgress
from quantize.libllama import lib
from quantize.messages import QT_TRANSLATE_NOOP

N_CTX = 512
_MAX_LOGITS = 32 * 1024**2  # numbers: llama.cpp holds a vocabulary of scores for every token, twice
_MAX_TEXT_BYTES = 64 * 1024**2


def make_matrix(
    model_path: Path,
    out: Path,
    *,
    emit: Callable[[Event], None],
    control: Control,
    n_threads: int,
    text_path: Path | None = None,
) -> Imatrix:
    """Measure `model_path` on `text_path`, or the built-in text, and write the matrix to `out`.

    Raises QuantizeError, Cancelled.
    """
    refuse_existing(out)
    source = text_path or resources.path(CALIBRATION)
    text = _read_text(source)
    began = time.monotonic()

    def on_progress(n_done: int, n_total: int) -> None:
        spent = time.monotonic() - began
        eta_s = spent * (n_total - n_done) / n_done if n_done else 0.0
        emit(MatrixProgress("collect", n_done, n_total, eta_s))

    imatrix = collect(
        model_path,
        text,
        source.name,
        out,
        n_threads=n_threads,
        control=control,
        on_progress=on_progress,
    )
    write_imatrix(imatrix)
    n_tokens = imatrix.n_chunks * imatrix.chunk_size
    emit(MatrixDone(str(out), n_tokens, time.monotonic() - began))
    return imatrix


def collect(
    model_path: Path,
    text: str,
    dataset: str,
    out: Path,
    *,
    n_threads: int,
    control: Control,
    on_progress: Callable[[int, int], None],
    n_ctx: int = N_CTX,
) -> Imatrix:
    """The matrix of the GGUF at `model_path` over the whole chunks of `n_ctx` tokens in `text`.

    `dataset` is what the matrix says it was measured on, `out` the path it will have. Raises
    QuantizeError, Cancelled.
    """
    read_header(model_path)
    sums = Sums(control)
    with _Reader(model_path, n_threads, n_ctx, sums) as reader:
        chunks = reader.chunks(text)
        if not chunks:
            raise CheckpointError(
                model_path, _TOO_SHORT.fill(text=dataset, n_tokens=n_ctx), _TOO_SHORT_HINT
            )
        for n_done, chunk in enumerate(chunks):
            on_progress(n_done, len(chunks))
            reader.read(chunk)
        control.check()
        on_progress(len(chunks), len(chunks))
    if not sums.entries:
        raise UnsupportedError(model_path, _NOTHING.fill(name=model_path.name))
    _check_finite(model_path, sums.entries)
    return Imatrix(
        path=out,
        sums={
            name: entry.sums.astype(np.float32).reshape(len(entry.counts), -1)
            for name, entry in sums.entries.items()
        },
        counts={name: entry.counts.astype(np.float32) for name, entry in sums.entries.items()},
        datasets=(dataset,),
        n_chunks=len(chunks),
        chunk_size=n_ctx,
    )


def _read_text(path: Path) -> str:
    """The text in the file at `path`. Raises CheckpointError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = gguf_errors.cannot_open(path, error)
        raise CheckpointError(path, reason.text, reason.hint, reason.detail) from error
    if len(data) > _MAX_TEXT_BYTES:
        raise CheckpointError(path, _TOO_LONG.fill(name=path.name), _TOO_LONG_HINT)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = _NOT_TEXT.fill(name=path.name)
        raise CheckpointError(path, text, _NOT_TEXT_HINT, str(error)) from error


def _check_finite(model_path: Path, entries: dict[str, Entry]) -> None:
    for name, entry in entries.items():
        if not np.isfinite(entry.sums.astype(np.float32)).all():
            text = _NOT_FINITE.fill(name=model_path.name, tensor=name)
            raise CheckpointError(model_path, text, _NOT_FINITE_HINT)


class _Reader:
    """A model and a context that reads chunks of text, calling back into `sums`."""

    def __init__(self, path: Path, n_threads: int, n_ctx: int, sums: Sums) -> None:
        self._path = path
        self._n_ctx = n_ctx
        self._n_batch = n_ctx
        self._n_threads = n_threads
        self._sums = sums
        self._model: Any = None
        self._context: Any = None
        self._vocab: Any = None
        self._log = lib.llama_log_callback(lambda *_: None)

    def __enter__(self) -> _Reader:
        lib.llama_log_set(self._log, None)
        try:
            lib.llama_backend_init()
            self._load()
            self._n_batch = self._batch_size()
            self._context = lib.llama_init_from_model(self._model, self._params())
            if not self._context:
                raise UnsupportedError(self._path, _NO_MEMORY.fill(name=self._path.name))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._context:
            lib.llama_free(self._context)
        if self._model:
            lib.llama_model_free(self._model)
        self._context = self._model = None
        lib.llama_log_set(lib.llama_log_callback(), None)

    def _load(self) -> None:
        control = self._sums.control
        params = lib.llama_model_default_params()
        params.progress_callback = lib.llama_progress_callback(lambda *_: not control.cancelled)
        self._model = lib.llama_model_load_from_file(os.fsencode(self._path), params)
        control.check()
        if not self._model or lib.llama_model_has_encoder(self._model):
            raise self._cannot_read()
        self._vocab = lib.llama_model_get_vocab(self._model)
        if lib.llama_vocab_type(self._vocab) == lib.LLAMA_VOCAB_TYPE_NONE:
            raise self._cannot_read()

    def _cannot_read(self) -> UnsupportedError:
        return UnsupportedError(self._path, _CANNOT_READ.fill(name=self._path.name))

    def _batch_size(self) -> int:
        """Tokens at a time: a power of two that keeps the unused scores of all of them small."""
        most = max(MIN_TOKENS, _MAX_LOGITS // int(lib.llama_vocab_n_tokens(self._vocab)))
        return min(self._n_ctx, 1 << (most.bit_length() - 1))

    def _params(self) -> Any:
        params = lib.llama_context_default_params()
        params.n_ctx = self._n_ctx
        params.n_batch = params.n_ubatch = self._n_batch
        params.n_threads = params.n_threads_batch = self._n_threads
        params.cb_eval = self._sums.callback
        return params

    def chunks(self, text: str) -> list[list[int]]:
        """The text's tokens in whole chunks, each beginning as a prompt does.

        What looks like a special token in the text is text.
        """
        data = text.encode("utf-8", "replace")
        tokens, n = self._tokens(data, len(data) + 8)
        if n < 0:  # with few words a blank becomes three tokens
            tokens, n = self._tokens(data, -n)
        if n < 0:
            raise self._cannot_read()
        whole = range(0, n - self._n_ctx + 1, self._n_ctx)
        chunks = [list(tokens[start : start + self._n_ctx]) for start in whole]
        if lib.llama_vocab_get_add_bos(self._vocab):
            for chunk in chunks:
                chunk[0] = lib.llama_vocab_bos(self._vocab)
        return chunks

    def _tokens(self, data: bytes, n_max: int) -> tuple[Any, int]:
        """The tokens and how many they are; negative where `n_max` are too few."""
        tokens = (lib.llama_token * n_max)()
        n = lib.llama_tokenize(self._vocab, data, len(data), tokens, n_max, True, False)
        return tokens, int(n)

    def read(self, chunk: Sequence[int]) -> None:
        """One chunk from an empty memory. Raises UnsupportedError, Cancelled."""
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        for start in range(0, len(chunk), self._n_batch):
            self._sums.control.check()
            self._sums.begin_batch()
            failed = self._decode(chunk[start : start + self._n_batch], start)
            if self._sums.error is not None:
                raise self._sums.error
            if failed:
                raise self._cannot_read()

    def _decode(self, tokens: Sequence[int], first: int) -> int:
        """Asks for the scores of all tokens: else the last block would see only the last one."""
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for i, token in enumerate(tokens):
                batch.token[i] = token
                batch.pos[i] = first + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = 1
            return int(lib.llama_decode(self._context, batch))
        finally:
            lib.llama_batch_free(batch)


_TOO_SHORT = QT_TRANSLATE_NOOP("imatrix", "{text} is too short: {n_tokens} tokens are needed.")
_TOO_SHORT_HINT = QT_TRANSLATE_NOOP("imatrix", "Take a text of some ten thousand words.")
_TOO_LONG = QT_TRANSLATE_NOOP("imatrix", "{name} is too large for a text to measure on.")
_TOO_LONG_HINT = QT_TRANSLATE_NOOP("imatrix", "Take a part of it: a megabyte is plenty.")
_NOT_TEXT = QT_TRANSLATE_NOOP("imatrix", "{name} is not a text in UTF-8.")
_NOT_TEXT_HINT = QT_TRANSLATE_NOOP("imatrix", "Save it as plain text in UTF-8.")
_CANNOT_READ = QT_TRANSLATE_NOOP("imatrix", "llama.cpp cannot read a text with {name}.")
_NO_MEMORY = QT_TRANSLATE_NOOP("imatrix", "There is not enough memory to read a text with {name}.")
_NOTHING = QT_TRANSLATE_NOOP("imatrix", "{name} has no weights that could be measured.")
_NOT_FINITE = QT_TRANSLATE_NOOP(
    "imatrix", "{name} computes numbers that are not finite for {tensor}."
)
_NOT_FINITE_HINT = QT_TRANSLATE_NOOP(
    "imatrix", "The model is damaged. Download it again, or choose another one."
)
