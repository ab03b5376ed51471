"""compressed-tensors: whole numbers packed into words row by row, or one per byte.

Source: llama.cpp at 0c1e57098, conversion/base.py (dequant_model: dequant_packed). Beyond it, from
the package's own rules: one scale per row or for all ("channel", "tensor"), reordered groups, and
zero points of int8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from quantize.dtypes import to_f32
from quantize.packed.bits import unpack_down, unpack_words
from quantize.packed.columns import IntArray, ordered_groups, scale_groups
from quantize.packed.parts import FLOATS, INDEXES, WORDS, Parts, check, wrong
from quantize.rows import F32Array
from quantize.safetensors import Stored

FORMATS = ("pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "dense")
_BITS = (4, 8, 2, 3, 6, 5, 7, 1)


@dataclass(frozen=True)
class WordRows:
    """(code - zero) * scale, with one scale per row and group of columns.

    `packed`: (n_rows, words per row); `scale`: (n_rows or 1, n_groups); `zero`: packed down the
    rows, or int8 like the scale, or None for the middle of the codes' range.
    """

    packed: Stored
    scale: Stored
    zero: Stored | None
    g_idx: Stored | None
    bits: int
    n_rows: int
    n_cols: int

    @property
    def source_bytes(self) -> int:
        return self.packed.n_bytes + self.scale.n_bytes

    def read(self, start: int, stop: int) -> F32Array:
        n_words = self.packed.shape[1]
        words = self.packed.read_rows(start, stop, n_words).view(np.uint32)
        codes = np.ascontiguousarray(unpack_words(words, self.bits)[:, : self.n_cols])
        scales = self._scales(start, stop)
        zeros = self._zeros(start, stop)
        return scale_groups(codes, zeros, scales, self._group_of)

    @property
    def _n_groups(self) -> int:
        return self.scale.shape[-1] if len(self.scale.shape) == 2 else 1

    def _scales(self, start: int, stop: int) -> F32Array:
        if self.scale.n_elements == 1:
            return self.scale.read_f32().reshape(1, 1)
        return _f32_rows(self.scale, start, stop, self._n_groups)

    def _zeros(self, start: int, stop: int) -> F32Array:
        """(stop - start, n_groups), or (1, 1) for all alike."""
        middle = np.float32(1 << (self.bits - 1))
        if self.zero is None:
            return np.full((1, 1), middle)
        if self.zero.dtype == "I8":
            return _f32_rows(self.zero, start, stop, self._n_groups) + middle
        per_word = 32 // self.bits
        first = start // per_word
        words = self.zero.read_rows(first, -(-stop // per_word), self._n_groups).view(np.uint32)
        zeros = unpack_down(words, self.bits, tuple(range(per_word)))
        return zeros[start - first * per_word : stop - first * per_word]

    @cached_property
    def _group_of(self) -> IntArray | None:
        if self.g_idx is None:
            return None
        group_of = self.g_idx.read_raw().astype(np.int64)
        if (group_of == -1).all() and self.n_cols % self._n_groups == 0:
            return None
        if group_of.min() < 0 or group_of.max() >= self._n_groups:
            raise wrong(self.packed, f"groups {group_of.min()} to {group_of.max()}")
        return ordered_groups(group_of, self._n_groups)


def _f32_rows(stored: Stored, start: int, stop: int, n_cols: int) -> F32Array:
    return to_f32(stored.dtype, stored.read_rows(start, stop, n_cols))


def formats(quantization: Mapping[str, Any]) -> set[str]:
    """The formats of all groups of layers, as far as they are named."""
    groups = quantization.get("config_groups")
    found = {
        str(group.get("format") or "")
        for group in (groups.values() if isinstance(groups, dict) else ())
        if isinstance(group, dict)
    }
    return {str(quantization.get("format") or ""), *found} - {"", "mixed-precision"}


def block_size(quantization: Mapping[str, Any]) -> Sequence[int] | None:
    """Rows and columns that share a scale, as the first group of layers says."""
    groups = quantization.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict) and isinstance(weights.get("block_structure"), list):
            found: list[int] = weights["block_structure"]
            return found
    return None


def unpack(parts: Parts) -> None:
    """Every `….weight_packed` with its parts becomes `….weight`. Raises CheckpointError."""
    for name in parts.named(".weight_packed"):
        base = name.removesuffix("_packed")
        packed = parts.stored.pop(name)
        scale = parts.take(f"{base}_scale", packed)
        shape = parts.take(f"{base}_shape", packed)
        zero = parts.take_if_there(f"{base}_zero_point")
        g_idx = parts.take_if_there(f"{base}_g_idx")
        rows = _word_rows(packed, scale, shape, zero, g_idx)
        parts.add(base, (rows.n_rows, rows.n_cols), rows, packed)


def _word_rows(
    packed: Stored, scale: Stored, shape: Stored, zero: Stored | None, g_idx: Stored | None
) -> WordRows:
    check(packed, WORDS, 2)
    if shape.dtype not in ("I64", "I32") or shape.n_elements != 2 or scale.dtype not in FLOATS:
        raise wrong(packed, f"{shape.dtype} {shape.shape}, {scale.dtype} {scale.shape}")
    n_rows, n_cols = (int(n) for n in shape.read_raw().reshape(2))
    bits = _bits(packed, n_cols)
    n_groups = scale.shape[-1] if len(scale.shape) == 2 else 1
    if (
        (packed.shape[0] != n_rows or n_cols <= 0 or not scale.n_elements)
        or (scale.shape != (n_rows, n_groups) and scale.n_elements != 1)
        or (n_cols % max(1, n_groups) and g_idx is None)
        or (g_idx is not None and (g_idx.shape != (n_cols,) or g_idx.dtype not in INDEXES))
        or (zero is not None and not _is_zero_point(zero, bits, n_rows, n_groups))
    ):
        raise wrong(packed, f"{(n_rows, n_cols)}, {packed.shape}, {scale.shape}")
    return WordRows(packed, scale, zero, g_idx, bits, n_rows, n_cols)


def _bits(packed: Stored, n_cols: int) -> int:
    """The bits per code, which the shapes tell for each weight."""
    for bits in _BITS:
        if -(-n_cols // (32 // bits)) == packed.shape[1]:
            return bits
    raise wrong(packed, f"{n_cols} columns in {packed.shape[1]} words")


def _is_zero_point(zero: Stored, bits: int, n_rows: int, n_groups: int) -> bool:
    if zero.dtype == "I8":
        return zero.shape == (n_rows, n_groups)
    return zero.dtype in WORDS and zero.shape == (-(-n_rows // (32 // bits)), n_groups)
