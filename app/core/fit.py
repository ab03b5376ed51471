"""Whether a model that is not loaded yet will fit into memory: predicted, roughly.

A stand-in with the shape of the real thing: the file, the context it is used with and an allowance
for work, against what is free. It knows tensors by name and size only, no file and no device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_N_CTX = 4096
COMFORTABLE_SHARE = 0.85  # of the free memory: other programs want some too
_WORK_BYTES = 100_000_000  # buffers of the computation, on the processor
_F16_BYTES = 2
_KEYS_AND_VALUES = ("attn_k.weight", "attn_v.weight")
_FUSED = "attn_qkv.weight"
_USUAL = "Q4_K_M"


class Fit(StrEnum):
    """Named as the states in the tokens are."""

    FITS = "fits"
    TIGHT = "tight"
    DOES_NOT_FIT = "doesNotFit"


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes of memory, by what they are for."""

    model_bytes: int
    context_bytes: int
    work_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.model_bytes + self.context_bytes + self.work_bytes


def predict_need(file_bytes: int, context_bytes: int) -> MemoryNeed:
    """What a model file of this size takes when it is loaded."""
    return MemoryNeed(file_bytes, context_bytes, _WORK_BYTES)


def predict_context(tensors: Iterable[tuple[str, tuple[int, ...]]], n_ctx: int) -> int:
    """Bytes of an F16 KV cache of `n_ctx` tokens for tensors of these names and (ggml) shapes.

    Each attention block keeps as many numbers per token as its key and value projections have rows.
    Sliding windows and latent attention, which keep fewer, are not looked at; of a fused projection
    two thirds are counted.
    """
    n_values = 0
    for name, shape in tensors:
        if name.endswith(_KEYS_AND_VALUES):
            n_values += shape[-1]
        elif name.endswith(_FUSED):
            n_values += shape[-1] * 2 // 3
    return n_values * n_ctx * _F16_BYTES


def judge(need: MemoryNeed, free_bytes: int) -> Fit:
    """How `need` compares with what is free."""
    if need.total_bytes <= free_bytes * COMFORTABLE_SHARE:
        return Fit.FITS
    return Fit.TIGHT if need.total_bytes <= free_bytes else Fit.DOES_NOT_FIT


def recommend(fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """The variants to take; `fits` holds them from the largest to the smallest.

    The largest that fits with room to spare, and the usual choice beside it; where nothing has room
    to spare, the smallest that fits at all.
    """
    roomy = [name for name, fit in fits.items() if fit is Fit.FITS]
    if not roomy:
        return tuple([name for name, fit in fits.items() if fit is Fit.TIGHT][-1:])
    return tuple(name for name in roomy if name in (roomy[0], _USUAL))
