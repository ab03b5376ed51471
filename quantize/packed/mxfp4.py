"""MXFP4 of gpt-oss, whose bits go into ggml's blocks unchanged, in another order.

Source: llama.cpp at 0c1e57098, conversion/gpt_oss.py (repack_mxfp4) and conversion/base.py
(repack_mxfp4_blocks); ggml/src/ggml-common.h (block_mxfp4, kvalues_mxfp4) and
ggml/src/ggml-impl.h (ggml_e8m0_to_fp32_half).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantize.packed.parts import Parts, check, wrong
from quantize.rows import F32Array
from quantize.safetensors import Stored
from quantize.types import GgmlType

_BLOCK = GgmlType.MXFP4.block_size
_HALF = _BLOCK // 2
_VALUES = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)


@dataclass(frozen=True)
class MxFp4Rows:
    """Rows of 32-number blocks: `blocks` (…, n_blocks, 16) and `scales` (…, n_blocks), uint8.

    A byte holds two neighbours, the first in its low half. ggml wants the scale, then the first
    sixteen numbers in the low halves and the last sixteen in the high ones.
    """

    blocks: Stored
    scales: Stored

    @property
    def n_rows(self) -> int:
        return math.prod(self.scales.shape[:-1])

    @property
    def n_cols(self) -> int:
        return self.scales.shape[-1] * _BLOCK

    @property
    def source_bytes(self) -> int:
        return self.blocks.n_bytes + self.scales.n_bytes

    def read_raw(self, start: int, stop: int) -> bytes:
        codes, scales = self._codes(start, stop)
        out = np.empty((*scales.shape, 1 + _HALF), np.uint8)
        out[:, :, 0] = scales
        out[:, :, 1:] = codes[:, :, :_HALF] | codes[:, :, _HALF:] << 4
        return out.tobytes()

    def read(self, start: int, stop: int) -> F32Array:
        codes, scales = self._codes(start, stop)
        values: F32Array = np.take(_VALUES, codes)
        with np.errstate(all="ignore"):
            values *= _HALF_SCALES[scales][:, :, None]
        return values.reshape(stop - start, self.n_cols)

    def _codes(self, start: int, stop: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """(n, n_blocks, 32) codes in the order of the numbers, and (n, n_blocks) scales."""
        n_blocks = self.scales.shape[-1]
        data = self.blocks.read_rows(start, stop, n_blocks * _HALF)
        codes = np.empty((stop - start, n_blocks, _BLOCK), np.uint8)
        pairs = data.reshape(stop - start, n_blocks, _HALF)
        codes[:, :, 0::2] = pairs & 15
        codes[:, :, 1::2] = pairs >> 4
        return codes, self.scales.read_rows(start, stop, n_blocks)


def _half_scales() -> F32Array:
    """Half of two to the power of (scale - 127), for the values above are doubled."""
    return np.ldexp(np.float64(1), np.arange(256) - 128).astype(np.float32)


_HALF_SCALES = _half_scales()


def unpack(parts: Parts) -> None:
    """Every `…_blocks` with its `…_scales` becomes `…`, of type MXFP4. Raises CheckpointError."""
    for name in parts.named("_blocks"):
        base = name.removesuffix("_blocks")
        blocks = parts.stored.pop(name)
        scales = parts.take(f"{base}_scales", blocks)
        check(blocks, ("U8",), len(blocks.shape))
        check(scales, ("U8",), len(scales.shape))
        if len(scales.shape) < 2 or blocks.shape != (*scales.shape, _HALF):
            raise wrong(blocks, f"{blocks.shape}, {scales.shape}")
        rows = MxFp4Rows(blocks, scales)
        shape = (*scales.shape[:-1], rows.n_cols)
        parts.add(base, shape, rows, blocks, GgmlType.MXFP4)
