"""safetensors files that nobody vouches for.

Every length, offset and shape is checked against the file before it is used, and nothing is mapped:
tensors are read a few rows at a time, at given places, by several threads. Knows no model.

Source: the safetensors format (README of huggingface/safetensors): eight bytes with the header's
length, a JSON header, then the tensors without overlaps or holes. Refused as the reference
implementation does: a header over 100 MB, double names, ranges that do not fit the shape.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize import checkpoint_errors
from quantize.checkpoint_errors import shown
from quantize.dtypes import DTYPE_BITS, NUMPY_DTYPES, to_f32
from quantize.jsonfile import MAX_ITEMS, check_ordinary_file, count_items
from quantize.positional import PositionalFile
from quantize.rows import F32Array

MAX_HEADER_BYTES = 100_000_000
_MAX_DIMS = 16
_INT64 = 2**63
_METADATA = "__metadata__"


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor of a file, `n_bytes` from byte `offset` of the file on. `shape`: torch's order."""

    file: PositionalFile
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    n_bytes: int

    @property
    def path(self) -> Path:
        return self.file.path

    @property
    def origin(self) -> str:
        return f"{shown(self.file.path)}: {shown(self.name)}"

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)

    def read_bytes(self, start: int, stop: int) -> bytes:
        """Bytes `start` to `stop` of the tensor. Raises CheckpointError."""
        try:
            data = self.file.read(self.offset + start, stop - start)
        except OSError as error:
            raise checkpoint_errors.cannot_read_tensor(self.path, self.name, error) from error
        if len(data) < stop - start:
            raise checkpoint_errors.changed_while_read(self.path, self.name)
        return data

    def read_into(self, start: int, array: F32Array) -> None:
        """Fills `array` with the bytes from `start` on. Raises CheckpointError."""
        view = array.reshape(-1).view(np.uint8).data
        try:
            n_bytes = self.file.read_into(self.offset + start, view)
        except OSError as error:
            raise checkpoint_errors.cannot_read_tensor(self.path, self.name, error) from error
        if n_bytes < len(view):
            raise checkpoint_errors.changed_while_read(self.path, self.name)

    def read_raw(self) -> npt.NDArray[Any]:
        """The whole tensor as stored, read-only (floats that numpy lacks as their bits)."""
        data = self.read_bytes(0, self.n_bytes)
        return np.frombuffer(data, self._numpy_dtype()).reshape(self.shape)

    def read_f32(self) -> F32Array:
        """The whole tensor as float32 in its own shape."""
        return to_f32(self.dtype, self.read_raw())

    def read_rows(self, start: int, stop: int, n_cols: int) -> npt.NDArray[Any]:
        """Rows of `n_cols` numbers as stored: (stop - start, n_cols), read-only."""
        dtype = self._numpy_dtype()
        row_bytes = n_cols * dtype.itemsize
        data = self.read_bytes(start * row_bytes, stop * row_bytes)
        return np.frombuffer(data, dtype).reshape(stop - start, n_cols)

    def _numpy_dtype(self) -> np.dtype[Any]:
        code = NUMPY_DTYPES.get(self.dtype)
        if code is None:
            raise checkpoint_errors.unknown_dtype(self.path, self.name, self.dtype)
        return np.dtype(code)


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The rows of a stored tensor of numbers, as float32."""

    stored: Stored

    @property
    def n_rows(self) -> int:
        return math.prod(self.stored.shape[:-1])

    @property
    def n_cols(self) -> int:
        return self.stored.shape[-1] if self.stored.shape else 1

    @property
    def source_bytes(self) -> int:
        return self.stored.n_bytes

    def read(self, start: int, stop: int) -> F32Array:
        if self.stored.dtype == "F32":
            rows = np.empty((stop - start, self.n_cols), np.float32)
            self.stored.read_into(start * self.n_cols * 4, rows)
            return rows
        return to_f32(self.stored.dtype, self.stored.read_rows(start, stop, self.n_cols))


# The header


class _HeaderError(ValueError):
    """What is wrong with a header, for developers."""


def read_safetensors(path: Path) -> dict[str, Stored]:
    """The tensors of the file at `path`, sorted by name. Raises CheckpointError."""
    check_ordinary_file(path)
    try:
        file = PositionalFile(path)
        return _read_tensors(file, file.size_bytes())
    except OSError as error:
        raise checkpoint_errors.cannot_read(path, error) from error


def _read_tensors(file: PositionalFile, size_bytes: int) -> dict[str, Stored]:
    header = _read_header(file, size_bytes)
    start = 8 + len(header)
    try:
        entries = _parse(header)
        found = {name: _stored(file, start, name, entries[name]) for name in sorted(entries)}
        end = max((tensor.offset + tensor.n_bytes for tensor in found.values()), default=start)
        if end > size_bytes:
            raise checkpoint_errors.ends_early(file.path, size_bytes, end)
        _check_layout(found, start, size_bytes)
    except _HeaderError as error:
        raise checkpoint_errors.damaged(file.path, str(error)) from error
    return found


def _read_header(file: PositionalFile, size_bytes: int) -> bytes:
    if size_bytes == 0:
        raise checkpoint_errors.is_empty(file.path)
    head = file.read(0, checkpoint_errors.HEAD_BYTES)
    n_bytes = int.from_bytes(head[:8], "little")
    if size_bytes > 8 and head[8:9] != b"{":
        raise checkpoint_errors.not_safetensors(file.path, head)
    if n_bytes > MAX_HEADER_BYTES:
        raise checkpoint_errors.damaged(file.path, f"a header of {n_bytes} bytes")
    header = file.read(8, n_bytes)
    if len(header) < n_bytes or size_bytes < 10:
        raise checkpoint_errors.ends_early(file.path, size_bytes, 8 + max(n_bytes, 2))
    return header


def _parse(header: bytes) -> dict[str, Any]:
    """The header's entries but `__metadata__`, whose kind is checked."""
    if count_items(header) > MAX_ITEMS:  # a tensor takes about eight
        raise _HeaderError("too many items")
    try:
        entries = json.loads(
            header.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_refuse
        )
    except RecursionError as error:
        raise _HeaderError("nested too deeply") from error
    except ValueError as error:
        raise _HeaderError(str(error)) from error
    if not isinstance(entries, dict):
        raise _HeaderError("not an object")
    _check_names(entries)
    metadata = entries.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _HeaderError("metadata that is not text")
    return entries


