"""The one pass: every weight is read once, in blocks of rows, and goes into every file.

Blocks are encoded by a pool of threads (ggml and numpy free the GIL) and written in order by the
calling thread, which runs at most a few blocks ahead, so memory does not grow with the model. Two
files that want the same type of a tensor share its bytes. Knows nothing of plans or sources.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize import native
from quantize.control import Control
from quantize.errors import CheckpointError, UnsupportedError
from quantize.gguf_writer import (
    OutputFile,
    TensorLayout,
    header_bytes,
    lay_out,
    padded,
    tensor_bytes,
)
from quantize.imatrix import Imatrix
from quantize.job import Progress, TensorDone
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.model import MetadataValue, Weight
from quantize.recipe import Choice
from quantize.rows import F32Array, RawRows
from quantize.types import GgmlType

BLOCK_ELEMENTS = 512 * 1024
BLOCKS_AHEAD_PER_THREAD = 3
_PROGRESS_S = 0.25
_POLL_S = 0.1

Encoded = dict[GgmlType, memoryview]


@dataclass(frozen=True)
class Target:
    """One file of the pass. All targets of a pass hold the same weights in the same order."""

    output: OutputFile
    choices: tuple[Choice, ...]
    metadata: Mapping[str, MetadataValue]

    def layout(self) -> tuple[TensorLayout, ...]:
        return lay_out((c.name, c.weight.shape, c.type) for c in self.choices)


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows `start` to `stop` of tensor `index`, all within one matrix (expert)."""

    index: int
    start: int
    stop: int
    is_last: bool


def write_files(
    source: Path,
    targets: Sequence[Target],
    imatrix: Imatrix | None,
    n_threads: int,
    control: Control,
    emit: Callable[[Progress | TensorDone], None],
) -> None:
    """Write all `targets` up to, not including, `finish`. `source` is named in errors.

    Raises QuantizeError where a weight cannot be read, is not finite, or the disk is full;
    Cancelled. The outputs are the caller's to finish or discard.
    """
    for target in targets:
        target.output.write(header_bytes(target.metadata, target.layout()))
    work = [
        _TensorWork(source, choices, imatrix)
        for choices in zip(*(t.choices for t in targets), strict=True)
    ]
    _build_tables({type_ for tensor in work for type_ in tensor.types}, control)
    progress = _Meter(work, emit)
    with ThreadPoolExecutor(n_threads, "encode") as pool:
        try:
            for block, encoded in _in_order(pool, work, n_threads, control):
                _write(targets, work[block.index], block, encoded)
                progress.block_done(block)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _build_tables(types: set[GgmlType], control: Control) -> None:
    """Before the pool's threads, which would wait for each other. IQ1_S takes 13 s, in one native
    call: on a thread of its own, so that Cancelled need not wait for it."""
    built = threading.Event()

    def build() -> None:
        try:
            for type_ in types:
                native.quantize_init(type_)
        finally:
            built.set()

    threading.Thread(target=build, name="tables", daemon=True).start()
    while not built.wait(_POLL_S):
        control.check()


