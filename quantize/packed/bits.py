"""Small whole numbers out of packed words and bytes, as float32. Knows no method.

Writing each field with a stride is the quickest of six ways in numpy (2 billion a second).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.rows import F32Array

U32Array = npt.NDArray[np.uint32]


def unpack_stream(words: U32Array, bits: int) -> F32Array:
    """Fields of `bits` (2, 3, 4 or 8), lowest first, that may reach over the border of two words.

    `words`: (n, k) uint32, C-contiguous; k a multiple of 3 where `bits` is 3. Returns
    (n, k * 32 // bits).
    """
    data = words.view(np.uint8)
    if bits == 3:
        return _unpack_threes(data)
    per_byte = 8 // bits
    out = np.empty((len(data), data.shape[1] * per_byte), np.float32)
    mask = (1 << bits) - 1
    for i in range(per_byte):
        out[:, i::per_byte] = data >> (i * bits) & mask
    return out


def _unpack_threes(data: npt.NDArray[np.uint8]) -> F32Array:
    """Three bytes hold eight fields of three bits."""
    n = len(data)
    low, middle, high = (data[:, i::3].astype(np.uint32) for i in range(3))
    groups = low | middle << 8 | high << 16
    out = np.empty((n, groups.shape[1] * 8), np.float32)
    for i in range(8):
        out[:, i::8] = groups >> (3 * i) & 7
    return out


def unpack_words(words: U32Array, bits: int) -> F32Array:
    """32 // `bits` fields per word, lowest first; the bits that are left over are not used.

    `words`: (n, k) uint32, C-contiguous. Returns (n, k * (32 // bits)).
    """
    if bits in (2, 4, 8):
        return unpack_stream(words, bits)
    per_word = 32 // bits
    out = np.empty((len(words), words.shape[1] * per_word), np.float32)
    for i in range(per_word):
        out[:, i::per_word] = words >> (i * bits) & ((1 << bits) - 1)
    return out


def unpack_down(words: U32Array, bits: int, order: tuple[int, ...]) -> F32Array:
    """Fields that follow each other down the rows: (k, n) becomes (k * len(order), n).

    Row `i` of each len(order) rows is field `order[i]`.
    """
    k, n = words.shape
    out = np.empty((k, len(order), n), np.float32)
    mask = (1 << bits) - 1
    for i, field in enumerate(order):
        out[:, i] = words >> (field * bits) & mask
    return out.reshape(-1, n)


def transposed(words: npt.NDArray[Any]) -> U32Array:
    """The transpose of a 2-D array of 32-bit words, as uint32, C-contiguous."""
    return np.ascontiguousarray(words.T).view(np.uint32)
