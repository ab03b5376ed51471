"""What a source becomes before any type is chosen: GGUF metadata and weights by their GGUF names.

The contract between those who read (a checkpoint's families in `arch`, `gguf_source`) and those who
write (`recipe`, `plan`, `pipeline`). Knows neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quantize.messages import Message
from quantize.rows import Rows
from quantize.types import GgmlType, GgufType

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Typed:
    """A metadata value with the type it is written as; a string is text or its raw UTF-8 bytes."""

    type: GgufType
    value: Scalar | bytes


@dataclass(frozen=True, slots=True)
class TypedArray:
    """An array of `type`; `raw` are its elements as GGUF stores them, where they are only copied.

    Exactly one of `values` and `raw` holds the elements; `count` says how many.
    """

    type: GgufType
    count: int
    values: Sequence[Scalar | bytes] = ()
    raw: bytes = b""


MetadataValue = Typed | TypedArray


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of the GGUF to be.

    `type` is what the official converter stores it as when asked for the source's own precision
    (F32 for norms and vectors, else F32, F16, BF16, or a block type that is copied); it decides
    what llama.cpp's rules see as the tensor's type, and what a tensor that is not quantized
    becomes. `shape` is in ggml's order, ne[0] (the row length) first: `rows.n_cols == shape[0]`,
    `rows.n_rows == prod(shape[1:])`. `origin` names it in the source, for messages.
    """

    name: str
    type: GgmlType
    shape: tuple[int, ...]
    rows: Rows
    origin: str

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Its size when stored as `type`."""
        return self.n_elements // self.type.block_size * self.type.type_size


@dataclass(frozen=True, slots=True)
class Model:
    """A source that was understood. `metadata` keeps its order: it is the order in the file.

    It holds everything the official converter writes but `general.file_type` and
    `general.quantization_version`, which the writer adds. `weights` may come in any order; the
    writer sorts them as llama.cpp does. `warnings` are for the plan.
    """

    path: Path
    name: str
    metadata: Mapping[str, MetadataValue]
    weights: tuple[Weight, ...]
    source_type: str  # "BF16", "F16", "Q8_0": what most of the source's weights are stored as
    source_bytes: int
    warnings: tuple[Message, ...] = field(default=())

    @property
    def architecture(self) -> str:
        value = self.metadata.get("general.architecture")
        return str(value.value) if isinstance(value, Typed) else ""

    @property
    def n_params(self) -> int:
        return sum(weight.n_elements for weight in self.weights)
