"""Numbers as they are after one of the 16-bit types held them.

The official converter writes a file of 16-bit numbers before anything is quantized, so that what is
stored otherwise (unpacked weights, a few F32 tensors among BF16 ones) is rounded on the way.

Source: llama.cpp at 0c1e57098, gguf-py/gguf/quants.py (BF16.quantize_blocks).
"""

from __future__ import annotations

import numpy as np

from quantize.rows import F32Array, Mapped, Rows
from quantize.types import GgmlType


def rounded(rows: Rows, type_: GgmlType) -> Rows:
    """`rows` with every number rounded to `type_`, which is F16, BF16, or F32 (unchanged)."""
    if type_ == GgmlType.BF16:
        return Mapped(rows, to_bf16)
    if type_ == GgmlType.F16:
        return Mapped(rows, to_f16)
    return rows


def to_f16(values: F32Array) -> F32Array:
    """float32, any shape; the nearest halves, ties to even. Beyond their range: infinity."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def to_bf16(values: F32Array) -> F32Array:
    """float32, any shape; the nearest brain floats, ties to even. NaN stays NaN."""
    bits = values.view(np.uint32)
    nearest = (bits + (0x7FFF + ((bits >> 16) & 1))) & np.uint32(0xFFFF0000)
    quiet = (bits & np.uint32(0xFFFF0000)) | np.uint32(0x00400000)
    is_nan = (bits & np.uint32(0x7FFFFFFF)) > 0x7F800000
    return np.where(is_nan, quiet, nearest).view(np.float32)
