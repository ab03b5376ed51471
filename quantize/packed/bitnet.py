"""BitNet: weights of -1, 0 and 1, four to a byte down the rows, divided by one scale.

Source: llama.cpp at 0c1e57098, conversion/base.py (dequant_model: dequant_bitnet).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantize.packed.parts import FLOATS, Parts, check, wrong
from quantize.rows import F32Array
from quantize.safetensors import Stored


@dataclass(frozen=True)
class BitNetRows:
    """`packed`: (n_rows // 4, n_cols) uint8; its four bit pairs are four quarters of the rows."""

    packed: Stored
    scale: Stored

    @property
    def n_rows(self) -> int:
        return self.packed.shape[0] * 4

    @property
    def n_cols(self) -> int:
        return self.packed.shape[1]

    @property
    def source_bytes(self) -> int:
        return self.packed.n_bytes

    def read(self, start: int, stop: int) -> F32Array:
        out = np.empty((stop - start, self.n_cols), np.float32)
        quarter = self.packed.shape[0]
        for i in range(start // quarter, -(-stop // quarter)):
            first, last = max(start, i * quarter), min(stop, (i + 1) * quarter)
            data = self.packed.read_rows(first - i * quarter, last - i * quarter, self.n_cols)
            out[first - start : last - start] = data.view(np.uint8) >> (2 * i) & 3
        out -= 1
        with np.errstate(all="ignore"):
            out /= self.scale.read_f32().reshape(1, 1)
        return out


def unpack(parts: Parts) -> None:
    """Every `….weight` with a `….weight_scale` is unpacked. Raises CheckpointError."""
    for name in parts.named(".weight_scale"):
        scale = parts.stored.pop(name)
        packed = parts.take(name.removesuffix("_scale"), scale)
        check(packed, ("U8", "I8"), 2)
        if scale.dtype not in FLOATS or scale.n_elements != 1:
            raise wrong(packed, f"{scale.dtype} {scale.shape}")
        rows = BitNetRows(packed, scale)
        parts.add(packed.name, (rows.n_rows, rows.n_cols), rows, packed)
