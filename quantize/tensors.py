"""A tensor of a checkpoint as the families see it: by its Hugging Face name, in torch's order.

Knows neither files nor packing.
"""

from __future__ import annotations

from dataclasses import dataclass

from quantize.rows import Rows
from quantize.types import GgmlType


@dataclass(frozen=True, slots=True)
class Tensor:
    """`rows` is a 2-D view: `n_cols == shape[-1]`, and vectors and scalars are one row.

    `shape` is in torch's order, outermost first. `type` is F32, F16 or BF16 as stored; F32 for
    other numbers and for what was unpacked; MXFP4 for blocks that are copied bit for bit.
    """

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    rows: Rows
    origin: str  # "model-00001-of-00002.safetensors: model.layers.0.mlp.up_proj.weight"
