"""What GPTQ and AWQ share: a matrix stored transposed, with a scale and a zero point per group.

weight[row, column] = scale[group of column, row] * (code[column, row] - zero[group of column, row])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantize.packed.bits import U32Array
from quantize.packed.recent import Recent
from quantize.rows import F32Array

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Codes:
    """A packed matrix in memory.

    `words`: as stored, uint32. `zeros`, `scales`: (n_rows, n_groups) float32. `group_of`: for each
    column its group, or None where groups are equally wide and in order.
    """

    words: U32Array
    zeros: F32Array
    scales: F32Array
    group_of: IntArray | None

    @property
    def n_bytes(self) -> int:
        group_bytes = 0 if self.group_of is None else self.group_of.nbytes
        return self.words.nbytes + self.zeros.nbytes + self.scales.nbytes + group_bytes

    def scaled(self, codes: F32Array, start: int, stop: int) -> F32Array:
        """`codes` of rows `start` to `stop`, (stop - start, n_cols), become weights in place."""
        zeros, scales = self.zeros[start:stop], self.scales[start:stop]
        return scale_groups(codes, zeros, scales, self.group_of)


def scale_groups(
    codes: F32Array, zeros: F32Array, scales: F32Array, group_of: IntArray | None
) -> F32Array:
    """(codes - zeros) * scales, in place, with one zero and scale per row and group.

    `codes`: (n, n_cols), C-contiguous; `zeros`, `scales`: (n, n_groups), or (1, 1) for all
    alike. Whole numbers are exact in float32, so the one rounding is the product's.
    """
    with np.errstate(all="ignore"):
        if group_of is not None:
            codes -= _of_columns(zeros, group_of)
            codes *= _of_columns(scales, group_of)
        else:
            grouped = codes.reshape(len(codes), scales.shape[1], -1)
            grouped -= zeros[:, :, None]
            grouped *= scales[:, :, None]
    return codes


def _of_columns(values: F32Array, group_of: IntArray) -> F32Array:
    """One value per group becomes one per column; a single one is for all columns anyway."""
    return values if values.shape[1] == 1 else np.take(values, group_of, axis=1)


@dataclass(frozen=True)
class ColumnRows:
    """The rows of a weight whose packed matrix holds them as columns.

    `unpack` gives the codes of some rows, (stop - start, n_cols) float32, from the packed words.
    """

    name: str
    n_rows: int
    n_cols: int
    source_bytes: int
    recent: Recent[Codes]
    load: Callable[[], Codes]
    unpack: Callable[[U32Array, int, int], F32Array]

    def read(self, start: int, stop: int) -> F32Array:
        codes = self.recent.get(self.name, self.load)
        return codes.scaled(self.unpack(codes.words, start, stop), start, stop)


def ordered_groups(group_of: IntArray, n_groups: int) -> IntArray | None:
    """None where `group_of` only says that groups are equally wide and in order."""
    n_cols = len(group_of)
    if n_cols % n_groups == 0:
        in_order = np.arange(n_cols) // (n_cols // n_groups)
        if np.array_equal(group_of, in_order):
            return None
    return group_of
