"""What the short-lived child found out by asking drivers; believed as far as it can be."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.errors import Message
from app.core.hardware.types import Bandwidth, Device, FoundGpu


@dataclass(frozen=True, slots=True)
class Probed:
    """`devices`: ggml's own list; `gpus`: the platform's. `backends`: those that the build has.

    `build_features`: the instruction sets that the build's kernels use; `cpu_features` and
    `n_efficiency`: of the processor, where only a call of the system tells. `troubles`: what a
    source said when it failed, for the doctor. `error`: the probe itself failed, wholly or partly.
    """

    llama_cpp: str = ""
    devices: tuple[Device, ...] = ()
    backends: tuple[str, ...] = ()
    cuda_archs: tuple[int, ...] = ()
    build_features: tuple[str, ...] = ()
    gpus: tuple[FoundGpu, ...] = ()
    cpu_features: tuple[str, ...] = ()
    n_efficiency: int = 0
    bandwidth: Bandwidth | None = None
    troubles: tuple[str, ...] = ()
    error: Message | None = None
    hint: Message | None = None
    detail: str = ""
