"""Importance matrices: how strongly each input channel of a weight is used, in llama.cpp's format.

For every matrix of a tensor (several for experts): the sum over all tokens of the squares of what
was multiplied with it, and how many tokens that were. Collecting is `imatrix_collect`'s.

Source: llama.cpp at 0c1e57098, tools/imatrix/imatrix.cpp (save_imatrix) and
tools/quantize/quantize.cpp (load_imatrix).
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
from quantize.gguf_writer import OutputFile, header_bytes, lay_out, padded
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.model import MetadataValue, Typed, TypedArray, Weight
from quantize.positional import PositionalFile
from quantize.rows import F32Array
from quantize.types import GgmlType, GgufType

CALIBRATION = "calibration.txt"  # what Nibble measures on, among its resources

_SUMS = ".in_sum2"
_COUNTS = ".counts"
_KIND = "imatrix"


@dataclass(frozen=True)
class Imatrix:
    """`sums[name]`: (n_mat, n_cols) float32; `counts[name]`: (n_mat,) float32, tokens seen."""

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
        sums, counts = self.sums[name], self.counts[name][:, None]
        means = np.divide(sums, counts, out=np.ones_like(sums), where=counts > 0)
        return means.reshape(-1)


def read_imatrix(path: Path) -> Imatrix:
    """The matrix in the GGUF at `path`. Raises GgufError, UnsupportedError."""
    header = read_header(path)
    if header.text("general.type") != _KIND:
        raise UnsupportedError(path, _NOT_A_MATRIX.fill(name=path.name), _NOT_A_MATRIX_HINT)
    by_name = {tensor.name: tensor for tensor in header.tensors}
    file = PositionalFile(path)
    sums, counts = {}, {}
    for name in (n.removesuffix(_SUMS) for n in by_name if n.endswith(_SUMS)):
        if name + _COUNTS not in by_name:
            raise gguf_errors.damaged(path, f"{name} has sums and no counts")
        sums[name] = _matrix(header, file, by_name[name + _SUMS])
        counts[name] = _matrix(header, file, by_name[name + _COUNTS]).reshape(-1)
        _check(path, name, sums[name], counts[name])
    if not sums:
        raise UnsupportedError(path, _NOT_A_MATRIX.fill(name=path.name), _NOT_A_MATRIX_HINT)
    return Imatrix(
        path=path,
        sums=sums,
        counts=counts,
        datasets=_texts(header, "imatrix.datasets"),
        n_chunks=header.number("imatrix.chunk_count"),
        chunk_size=header.number("imatrix.chunk_size"),
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
    known = [weight for weight in weights if weight.name in imatrix.sums]
    if not known:
        text = _OTHER_MODEL.fill(name=imatrix.path.name)
        raise UnsupportedError(imatrix.path, text, _OTHER_MODEL_HINT)
    for weight in known:
        n_values = weight.shape[0] * math.prod(weight.shape[2:])
        if imatrix.sums[weight.name].size != n_values and weight.name.startswith("blk."):
            text = _OTHER_SIZE.fill(
                name=imatrix.path.name,
                tensor=weight.name,
                have=int(imatrix.sums[weight.name].size),
                want=n_values,
            )
            raise UnsupportedError(imatrix.path, text, _OTHER_MODEL_HINT)


def _matrix(header: GgufHeader, file: PositionalFile, tensor: TensorInfo) -> F32Array:
    if tensor.type is not GgmlType.F32 or len(tensor.shape) > 2:
        raise gguf_errors.damaged(header.path, f"{tensor.name}: {tensor.type.name} {tensor.shape}")
    data = file.read(header.data_offset + tensor.offset, tensor.n_bytes)
    if len(data) < tensor.n_bytes:
        raise gguf_errors.ends_early(header.path, file.size_bytes(), header.file_size_bytes)
    return np.frombuffer(data, np.float32).reshape(-1, tensor.shape[0])


def _check(path: Path, name: str, sums: F32Array, counts: F32Array) -> None:
    finite = np.isfinite(sums).all() and np.isfinite(counts).all()
    if not finite or (sums < 0).any() or (counts < 0).any() or len(counts) != len(sums):
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
    return (int(array.shape[1]), int(array.shape[0]))


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
