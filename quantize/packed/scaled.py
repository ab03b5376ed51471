"""Weights of one byte (FP8, int8) with a scale for all, for each row, or for each block.

Covers FP8 of DeepSeek and Qwen3 (`weight_scale_inv`, blocks), of Mistral (`qscale_weight`), FBGEMM
and ModelOpt (`weight_scale`), and compressed-tensors' float-quantized and int-quantized.

Source: llama.cpp at 0c1e57098, conversion/base.py (dequant_model: dequant_simple).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from quantize.packed.parts import FLOATS, Parts, wrong
from quantize.rows import F32Array
from quantize.safetensors import Stored, StoredRows

FP8 = ("F8_E4M3", "F8_E5M2")
_BYTES = (*FP8, "I8")
# What a scale is called, and what its weight is called instead.
_SCALE_NAMES = (
    ("_scale_inv", ""),
    (".qscale_weight", ".weight"),
    (".weight_scale", ".weight"),
)
_UNUSED = (
    *(".activation_scale", "_activation_scale", ".qscale_act", ".input_scale", ".input_scale_ub"),
    *(".output_scale", ".k_scale", ".v_scale", ".q_scale", ".input_zero_point"),
)


@dataclass(frozen=True)
class ScaledRows:
    """(weight - zero) * scale. `block`: how many rows and columns share a scale.

    The scale's shape is the weight's, with each of the last two axes divided by its block's (and
    rounded up) or 1; it is small, and held from the first read on.
    """

    weight: Stored
    scale: Stored
    zero: Stored | None
    block: tuple[int, int]

    @property
    def n_rows(self) -> int:
        return math.prod(self.weight.shape[:-1])

    @property
    def n_cols(self) -> int:
        return self.weight.shape[-1]

    @property
    def source_bytes(self) -> int:
        return self.weight.n_bytes + self.scale.n_bytes

    def read(self, start: int, stop: int) -> F32Array:
        values = StoredRows(self.weight).read(start, stop)
        rows = np.arange(start, stop)
        with np.errstate(all="ignore"):
            if self._zeros is not None:
                values -= self._of_rows(self._zeros, rows)
            values *= self._of_rows(self._scales, rows)
        return values

    @cached_property
    def _scales(self) -> F32Array:
        return self.scale.read_f32().reshape(aligned(self.scale.shape, self.weight.shape))

    @cached_property
    def _zeros(self) -> F32Array | None:
        if self.zero is None:
            return None
        return self.zero.read_f32().reshape(aligned(self.zero.shape, self.weight.shape))

    def _of_rows(self, scales: F32Array, rows: Any) -> F32Array:
        """The part of `scales` (matrices, rows, columns) for `rows`: (n, 1) or (n, n_cols)."""
        rows_per_matrix = self.weight.shape[-2] if len(self.weight.shape) > 1 else 1
        matrix, row = np.divmod(rows, rows_per_matrix)
        i = matrix if scales.shape[0] > 1 else 0
        j = row // self.block[0] if scales.shape[1] > 1 else 0
        found = np.broadcast_to(scales[i, j], (len(rows), scales.shape[2]))
        if scales.shape[2] == 1:
            return found
        return np.repeat(found, self.block[1], axis=1)[:, : self.n_cols]


def aligned(scale: tuple[int, ...], weight: tuple[int, ...]) -> tuple[int, int, int]:
    """The scale's shape as (matrices, rows, columns): its axes begin where the weight's do."""
    shape = (*scale, *(1,) * (len(weight) - len(scale)))
    matrices, rows, columns = (1, 1, 1, *shape)[-3:]
    return matrices, rows, columns


def has_scales(names: Iterable[str]) -> bool:
    return any(name.endswith(ending) for name in names for ending, _ in _SCALE_NAMES)


def unpack(parts: Parts, block: Sequence[int] | None) -> None:
    """Every weight with a scale becomes one tensor. Raises CheckpointError.

    `block`: rows and columns that share a scale, as config.json says; None where it does not.
    """
    for ending, replacement in _SCALE_NAMES:
        for name in parts.named(ending):
            weight_name = name.removesuffix(ending) + replacement
            scale = parts.stored.pop(name)
            weight = parts.take(weight_name, scale)
            zero = parts.take_if_there(f"{weight_name}_zero_point")
            _check(weight, scale, zero, block)
            size = (block[0], block[1]) if block is not None else (1, 1)
            rows = ScaledRows(weight, scale, zero, size)
            parts.add(weight_name, weight.shape, rows, weight)
    parts.drop(_UNUSED)


def _check(weight: Stored, scale: Stored, zero: Stored | None, block: Sequence[int] | None) -> None:
    if (
        (weight.dtype not in (*_BYTES, *FLOATS) or not weight.n_elements)
        or (scale.dtype not in (*FLOATS, "F8_E8M0") or not scale.n_elements)
        or (zero is not None and zero.shape != scale.shape)
        or not 0 < len(weight.shape) <= 3
        or len(scale.shape) > max(1, len(weight.shape))
        or not _fits(weight.shape, scale.shape, block)
    ):
        raise wrong(weight, f"{weight.dtype} {weight.shape}, {scale.dtype} {scale.shape}, {block}")


def _fits(weight: tuple[int, ...], scale: tuple[int, ...], block: Sequence[int] | None) -> bool:
    sizes = (1, 1, 1, *weight)[-3:]
    spans = (1, *(block or (1, 1)))
    return all(
        have in (1, -(-size // span))
        for have, size, span in zip(aligned(scale, weight), sizes, spans, strict=True)
    )
