"""AWQ ("gemm"): eight codes of four bits per word along the rows, in an order of its own.

Source: AutoAWQ's packing_utils.py (the order of the fields); there the weight is
(code - zero) * scale, here in float32.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from quantize.packed.bits import U32Array, transposed, unpack_down
from quantize.packed.columns import Codes, ColumnRows
from quantize.packed.parts import FLOATS, WORDS, Parts, check, wrong
from quantize.packed.recent import Recent
from quantize.rows import F32Array
from quantize.safetensors import Stored

# Field of each of eight neighbouring rows: the words hold rows 0, 2, 4, 6, 1, 3, 5, 7.
_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
_MIDDLE = 8  # the zero point of symmetric codes


def unpack(parts: Parts) -> None:
    """Every `….qweight` with its parts becomes `….weight`. Raises CheckpointError."""
    recent: Recent[Codes] = Recent()
    for name in parts.named(".qweight"):
        _unpack_one(parts, name.removesuffix("qweight"), recent)


def _unpack_one(parts: Parts, base: str, recent: Recent[Codes]) -> None:
    qweight = parts.stored.pop(base + "qweight")
    scales = parts.take(base + "scales", qweight)
    qzeros = parts.take_if_there(base + "qzeros")
    _check_shapes(qweight, qzeros, scales)
    n_cols, n_rows = qweight.shape[0], scales.shape[1]
    found = [part for part in (qweight, qzeros, scales) if part is not None]
    rows = ColumnRows(
        name=qweight.name,
        n_rows=n_rows,
        n_cols=n_cols,
        source_bytes=sum(part.n_bytes for part in found),
        recent=recent,
        load=partial(_load, qweight, qzeros, scales),
        unpack=_codes,
    )
    parts.add(base + "weight", (n_rows, n_cols), rows, qweight)


def _check_shapes(qweight: Stored, qzeros: Stored | None, scales: Stored) -> None:
    check(qweight, WORDS, 2)
    check(scales, FLOATS, 2)
    n_groups, n_rows = scales.shape
    if qzeros is not None:
        check(qzeros, WORDS, 2)
    if (
        qweight.shape[1] * 8 != n_rows
        or qweight.shape[0] % n_groups
        or (qzeros is not None and qzeros.shape != (n_groups, n_rows // 8))
    ):
        raise wrong(qweight, f"{qweight.shape}, {scales.shape}")


def _load(qweight: Stored, qzeros: Stored | None, scales: Stored) -> Codes:
    scales_of = np.ascontiguousarray(scales.read_f32().T)
    zeros = np.full_like(scales_of, _MIDDLE)
    if qzeros is not None:
        zeros = unpack_down(transposed(qzeros.read_raw()), 4, _ORDER)
    return Codes(qweight.read_raw().view(np.uint32), zeros, scales_of, None)


def _codes(words: U32Array, start: int, stop: int) -> F32Array:
    first = start // 8
    codes = unpack_down(transposed(words[:, first : -(-stop // 8)]), 4, _ORDER)
    return np.ascontiguousarray(codes[start - first * 8 : stop - first * 8])
