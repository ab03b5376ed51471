"""Weights as rows that are read when they are needed, and what a conversion does to them.

A tensor of a 70B checkpoint does not fit into memory, so nothing here holds one: `Rows` is a matrix
that can be asked for a few rows at a time, by several threads at once, and gives them as float32.
Conversions (reorder heads, stack experts, split a fused matrix, add one to a norm) wrap one `Rows`
in another. Knows no file format and no model family.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

F32Array = npt.NDArray[np.float32]


class Rows(Protocol):
    """A matrix of `n_rows` x `n_cols`. `read` may be called by several threads at once."""

    @property
    def n_rows(self) -> int: ...

    @property
    def n_cols(self) -> int: ...

    @property
    def source_bytes(self) -> int:
        """How many bytes of the source reading all rows takes."""
        ...

    def read(self, start: int, stop: int) -> F32Array:
        """Rows `start` to `stop`: float32, C-contiguous, (stop - start, n_cols).

        The caller may write into it. Raises QuantizeError where the source cannot be read.
        """
        ...


@runtime_checkable
class RawRows(Rows, Protocol):
    """Rows that are already stored in a GGUF block type and can be copied bit for bit."""

    def read_raw(self, start: int, stop: int) -> bytes:
        """Rows `start` to `stop` as ggml stores them: (stop - start) whole rows of blocks."""
        ...


@dataclass(frozen=True)
class Held:
    """Rows in memory, for small tensors that are computed (rope factors, zeros). `array`: 2-D."""

    array: F32Array

    @property
    def n_rows(self) -> int:
        return int(self.array.shape[0])

    @property
    def n_cols(self) -> int:
        return int(self.array.shape[1])

    @property
    def source_bytes(self) -> int:
        return 0

    def read(self, start: int, stop: int) -> F32Array:
        return self.array[start:stop].copy()


@dataclass(frozen=True)
class Gathered:
    """The rows of `rows` in the order of `index` (int64, any length): permuted heads, splits.

    Reads the span that the wanted rows cover, so `index` should move rows only a little way.
    """

    rows: Rows
    index: npt.NDArray[np.int64]

    @property
    def n_rows(self) -> int:
        return len(self.index)

    @property
    def n_cols(self) -> int:
        return self.rows.n_cols

    @property
    def source_bytes(self) -> int:
        return self.rows.source_bytes * len(self.index) // max(1, self.rows.n_rows)

    def read(self, start: int, stop: int) -> F32Array:
        wanted = self.index[start:stop]
        first = int(wanted.min())
        span = self.rows.read(first, int(wanted.max()) + 1)
        return np.ascontiguousarray(span[wanted - first])


@dataclass(frozen=True)
class Stacked:
    """The rows of all `parts`, one after the other: experts, fused matrices."""

    parts: tuple[Rows, ...]

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *itertools.accumulate(part.n_rows for part in self.parts)]

    @property
    def n_rows(self) -> int:
        return self._starts[-1]

    @property
    def n_cols(self) -> int:
        return self.parts[0].n_cols

    @property
    def source_bytes(self) -> int:
        return sum(part.source_bytes for part in self.parts)

    def read(self, start: int, stop: int) -> F32Array:
        pieces = [part.read(*span) for part, span in self._pieces(start, stop)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _pieces(self, start: int, stop: int) -> Sequence[tuple[Rows, tuple[int, int]]]:
        found = []
        at = start
        while at < stop:
            i = bisect.bisect_right(self._starts, at) - 1
            end = min(stop, self._starts[i + 1])
            found.append((self.parts[i], (at - self._starts[i], end - self._starts[i])))
            at = end
        return found


@dataclass(frozen=True)
class Sliced:
    """Rows `first` to `last` (not included) of `rows`."""

    rows: Rows
    first: int
    last: int

    @property
    def n_rows(self) -> int:
        return self.last - self.first

    @property
    def n_cols(self) -> int:
        return self.rows.n_cols

    @property
    def source_bytes(self) -> int:
        return self.rows.source_bytes * self.n_rows // max(1, self.rows.n_rows)

    def read(self, start: int, stop: int) -> F32Array:
        return self.rows.read(self.first + start, self.first + stop)


@dataclass(frozen=True)
class Mapped:
    """`function` applied to every number of `rows`: (n, n_cols) float32 to the same shape."""

    rows: Rows
    function: Callable[[F32Array], F32Array]

    @property
    def n_rows(self) -> int:
        return self.rows.n_rows

    @property
    def n_cols(self) -> int:
        return self.rows.n_cols

    @property
    def source_bytes(self) -> int:
        return self.rows.source_bytes

    def read(self, start: int, stop: int) -> F32Array:
        return self.function(self.rows.read(start, stop))


@dataclass(frozen=True)
class Computed:
    """Small tensors that need all of their source at once (transposed, reshaped across rows).

    `function` returns all rows; it is called at every `read`, so the whole must be small or read in
    one go.
    """

    n_rows: int
    n_cols: int
    source_bytes: int
    function: Callable[[], F32Array]

    def read(self, start: int, stop: int) -> F32Array:
        return np.ascontiguousarray(self.function()[start:stop])


# The same for blocks that are copied


@dataclass(frozen=True)
class RawGathered(Gathered):
    """`Gathered` over RawRows."""

    rows: RawRows

    def read_raw(self, start: int, stop: int) -> bytes:
        wanted = self.index[start:stop]
        first, end = int(wanted.min()), int(wanted.max()) + 1
        span = np.frombuffer(self.rows.read_raw(first, end), np.uint8).reshape(end - first, -1)
        return span[wanted - first].tobytes()


@dataclass(frozen=True)
class RawStacked(Stacked):
    """`Stacked` over RawRows of one type."""

    parts: tuple[RawRows, ...]

    def read_raw(self, start: int, stop: int) -> bytes:
        pieces = self._pieces(start, stop)
        return b"".join(cast(RawRows, part).read_raw(*span) for part, span in pieces)


@dataclass(frozen=True)
class RawSliced(Sliced):
    """`Sliced` over RawRows."""

    rows: RawRows

    def read_raw(self, start: int, stop: int) -> bytes:
        return self.rows.read_raw(self.first + start, self.first + stop)
