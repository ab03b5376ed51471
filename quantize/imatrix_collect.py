"""Measures an importance matrix: reads a text with the model and watches its matrix products.

llama.cpp calls back around every operation; for each product of a block's weight with activations
the squares of the activations are summed by column. The last product of the last block ends the
graph early: nobody needs the vocabulary's scores, so reading costs less than it usually does.

Source: llama.cpp at 0c1e57098, tools/imatrix/imatrix.cpp (collect_imatrix, compute_imatrix), which
this follows in what is counted; ggml/include/ggml.h for the struct.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import resources
from quantize import native
from quantize.control import Control
from quantize.errors import CheckpointError, UnsupportedError
from quantize.gguf_header import read_header
from quantize.imatrix import CALIBRATION, Imatrix, write_imatrix
from quantize.job import Event, MatrixDone, MatrixProgress
from quantize.libllama import lib
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.rows import F32Array
from quantize.types import GgmlType

N_CTX = 512
_MIN_TOKENS = 16  # smaller products are not of whole prompts
_MAX_LOGITS = 64 * 1024**2  # numbers: llama.cpp holds a vocabulary of scores for every token
_MAX_TEXT_BYTES = 64 * 1024**2
_MUL_MAT = native.op_number("MUL_MAT")
_MUL_MAT_ID = native.op_number("MUL_MAT_ID")


class _Tensor(ctypes.Structure):
    """ggml_tensor."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]


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
    began = time.monotonic()
    text, name = _text(text_path)

    def on_progress(n_done: int, n_total: int) -> None:
        spent = time.monotonic() - began
        eta_s = spent * (n_total - n_done) / n_done if n_done else 0.0
        emit(MatrixProgress("collect", n_done, n_total, eta_s))

    imatrix = collect(
        model_path, text, name, out, n_threads=n_threads, control=control, on_progress=on_progress
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
    sums = _Sums(control)
    with _Reader(model_path, n_threads, n_ctx, sums) as reader:
        chunks = reader.chunks(text)
        if not chunks:
            raise CheckpointError(model_path, _TOO_SHORT.fill(n_tokens=n_ctx), _TOO_SHORT_HINT)
        for n_done, chunk in enumerate(chunks):
            control.check()
            on_progress(n_done, len(chunks))
            reader.read(chunk)
        on_progress(len(chunks), len(chunks))
    return Imatrix(
        path=out,
        sums={name: entry.sums.astype(np.float32) for name, entry in sums.entries.items()},
        counts={name: entry.counts.astype(np.float32) for name, entry in sums.entries.items()},
        datasets=(dataset,),
        n_chunks=len(chunks),
        chunk_size=n_ctx,
    )


def _text(path: Path | None) -> tuple[str, str]:
    """The text and what it is called."""
    source = path or resources.path(CALIBRATION)
    try:
        if source.stat().st_size > _MAX_TEXT_BYTES:
            raise CheckpointError(source, _TOO_LONG.fill(name=source.name))
        return source.read_text("utf-8"), source.name
    except OSError as error:
        text = _NO_TEXT.fill(name=source.name)
        raise CheckpointError(source, text, None, str(error)) from error
    except UnicodeDecodeError as error:
        text = _NOT_TEXT.fill(name=source.name)
        raise CheckpointError(source, text, _NOT_TEXT_HINT, str(error)) from error


class _Entry:
    """Sums of squares and counts of one weight: (n_mat, n_cols) and (n_mat,), float64."""

    def __init__(self, n_mat: int, n_cols: int) -> None:
        self.sums = np.zeros((n_mat, n_cols), np.float64)
        self.counts = np.zeros(n_mat, np.float64)


class _Sums:
    """The callback, and all it has summed up. It raises nothing: ctypes would swallow it."""

    def __init__(self, control: Control) -> None:
        self.entries: dict[str, _Entry] = {}
        self.callback = lib.ggml_backend_sched_eval_callback(self._on_operation)
        self.error: BaseException | None = None
        self._control = control
        self._last = ""
        self._learning = True
        self._squares: dict[int, F32Array] = {}

    def begin_batch(self) -> None:
        self._squares.clear()

    def learned_graph(self) -> None:
        """After the first batch it is known which product comes last."""
        self._learning = False

    def _on_operation(self, address: int, ask: bool, _user_data: Any) -> bool:
        try:
            tensor = _Tensor.from_address(address)
            name = _watched(tensor)
            if ask:
                return name is not None
            if name is None:
                return True
            self._add(name, tensor)
            if self._learning:
                self._last = name
            go_on = self._learning or name != self._last
            return go_on and not self._control.cancelled
        except BaseException as error:
            self.error = error
            return False

    def _add(self, name: str, tensor: _Tensor) -> None:
        weight, inputs = tensor.src[0].contents, tensor.src[1].contents
        if tensor.op == _MUL_MAT_ID:
            self._add_experts(name, weight, inputs, tensor.src[2].contents)
            return
        n_mat = weight.ne[2] * weight.ne[3]
        entry = self._entry(name, n_mat, inputs.ne[0])
        address = ctypes.addressof(inputs)
        if n_mat == 1:
            if address not in self._squares:  # q, k and v share their input, as gate and up do
                rows = _floats(inputs).reshape(-1, inputs.ne[0])
                self._squares[address] = np.square(rows).sum(axis=0, dtype=np.float32)
            entry.sums[0] += self._squares[address]
            entry.counts[0] += inputs.ne[1] * inputs.ne[2] * inputs.ne[3]
            return
        values = _floats(inputs).reshape(inputs.ne[3], inputs.ne[2], inputs.ne[1], -1)
        for i3 in range(inputs.ne[3]):
            for i2 in range(inputs.ne[2]):
                mat = (i3 % weight.ne[3]) * weight.ne[2] + i2 % weight.ne[2]
                entry.sums[mat] += np.square(values[i3, i2]).sum(axis=0, dtype=np.float32)
                entry.counts[mat] += inputs.ne[1]

    def _add_experts(self, name: str, weight: _Tensor, inputs: _Tensor, ids: _Tensor) -> None:
        """Every expert sees the tokens that were sent to it."""
        n_used, n_tokens, n_cols = ids.ne[0], ids.ne[1], inputs.ne[0]
        entry = self._entry(name, weight.ne[2], n_cols)
        chosen = _array(ids, np.int32)[0, 0][:, :n_used]
        values = _array(inputs, np.float32)[0]  # (n_tokens, 1 or n_used, n_cols)
        squares = np.square(values)
        for slot in range(n_used):
            part = squares[:n_tokens, slot % inputs.ne[1]]
            for expert in np.unique(chosen[:, slot]):
                mask = chosen[:, slot] == expert
                entry.sums[expert] += part[mask].sum(axis=0, dtype=np.float32)
                entry.counts[expert] += int(mask.sum())

    def _entry(self, name: str, n_mat: int, n_cols: int) -> _Entry:
        if name not in self.entries:
            self.entries[name] = _Entry(n_mat, n_cols)
        return self.entries[name]


def _watched(tensor: _Tensor) -> str | None:
    """The weight's name, where the operation is a product of a block's weight with a prompt."""
    if tensor.op not in (_MUL_MAT, _MUL_MAT_ID):
        return None
    inputs = tensor.src[1].contents
    if inputs.type != GgmlType.F32:
        return None
    if tensor.op == _MUL_MAT and inputs.ne[1] < _MIN_TOKENS:
        return None
    name: str = tensor.src[0].contents.name.decode("utf-8", "replace")
    if "#" in name:  # a copy on a device: PREFIX#name#SUFFIX
        name = name.split("#")[1]
    return name if name.startswith("blk.") else None


def _floats(tensor: _Tensor) -> F32Array:
    return np.ascontiguousarray(_array(tensor, np.float32))


def _array(tensor: _Tensor, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """The tensor's numbers in numpy's order of dimensions, in place where they are in memory."""
    shape = tuple(reversed(tensor.ne))
    strides = tuple(reversed(tensor.nb))
    size = sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + strides[-1]
    if native.is_on_host(tensor.buffer):
        memory: Any = (ctypes.c_char * size).from_address(tensor.data)
    else:
        memory = native.copy_from_device(ctypes.addressof(tensor), size)
    return np.ndarray(shape, dtype, memory, strides=strides)


class _Reader:
    """A model and a context that reads chunks of text, calling back into `sums`."""

    def __init__(self, path: Path, n_threads: int, n_ctx: int, sums: _Sums) -> None:
        self._path = path
        self._n_ctx = n_ctx
        self._sums = sums
        self._model: Any = None
        self._context: Any = None
        self._vocab: Any = None
        self._n_batch = n_ctx
        self._log = lib.llama_log_callback(lambda *_: None)
        self._n_threads = n_threads

    def __enter__(self) -> _Reader:
        lib.llama_log_set(self._log, None)
        lib.llama_backend_init()
        params = lib.llama_model_default_params()
        self._model = lib.llama_model_load_from_file(str(self._path).encode(), params)
        if not self._model:
            raise UnsupportedError(self._path, _CANNOT_LOAD.fill(name=self._path.name))
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._n_batch = self._batch_size()
        self._context = lib.llama_init_from_model(self._model, self._params())
        if not self._context:
            self.__exit__()
            raise UnsupportedError(self._path, _NO_MEMORY.fill(name=self._path.name))
        return self

    def __exit__(self, *_: object) -> None:
        if self._context:
            lib.llama_free(self._context)
        if self._model:
            lib.llama_model_free(self._model)
        self._context = self._model = None
        lib.llama_log_set(lib.llama_log_callback(), None)

    def _batch_size(self) -> int:
        """Tokens at a time: a power of two that keeps the unused scores of all of them small."""
        most = max(_MIN_TOKENS, _MAX_LOGITS // int(lib.llama_vocab_n_tokens(self._vocab)))
        return min(self._n_ctx, 1 << (most.bit_length() - 1))

    def _params(self) -> Any:
        params = lib.llama_context_default_params()
        params.n_ctx = self._n_ctx
        params.n_batch = params.n_ubatch = self._n_batch
        params.n_threads = params.n_threads_batch = self._n_threads
        params.cb_eval = self._sums.callback
        return params

    def chunks(self, text: str) -> list[list[int]]:
        """The text's tokens in whole chunks, each beginning as a prompt does."""
        data = text.encode()
        tokens = (lib.llama_token * (len(data) + 8))()
        n = lib.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), True, True)
        if n < 0:
            raise UnsupportedError(self._path, _CANNOT_LOAD.fill(name=self._path.name))
        whole = [list(tokens[i : i + self._n_ctx]) for i in range(0, n, self._n_ctx)]
        chunks = [chunk for chunk in whole if len(chunk) == self._n_ctx]
        if lib.llama_vocab_get_add_bos(self._vocab):
            for chunk in chunks:
                chunk[0] = lib.llama_vocab_bos(self._vocab)
        return chunks

    def read(self, chunk: Sequence[int]) -> None:
        """One chunk from an empty memory. Raises Cancelled through the control's next check."""
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        for start in range(0, len(chunk), self._n_batch):
            self._sums.begin_batch()
            self._decode(chunk[start : start + self._n_batch], start)
            self._sums.learned_graph()
            if self._sums.error is not None:
                raise self._sums.error

    def _decode(self, tokens: Sequence[int], first: int) -> None:
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
            if lib.llama_decode(self._context, batch):
                raise UnsupportedError(self._path, _CANNOT_LOAD.fill(name=self._path.name))
        finally:
            lib.llama_batch_free(batch)


_TOO_SHORT = QT_TRANSLATE_NOOP("imatrix", "The text is too short: {n_tokens} tokens are needed.")
_TOO_SHORT_HINT = QT_TRANSLATE_NOOP("imatrix", "Take a text of some ten thousand words.")
_TOO_LONG = QT_TRANSLATE_NOOP("imatrix", "{name} is too large for a text to measure on.")
_NO_TEXT = QT_TRANSLATE_NOOP("imatrix", "{name} cannot be read.")
_NOT_TEXT = QT_TRANSLATE_NOOP("imatrix", "{name} is not a text in UTF-8.")
_NOT_TEXT_HINT = QT_TRANSLATE_NOOP("imatrix", "Save it as plain text in UTF-8.")
_CANNOT_LOAD = QT_TRANSLATE_NOOP("imatrix", "llama.cpp cannot read a text with {name}.")
_NO_MEMORY = QT_TRANSLATE_NOOP("imatrix", "There is not enough memory to read a text with {name}.")
