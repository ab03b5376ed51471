"""A ModelShape of a file that is only planned: what the quantizer's plan says of it is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.core.fit.header import Vocabulary, shape_of_tensors
from app.core.fit.keys import Keys
from app.core.fit.plan import Fit, MemoryPlan, Use
from app.core.fit.planning import plan as memory_plan
from app.core.fit.shape import ModelShape
from app.core.hardware import Cpu, Hardware
from quantize.gguf_header import TensorInfo
from quantize.job import Plan, PlannedFile, PlannedTensor
from quantize.types import GgmlType

_USUAL = "Q4_K_M"
_TOKENS, _MERGES = "tokenizer.ggml.tokens", "tokenizer.ggml.merges"


def shape_planned(plan: Plan, file: PlannedFile) -> ModelShape:
    """Of `file`, one of the plan's."""
    numbers = dict(plan.numbers)
    shape = shape_of_tensors(
        Keys(plan.architecture, numbers),
        [_tensor(tensor) for tensor in file.tensors],
        Vocabulary(_count(numbers.get(_TOKENS)), _count(numbers.get(_MERGES))),
    )
    return replace(shape, variant=file.type, file_bytes=file.size_bytes)


def plan_files(plan: Plan, n_ctx: int) -> dict[str, MemoryPlan]:
    """For each type what its file will take on the processor, of the memory free when planned."""
    free = plan.memory_free_bytes
    computer = Hardware(Cpu(""), ram_total_bytes=free, ram_available_bytes=free, disk_free_bytes=0)
    use = Use(n_ctx, n_gpu_layers=0)
    return {file.type: memory_plan(shape_planned(plan, file), use, computer) for file in plan.files}


def suggest(fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """The variants to make; `fits` holds them from the largest to the smallest.

    The largest that fits with room to spare, and the usual choice beside it; where nothing has room
    to spare, the smallest that fits at all.
    """
    roomy = [name for name, fit in fits.items() if fit is Fit.FITS]
    if not roomy:
        return tuple([name for name, fit in fits.items() if fit is Fit.TIGHT][-1:])
    return tuple(name for name in roomy if name in (roomy[0], _USUAL))


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _tensor(tensor: PlannedTensor) -> TensorInfo:
    """Types that a later quantizer may name are taken for bytes."""
    type_ = GgmlType.__members__.get(tensor.type, GgmlType.I8)
    return TensorInfo(tensor.name, type_, tensor.shape, 0, tensor.size_bytes)
