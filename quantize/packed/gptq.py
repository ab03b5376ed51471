"""GPTQ: codes of 2, 3, 4 or 8 bits in 32-bit words down the columns, zero points along the rows.

Source: llama.cpp at 0c1e57098, conversion/base.py (dequant_model: dequant_gptq), which says how
zero points are offset (by one, but not in "gptq_v2"); three bits, which it lacks: GPTQModel's
packing, where fields reach over the border of two words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from quantize.packed.bits import U32Array, transposed, unpack_stream
from quantize.packed.columns import Codes, ColumnRows, IntArray, ordered_groups
from quantize.packed.parts import FLOATS, INDEXES, WORDS, Parts, check, wrong
from quantize.packed.recent import Recent
from quantize.rows import F32Array
from quantize.safetensors import Stored

_BITS = (2, 3, 4, 8)


def unpack(parts: Parts, quantization: Mapping[str, Any]) -> None:
    """Every `….qweight` with its parts becomes `….weight`. Raises CheckpointError."""
    offset = 1 if quantization.get("checkpoint_format", "gptq") == "gptq" else 0
    recent: Recent[Codes] = Recent()
    for name in parts.named(".qweight"):
        _unpack_one(parts, name.removesuffix("qweight"), offset, recent)


def _unpack_one(parts: Parts, base: str, offset: int, recent: Recent[Codes]) -> None:
    qweight = parts.stored.pop(base + "qweight")
    qzeros = parts.take(base + "qzeros", qweight)
    scales = parts.take(base + "scales", qweight)
    g_idx = parts.take_if_there(base + "g_idx")
    bits = _check_shapes(qweight, qzeros, scales, g_idx)
    n_rows, n_cols = qweight.shape[1], qweight.shape[0] * 32 // bits
    found = [part for part in (qweight, qzeros, scales, g_idx) if part is not None]
    rows = ColumnRows(
        name=qweight.name,
        n_rows=n_rows,
        n_cols=n_cols,
        source_bytes=sum(part.n_bytes for part in found),
        recent=recent,
        load=partial(_load, qweight, qzeros, scales, g_idx, bits, offset),
        unpack=partial(_codes, bits=bits),
    )
    parts.add(base + "weight", (n_rows, n_cols), rows, qweight)


def _check_shapes(qweight: Stored, qzeros: Stored, scales: Stored, g_idx: Stored | None) -> int:
    """The bits per code, which the shapes tell for each weight."""
    check(qweight, WORDS, 2)
    check(qzeros, WORDS, 2)
    check(scales, FLOATS, 2)
    n_groups, n_rows = scales.shape
    bits = qzeros.shape[1] * 32 // n_rows
    n_cols = qweight.shape[0] * 32 // bits if bits in _BITS else 0
    if (
        bits not in _BITS
        or qzeros.shape != (n_groups, n_rows * bits // 32)
        or (qweight.shape[0] * 32 % bits or n_rows * bits % 32)
        or qweight.shape[1] != n_rows
        or (n_cols % n_groups and (g_idx is None or not g_idx.n_elements))
        or (g_idx is not None and not _is_g_idx(g_idx, n_cols))
    ):
        raise wrong(qweight, f"{qweight.shape}, {qzeros.shape}, {scales.shape}")
    return bits


def _is_g_idx(g_idx: Stored, n_cols: int) -> bool:
    return g_idx.dtype in INDEXES and g_idx.shape in ((n_cols,), (0,))


def _load(
    qweight: Stored, qzeros: Stored, scales: Stored, g_idx: Stored | None, bits: int, offset: int
) -> Codes:
    zeros = unpack_stream(qzeros.read_raw().view(np.uint32), bits) + np.float32(offset)
    return Codes(
        words=qweight.read_raw().view(np.uint32),
        zeros=np.ascontiguousarray(zeros.T),
        scales=np.ascontiguousarray(scales.read_f32().T),
        group_of=_group_of(qweight, g_idx, scales.shape[0]),
    )


def _group_of(qweight: Stored, g_idx: Stored | None, n_groups: int) -> IntArray | None:
    if g_idx is None or not g_idx.n_elements:
        return None
    group_of = g_idx.read_raw().astype(np.int64)
    if group_of.min() < 0 or group_of.max() >= n_groups:
        raise wrong(qweight, f"groups {group_of.min()} to {group_of.max()} of {n_groups}")
    return ordered_groups(group_of, n_groups)


def _codes(words: U32Array, start: int, stop: int, bits: int) -> F32Array:
    return unpack_stream(transposed(words[:, start:stop]), bits)
