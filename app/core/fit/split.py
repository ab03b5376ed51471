"""Which layers go to which GPU.

Source: llama.cpp at 0c1e57098, src/llama-model.cpp (load_tensors: split points by free memory, the
last layers first, the output with them; the input stays on the processor) and src/llama.cpp
(which devices are used: integrated GPUs only where there is no other).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.core.fit.shape import ModelShape
from app.core.hardware import Gpu, Hardware

CPU = -1


@dataclass(frozen=True, slots=True)
class Split:
    """For each layer the number of its GPU, or CPU; the same of the output."""

    layers: tuple[int, ...]
    output: int
    n_gpu_layers: int

    def holds_layers(self, device: int) -> bool:
        return device in self.layers

    @property
    def is_whole(self) -> bool:
        """Nothing but the embeddings is on the processor."""
        return CPU not in self.layers and self.output != CPU


def gpus_of(hardware: Hardware) -> tuple[Gpu, ...]:
    """The GPUs that llama.cpp will spread layers over."""
    own = tuple(gpu for gpu in hardware.used_gpus if not gpu.is_integrated)
    return own or hardware.used_gpus


def n_offloadable(shape: ModelShape) -> int:
    """The most `n_gpu_layers` can mean: every layer of the file, and the output."""
    return len(shape.layers) + shape.n_guessing + 1


def split_for(shape: ModelShape, n_gpu_layers: int, gpus: Sequence[Gpu], ram: int) -> Split:
    """`n_gpu_layers` -1: all. `ram`: what a GPU that names no memory is taken to have."""
    most = n_offloadable(shape)
    n = min(most, n_gpu_layers if n_gpu_layers >= 0 else most) if gpus else 0
    if n == 0:
        return Split((CPU,) * len(shape.layers), CPU, 0)
    ends = _split_points([gpu.free_bytes or ram for gpu in gpus])
    places = [_place(i, most, n, ends) for i in (*range(len(shape.layers)), most - 1)]
    return Split(tuple(places[:-1]), places[-1], n)


def _split_points(free: Sequence[int]) -> list[float]:
    total = sum(free) or 1
    return [so_far / total for so_far in accumulate(free)]


def _place(layer: int, most: int, n: int, ends: Sequence[float]) -> int:
    start = most - n
    if layer < start:
        return CPU
    return min(bisect_right(ends, (layer - start) / n), len(ends) - 1)
