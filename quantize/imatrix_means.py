"""llama.cpp's older format for importance matrices (.dat, .imatrix): means, and no GGUF.

int32 number of entries; each: name, int32 calls, float32 values that are the mean squares times
calls. Perhaps then int32 chunks and the text's name. Names and values come after their int32
number. Read only: files of this kind are still on offer. Source: llama.cpp at 0c1e57098,
common/imatrix-loader.cpp (common_imatrix_load_legacy).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize import gguf_errors
from quantize.positional import PositionalFile
from quantize.rows import F32Array

_MAX_ENTRIES = 65_536
_MAX_NAME_BYTES = 63  # GGML_MAX_NAME with its NUL
_I32 = struct.Struct("<i")


@dataclass(frozen=True)
class Means:
    """`sums[name]`: (n_mat * n_cols,) float32, mean squares times `n_calls[name]`."""

    sums: dict[str, F32Array]
    n_calls: dict[str, int]
    datasets: tuple[str, ...]
    n_chunks: int


def read_means(path: Path) -> Means | None:
    """The matrix in the file at `path`, None where it begins like none. Raises GgufError, OSError.

    A count is checked against what is left of the file before anything is allocated.
    """
    file = _File(path)
    n_entries = file.peek()
    if not 1 <= n_entries <= _MAX_ENTRIES or not 1 <= file.peek(_I32.size) <= _MAX_NAME_BYTES:
        return None
    file.number()
    sums, n_calls = {}, {}
    for _ in range(n_entries):
        name = file.text(_MAX_NAME_BYTES)
        if name in sums:
            raise gguf_errors.damaged(path, f"double entry {name!r}")
        n_calls[name] = file.number()
        sums[name] = file.values()
    n_chunks = file.number() if file.n_left >= _I32.size else 0
    datasets = (file.text(file.n_left),) if file.n_left > _I32.size else ()
    return Means(sums, n_calls, datasets, max(n_chunks, 0))


class _File:
    """Reads one thing after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = PositionalFile(path)
        self._size_bytes = self._file.size_bytes()
        self._offset = 0

    @property
    def n_left(self) -> int:
        return self._size_bytes - self._offset

    def peek(self, ahead: int = 0) -> int:
        """The int32 `ahead` bytes from here; 0 at the end."""
        data = self._file.read(self._offset + ahead, _I32.size)
        return int(_I32.unpack(data)[0]) if len(data) == _I32.size else 0

    def number(self) -> int:
        return int(_I32.unpack(self._take(_I32.size))[0])

    def text(self, max_bytes: int) -> str:
        n_bytes = self.number()
        if not 0 <= n_bytes <= max_bytes:
            detail = f"name of {n_bytes} bytes at {self._offset}"
            raise gguf_errors.damaged(self._path, detail)
        return self._take(n_bytes).decode("utf-8", "replace")

    def values(self) -> F32Array:
        n_values = self.number()
        if n_values < 1:
            detail = f"{n_values} values at {self._offset}"
            raise gguf_errors.damaged(self._path, detail)
        return np.frombuffer(self._take(n_values * 4), "<f4").astype(np.float32)

    def _take(self, n_bytes: int) -> bytes:
        if n_bytes > self.n_left:
            needed = self._offset + n_bytes
            raise gguf_errors.ends_early(self._path, self._size_bytes, needed)
        data = self._file.read(self._offset, n_bytes)
        if len(data) < n_bytes:  # it shrank since it was opened
            raise gguf_errors.ends_early(self._path, self._offset + len(data), self._size_bytes)
        self._offset += n_bytes
        return data