def _check_names(entries: dict[str, Any]) -> None:
    """Half a character (a surrogate) can be written in JSON, but is no text."""
    try:
        "".join(entries).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _HeaderError(str(error)) from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _HeaderError(f"{name!r} is there twice")
        found[name] = value
    return found


def _refuse(constant: str) -> None:
    raise _HeaderError(f"{constant} is no JSON")


def _stored(file: PositionalFile, start: int, name: str, entry: Any) -> Stored:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _HeaderError(f"{name!r} is described by {entry!r}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not _are_sizes(shape) or not _are_sizes(offsets):
        raise _HeaderError(f"{name!r} is described by {entry!r}")
    if dtype not in DTYPE_BITS:
        raise checkpoint_errors.unknown_dtype(file.path, name, dtype)
    n_bits = math.prod(shape) * DTYPE_BITS[dtype]
    if len(shape) > _MAX_DIMS or len(offsets) != 2 or n_bits % 8:
        raise _HeaderError(f"{name!r}: {dtype} of shape {shape} at {offsets}")
    begin, end = offsets
    if end - begin != n_bits // 8:
        raise _HeaderError(f"{name!r}: {dtype} of shape {shape} in {end - begin} bytes")
    return Stored(file, name, dtype, tuple(shape), start + begin, end - begin)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v < _INT64 for v in values
    )


def _check_layout(tensors: dict[str, Stored], start: int, size_bytes: int) -> None:
    """Tensors follow each other without overlaps and holes, to the last byte of the file."""
    expected = start
    for tensor in sorted(tensors.values(), key=lambda t: (t.offset, t.n_bytes)):
        if tensor.offset != expected:
            raise _HeaderError(f"{tensor.name!r} at {tensor.offset}, expected {expected}")
        expected += tensor.n_bytes
    if expected != size_bytes:
        raise _HeaderError(f"{size_bytes - expected} bytes belong to no tensor")