class _TensorWork:
    """What is to be made of one weight: the types wanted by all files, and its importance."""

    def __init__(self, source: Path, choices: tuple[Choice, ...], imatrix: Imatrix | None) -> None:
        self.source = source
        self.choices = choices
        self.weight: Weight = choices[0].weight
        self.types = tuple(dict.fromkeys(choice.type for choice in choices))
        self.importance = _importance(self.weight, imatrix)
        if self.importance is None:
            _refuse_blind(source, choices)

    @property
    def rows_per_matrix(self) -> int:
        return self.weight.shape[1] if len(self.weight.shape) > 1 else 1

    def blocks(self, index: int) -> Iterator[_Block]:
        rows = self.weight.rows
        step = max(1, BLOCK_ELEMENTS // rows.n_cols)
        start = 0
        while start < rows.n_rows:
            stop = min(rows.n_rows, start + step)
            if self.importance is not None:
                stop = min(stop, (start // self.rows_per_matrix + 1) * self.rows_per_matrix)
            yield _Block(index, start, stop, stop == rows.n_rows)
            start = stop

    def encode(self, block: _Block, control: Control) -> Encoded:
        """The block in every type wanted. Runs on the pool's threads."""
        control.check()
        weight = self.weight
        encoded: Encoded = {}
        if weight.type in self.types and isinstance(weight.rows, RawRows):
            encoded[weight.type] = memoryview(weight.rows.read_raw(block.start, block.stop))
        others = [type_ for type_ in self.types if type_ not in encoded]
        if others:
            rows = weight.rows.read(block.start, block.stop)
            _check_finite(self.source, weight, rows, block.start)
            importance = self._importance_of(block)
            for type_ in others:
                control.check()
                encoded[type_] = _as_type(type_, rows, importance)
        return encoded

    def _importance_of(self, block: _Block) -> F32Array | None:
        if self.importance is None:
            return None
        n_cols = self.weight.shape[0]
        matrix = block.start // self.rows_per_matrix
        return self.importance[matrix * n_cols : (matrix + 1) * n_cols]


def _importance(weight: Weight, imatrix: Imatrix | None) -> F32Array | None:
    """The weight's part of the matrix: as many values as it has columns in all its matrices."""
    found = imatrix.importance(weight.name) if imatrix is not None else None
    if found is None:
        return None
    n_values = weight.shape[0] * math.prod(weight.shape[2:])
    return found if len(found) == n_values else None


def _refuse_blind(source: Path, choices: Sequence[Choice]) -> None:
    for choice in choices:
        if choice.requires_imatrix:
            text = _NEEDS_MATRIX.fill(type=choice.type.name, tensor=choice.name)
            raise UnsupportedError(source, text, _NEEDS_MATRIX_HINT)


def _check_finite(source: Path, weight: Weight, rows: F32Array, first_row: int) -> None:
    """One sum finds any NaN or infinity; only then it is looked for."""
    with np.errstate(all="ignore"):
        if math.isfinite(float(rows.sum(dtype=np.float32))):
            return
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0]
        raise CheckpointError(
            source,
            _NOT_FINITE.fill(tensor=weight.origin),
            _NOT_FINITE_HINT,
            f"{rows[row, column]} at row {first_row + row}, column {column}",
        )


def _as_type(type_: GgmlType, rows: F32Array, importance: F32Array | None) -> memoryview:
    if type_ is GgmlType.F32:
        return memoryview(rows.view(np.uint8).reshape(-1).data)
    return memoryview(native.quantize_rows(type_, rows, importance).data)


def _in_order(
    pool: ThreadPoolExecutor, work: Sequence[_TensorWork], n_threads: int, control: Control
) -> Iterator[tuple[_Block, Encoded]]:
    """Every block in the order of the file, encoded, a few blocks ahead of the reader."""
    blocks = (block for index, tensor in enumerate(work) for block in tensor.blocks(index))
    ahead: deque[tuple[_Block, Future[Encoded]]] = deque()
    for block in blocks:
        ahead.append((block, pool.submit(work[block.index].encode, block, control)))
        if len(ahead) >= n_threads * BLOCKS_AHEAD_PER_THREAD:
            done, future = ahead.popleft()
            yield done, future.result()
    while ahead:
        done, future = ahead.popleft()
        yield done, future.result()


def _write(targets: Sequence[Target], tensor: _TensorWork, block: _Block, encoded: Encoded) -> None:
    for target, choice in zip(targets, tensor.choices, strict=True):
        target.output.write(encoded[choice.type])
        if block.is_last:
            n_bytes = choice_bytes(choice)
            target.output.write(bytes(padded(n_bytes) - n_bytes))


def choice_bytes(choice: Choice) -> int:
    return tensor_bytes(choice.weight.shape, choice.type)


class _Meter:
    """Turns written blocks into progress, at most four times a second, and finished tensors."""

    def __init__(
        self, work: Sequence[_TensorWork], emit: Callable[[Progress | TensorDone], None]
    ) -> None:
        self._work = work
        self._emit = emit
        self._total = sum(tensor.weight.rows.source_bytes for tensor in work)
        self._elements_total = sum(t.weight.n_elements * len(t.types) for t in work)
        self._elements = 0
        self._read = 0.0
        self._began = self._said = time.monotonic()

    def block_done(self, block: _Block) -> None:
        tensor = self._work[block.index]
        n_rows = block.stop - block.start
        self._elements += n_rows * tensor.weight.shape[0] * len(tensor.types)
        self._read += tensor.weight.rows.source_bytes * n_rows / tensor.weight.rows.n_rows
        if block.is_last:
            self._emit(self._tensor_done(block.index, tensor))
        elif time.monotonic() - self._said > _PROGRESS_S:
            self._emit(Progress(tensor.weight.name, *self._figures()))
        else:
            return
        self._said = time.monotonic()

    def _tensor_done(self, index: int, tensor: _TensorWork) -> TensorDone:
        return TensorDone(
            index + 1,
            len(self._work),
            tensor.choices[0].name,
            tuple(choice.type.name for choice in tensor.choices),
            tuple(choice_bytes(choice) for choice in tensor.choices),
            *self._figures(),
        )

    def _figures(self) -> tuple[int, int, float, float]:
        """Bytes read and in all, MB/s, seconds left."""
        seconds = max(1e-6, time.monotonic() - self._began)
        left = self._elements_total - self._elements
        eta_s = seconds * left / self._elements if self._elements else 0.0
        return round(self._read), self._total, self._read / seconds / 1e6, eta_s


_NEEDS_MATRIX = QT_TRANSLATE_NOOP(
    "quantize", "{type} needs an importance matrix, and there is none for {tensor}."
)
_NEEDS_MATRIX_HINT = QT_TRANSLATE_NOOP(
    "quantize", "Let Nibble make one (--imatrix auto), or choose a larger type."
)
_NOT_FINITE = QT_TRANSLATE_NOOP(
    "quantize", "{tensor} holds a number that is not finite (NaN or infinity)."
)
_NOT_FINITE_HINT = QT_TRANSLATE_NOOP(
    "quantize", "The original weights are damaged: download them again."
)
