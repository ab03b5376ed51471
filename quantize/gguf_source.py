"""An existing GGUF as a source: its metadata copied key by key, its tensors read by rows.

Full-precision files (F32, F16, BF16) are quantized like a checkpoint. Tensors that are quantized
already are copied where they keep their type, and dequantized by ggml where they do not, which
loses twice: the plan warns, and needs `allow_requantize`. A model that is spread over several files
is read through all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from quantize import gguf_errors, native
from quantize.errors import CheckpointError
from quantize.gguf_header import ArrayRef, GgufHeader, TensorInfo, read_header
from quantize.gguf_split import SPLIT_NAME, part_paths
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.model import MetadataValue, Model, Typed, TypedArray, Weight
from quantize.positional import PositionalFile
from quantize.rows import F32Array
from quantize.types import GgmlType

_WRITTEN_ANEW = ("general.file_type", "general.quantization_version")
_SPLIT_KEYS = ("split.no", "split.count", "split.tensors.count")


@dataclass(frozen=True)
class GgufRows:
    """The rows of one tensor of a GGUF, in any type that ggml can read."""

    file: PositionalFile
    tensor: TensorInfo
    offset: int

    @property
    def n_rows(self) -> int:
        return self.tensor.n_elements // self.n_cols

    @property
    def n_cols(self) -> int:
        return self.tensor.shape[0] if self.tensor.shape else 1

    @property
    def source_bytes(self) -> int:
        return self.tensor.n_bytes

    def read_raw(self, start: int, stop: int) -> bytes:
        row_bytes = self.tensor.n_bytes // self.n_rows
        wanted = (stop - start) * row_bytes
        data = self.file.read(self.offset + start * row_bytes, wanted)
        if len(data) < wanted:
            raise gguf_errors.ends_early(
                self.file.path, self.file.size_bytes(), self.offset + self.tensor.n_bytes
            )
        return data

    def read(self, start: int, stop: int) -> F32Array:
        data = self.read_raw(start, stop)
        return native.dequantize_rows(self.tensor.type, data, stop - start, self.n_cols)


def open_gguf(path: Path) -> Model:
    """The model in the GGUF at `path`. Raises GgufError."""
    headers = _read_headers(path)
    first = headers[0]
    tensors = [tensor for header in headers for tensor in header.tensors]
    weights = tuple(w for header in headers for w in _weights(header))
    _check_names(path, weights)
    return Model(
        path=path,
        name=_model_name(path),
        metadata=_metadata(first),
        weights=weights,
        source_type=_main_type(tensors).name if tensors else "",
        source_bytes=sum(tensor.n_bytes for tensor in tensors),
    )


def _read_headers(path: Path) -> list[GgufHeader]:
    """The header of every file of the model, `path` being any of them."""
    header = read_header(path)
    return [header] if header.split_count == 1 else [*map(read_header, part_paths(path))]


def _weights(header: GgufHeader) -> list[Weight]:
    file = PositionalFile(header.path)
    return [
        Weight(
            name=tensor.name,
            type=tensor.type,
            shape=_without_ones(tensor.shape),
            rows=GgufRows(file, tensor, header.data_offset + tensor.offset),
            origin=f"{header.path.name}: {tensor.name}",
        )
        for tensor in header.tensors
    ]


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """As llama.cpp writes a shape: its trailing dimensions of 1 are left out (ggml_n_dims)."""
    n_dims = max((i + 1 for i, n in enumerate(shape) if n > 1), default=1)
    return (shape or (1,))[:n_dims]


def _check_names(path: Path, weights: tuple[Weight, ...]) -> None:
    for name, count in Counter(weight.name for weight in weights).most_common(1):
        if count > 1:
            raise gguf_errors.damaged(path, f"{count} tensors are called {name!r}")
    if not weights:
        raise CheckpointError(path, _NO_TENSORS.fill(name=path.name))


def _metadata(header: GgufHeader) -> dict[str, MetadataValue]:
    skipped = (*_WRITTEN_ANEW, *_SPLIT_KEYS)
    values: dict[str, MetadataValue] = {}
    for key, value in header.metadata.items():
        if key in skipped:
            continue
        if isinstance(value, ArrayRef):
            values[key] = TypedArray(value.type, value.count, raw=value.read_raw())
        else:
            values[key] = Typed(header.value_types[key], value)
    return values


def _main_type(tensors: list[TensorInfo]) -> GgmlType:
    weights: Counter[GgmlType] = Counter()
    for tensor in tensors:
        weights[tensor.type] += tensor.n_elements
    return weights.most_common(1)[0][0]


def _model_name(path: Path) -> str:
    """The file's name without the part that says its type or its place in a split."""
    stem = SPLIT_NAME.sub("", path.name).removesuffix(".gguf")
    kind = r"(?i)[-._](F32|F16|BF16|FP16|MXFP4|I?Q\d\w*|TQ\d_\d)$"
    return re.sub(kind, "", stem) or stem


_NO_TENSORS = QT_TRANSLATE_NOOP("gguf", "{name} holds no weights.")
