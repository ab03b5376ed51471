"""Importance matrices: how strongly each input channel of a weight is used, in llama.cpp's format.

For every matrix of a tensor (several for experts): the sum over all tokens of the squares of what
was multiplied with it, and how many tokens that were. Collecting is `imatrix_collect`'s.

Source: llama.cpp at 0c1e57098, tools/imatrix/imatrix.cpp (save_imatrix), common/imatrix-loader.cpp
and tools/quantize/quantize.cpp (load_imatrix). Refused though llama.cpp takes it: numbers that are
negative or not finite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize import gguf_errors
from quantize.errors import UnsupportedError
from quantize.gguf_header import ArrayRef, GgufHeader, TensorInfo, read_header
from quantize.gguf_reader import FileSource
from quantize.gguf_writer import OutputFile, header_bytes, lay_out, padded
from quantize.imatrix_means import read_means
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.model import MetadataValue, Typed, TypedArray, Weight
from quantize.positional import PositionalFile
from quantize.rows import F32Array
from quantize.types import GgmlType, GgufType

CALIBRATION = "calibration.txt"  # what Nibble measures on, among its resources

_SUMS = ".in_sum2"
_COUNTS = ".counts"
_KIND = "imatrix"
_MAGIC = b"GGUF"
_EMBEDDING = "token_embd.weight"  # not multiplied with, so old matrices have what they like


@dataclass(frozen=True)
class Imatrix:
    """`sums[name]`: (n_counts, n) float32; `counts[name]`: (n_counts,) float32, tokens seen.

    Experts have a count each and n_cols sums; other weights one count for the sums of all their
    matrices.
    """

    path: Path
    sums: Mapping[str, F32Array]
    counts: Mapping[str, F32Array]
    datasets: tuple[str, ...]
    n_chunks: int
    chunk_size: int

    def importance(self, name: str) -> F32Array | None:
        """Mean squares of the weight `name`, (n_mat * n_cols,) float32; 1 where nothing was seen.

        None where the matrix does not know the weight.
        """
        if name not in self.sums:
            return None
        sums = self.sums[name]
        counts = np.floor(self.counts[name].astype(np.float64) + 0.5).astype(np.float32)[:, None]
        means = np.divide(sums, counts, out=np.ones_like(sums), where=counts > 0)
        return means.reshape(-1)


def read_imatrix(path: Path) -> Imatrix:
    """The matrix in the file at `path`: a GGUF, or llama.cpp's older format.

    Raises GgufError, UnsupportedError.
    """
    with FileSource(path).reading() as reader:
        magic = reader.peek(min(len(_MAGIC), reader.size_bytes))
    try:
        matrix = _read_means(path) if magic != _MAGIC else None
        return matrix or _read_gguf(path)
    except OSError as error:
        raise gguf_errors.cannot_open(path, error) from error


def _read_means(path: Path) -> Imatrix | None:
    """Calls take the place of counts; means are means whatever they are multiplied with."""
    old = read_means(path)
    if old is None:
        return None
    sums = {name: values[None, :] for name, values in old.sums.items()}
    counts = {name: np.full(1, max(n, 1), np.float32) for name, n in old.n_calls.items()}
    for name, count in counts.items():
        _check(path, name, sums[name], count)
    return Imatrix(path, sums, counts, old.datasets, old.n_chunks, chunk_size=0)


def _read_gguf(path: Path) -> Imatrix:
    header = read_header(path)
    pairs = _pairs(header)
    if header.text("general.type") != _KIND or not pairs:
        raise UnsupportedError(path, _NOT_A_MATRIX.fill(name=path.name), _NOT_A_MATRIX_HINT)
    file = PositionalFile(path)
    sums, counts = {}, {}
    for name, pair in pairs.items():
        sums[name] = _matrix(header, file, pair[_SUMS])
        counts[name] = _matrix(header, file, pair[_COUNTS]).reshape(-1)
        _check(path, name, sums[name], counts[name])
    return Imatrix(
        path=path,
        sums=sums,
        counts=counts,
        datasets=_texts(header, "imatrix.datasets"),
        n_chunks=_number(header, "imatrix.chunk_count"),
        chunk_size=_number(header, "imatrix.chunk_size"),
    )


def write_imatrix(imatrix: Imatrix) -> None:
    """Write the matrix to its path, whole or not at all. Raises OutputError."""
    arrays = dict(_arrays(imatrix))
    layout = lay_out((name, _shape(array), GgmlType.F32) for name, array in arrays.items())
    output = OutputFile(imatrix.path)
    try:
        output.write(header_bytes(_metadata(imatrix), layout))
        for array in arrays.values():
            data = np.ascontiguousarray(array, np.float32).tobytes()
            output.write(data + bytes(padded(len(data)) - len(data)))
        output.finish()
    finally:
        output.discard()


def check_fits(imatrix: Imatrix, weights: Sequence[Weight]) -> None:
    """Raises UnsupportedError where the matrix was measured on another model."""
    known = [w for w in weights if w.name in imatrix.sums and w.name != _EMBEDDING]
    if not known:
        text = _OTHER_MODEL.fill(name=imatrix.path.name)
        raise UnsupportedError(imatrix.path, text, _OTHER_MODEL_HINT)
    for weight in known:
        n_values = weight.shape[0] * math.prod(weight.shape[2:])
        if imatrix.sums[weight.name].size != n_values:
            text = _OTHER_SIZE.fill(
                name=imatrix.path.name,
                tensor=weight.name,
                have=int(imatrix.sums[weight.name].size),
                want=n_values,
            )
            raise UnsupportedError(imatrix.path, text, _OTHER_MODEL_HINT)


def _pairs(header: GgufHeader) -> dict[str, dict[str, TensorInfo]]:
    """Sums and counts by the name of their weight. One without the other: GgufError."""
    pairs: dict[str, dict[str, TensorInfo]] = {}
    for tensor in header.tensors:
        for suffix in (_SUMS, _COUNTS):
            if tensor.name.endswith(suffix):
                pairs.setdefault(tensor.name.removesuffix(suffix), {})[suffix] = tensor
    for name, pair in pairs.items():
        if len(pair) < 2:
            raise gguf_errors.damaged(header.path, f"{name} has only {', '.join(pair)}")
    return pairs


def _number(header: GgufHeader, key: str) -> int:
    """A UINT32 that is missing in some files, and then 0."""
    value = header.number(key)
    if not 0 <= value < 2**32:
        raise gguf_errors.damaged(header.path, f"{key} is {value}")
    return value


def _matrix(header: GgufHeader, file: PositionalFile, tensor: TensorInfo) -> F32Array:
    """(rows, columns); llama.cpp leaves the second dimension out where it is 1."""
    if tensor.type is not GgmlType.F32 or not 1 <= len(tensor.shape) <= 2:
        raise gguf_errors.damaged(header.path, f"{tensor.name}: {tensor.type.name} {tensor.shape}")
    data = file.read(header.data_offset + tensor.offset, tensor.n_bytes)
    if len(data) < tensor.n_bytes:
        raise gguf_errors.ends_early(header.path, file.size_bytes(), header.file_size_bytes)
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(-1, tensor.shape[0])


def _check(path: Path, name: str, sums: F32Array, counts: F32Array) -> None:
    """Raises GgufError for what no measurement gives; a count between 0 and 1 could overflow."""
    finite = np.isfinite(sums).all() and np.isfinite(counts).all()
    is_sound = finite and (sums >= 0).all() and ((counts == 0) | (counts >= 1)).all()
    if not is_sound or len(counts) != len(sums):
        raise gguf_errors.damaged(path, f"{name}: {sums.shape} sums, {counts.shape} counts")


def _texts(header: GgufHeader, key: str) -> tuple[str, ...]:
    value = header.metadata.get(key)
    if isinstance(value, ArrayRef) and value.type is GgufType.STRING:
        return tuple(str(item) for item in value.read())
    return ()


def _arrays(imatrix: Imatrix) -> list[tuple[str, F32Array]]:
    pairs = []
    for name in sorted(imatrix.sums):
        pairs.append((name + _SUMS, imatrix.sums[name]))
        pairs.append((name + _COUNTS, imatrix.counts[name][:, None]))
    return pairs


def _shape(array: F32Array) -> tuple[int, ...]:
    """In ggml's order; a single row has one dimension there."""
    n_rows, n_cols = array.shape
    return (n_cols, n_rows) if n_rows > 1 else (n_cols,)


def _metadata(imatrix: Imatrix) -> dict[str, MetadataValue]:
    return {
        "general.type": Typed(GgufType.STRING, _KIND),
        "imatrix.datasets": TypedArray(
            GgufType.STRING, len(imatrix.datasets), tuple(imatrix.datasets)
        ),
        "imatrix.chunk_count": Typed(GgufType.UINT32, imatrix.n_chunks),
        "imatrix.chunk_size": Typed(GgufType.UINT32, imatrix.chunk_size),
    }


_NOT_A_MATRIX = QT_TRANSLATE_NOOP("imatrix", "{name} is not an importance matrix.")
_NOT_A_MATRIX_HINT = QT_TRANSLATE_NOOP(
    "imatrix", "Take a file that llama.cpp or “nibble imatrix” has written."
)
_OTHER_MODEL = QT_TRANSLATE_NOOP("imatrix", "{name} was measured on another model.")
_OTHER_MODEL_HINT = QT_TRANSLATE_NOOP(
    "imatrix", "Take this model's own matrix, or let Nibble make one (--imatrix auto)."
)
_OTHER_SIZE = QT_TRANSLATE_NOOP(
    "imatrix",
    "{name} was measured on another model: it has {have} values for {tensor}, which needs {want}.",
)
