"""Puts the parts together: what each device is to hold, and whether it can."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.core.fit.cache import Setup, cache_bytes, setup_for
from app.core.fit.host import host_bytes
from app.core.fit.judging import judge, reserve_bytes
from app.core.fit.plan import DevicePlan, MemoryPlan, Use
from app.core.fit.shape import ModelShape
from app.core.fit.split import CPU, Split, gpus_of, split_for
from app.core.fit.weights import doubled_bytes, weight_bytes
from app.core.fit.work import Part, compute_bytes, output_bytes, scratch_bytes
from app.core.hardware import Gpu, Hardware

# What reading a picture takes beside the file of the part that sees: an allowance, as it depends
# on the picture.
_SEEING_SHARE = 0.5


def plan(shape: ModelShape, use: Use, hardware: Hardware) -> MemoryPlan:
    """What `shape` will take on `hardware` when it is used like that; free memory as it is now."""
    gpus = gpus_of(hardware)
    split = split_for(shape, use.n_gpu_layers, gpus, hardware.ram_available_bytes)
    setup = setup_for(shape, use, on_gpu=split.n_gpu_layers > 0)
    parts = _Parts(shape, split, setup, cache_bytes(shape, setup), hardware)
    devices = (*(parts.on_gpu(number, gpu) for number, gpu in enumerate(gpus)), parts.on_cpu())
    if use.with_mmproj and shape.mmproj_bytes:
        devices = _with_mmproj(devices, shape.mmproj_bytes, on_gpu=split.n_gpu_layers > 0)
    return MemoryPlan(devices, judge(devices), setup.n_ctx, use.kv_type, split.n_gpu_layers)


@dataclass(frozen=True, slots=True)
class _Parts:
    """`caches`: bytes each layer keeps."""

    shape: ModelShape
    split: Split
    setup: Setup
    caches: tuple[int, ...]
    hardware: Hardware

    def on_gpu(self, number: int, gpu: Gpu) -> DevicePlan:
        part = Part(self.split.holds_layers(number), self.split.output == number)
        ram = self.hardware.ram_available_bytes
        free = gpu.free_bytes or ram
        return DevicePlan(
            device=gpu.name,
            weights_bytes=weight_bytes(self.shape, self.split, number),
            kv_bytes=self._kv_bytes(number),
            compute_bytes=self._gpu_work(part),
            free_bytes=min(free, ram) if gpu.is_integrated else free,
            reserve_bytes=reserve_bytes(gpu.backend) if part.is_used else 0,
            is_shared=gpu.is_integrated,
        )

    def on_cpu(self) -> DevicePlan:
        part = Part(self.split.holds_layers(CPU), self.split.output == CPU, has_input=True)
        work = compute_bytes(self.shape, self.setup, part) + output_bytes(self.shape)
        scratch = scratch_bytes(self.shape, self.setup) if part.has_layers else 0
        return DevicePlan(
            device="CPU",
            weights_bytes=weight_bytes(self.shape, self.split, CPU) + self._doubled_bytes(),
            kv_bytes=self._kv_bytes(CPU),
            compute_bytes=work,
            free_bytes=self.hardware.ram_available_bytes,
            host_bytes=host_bytes(self.shape, self.setup) + scratch,
            scratch_bytes=scratch,
        )

    def _gpu_work(self, part: Part) -> int:
        """A GPU also computes long prompts for layers it does not hold: their weights visit it."""
        total = compute_bytes(self.shape, self.setup, part)
        if part.is_used and self.split.output == CPU:
            total += self.shape.output_bytes
        elif part.is_used and CPU in self.split.layers:
            total += max(layer.active_bytes for layer in self.shape.layers) // 2
        return total

    def _doubled_bytes(self) -> int:
        if gpus_of(self.hardware):
            return 0
        return doubled_bytes(self.shape, self.hardware.cpu.features)

    def _kv_bytes(self, device: int) -> int:
        held = zip(self.caches, self.split.layers, strict=True)
        return sum(n_bytes for n_bytes, place in held if place == device)


def _with_mmproj(
    devices: tuple[DevicePlan, ...], n_bytes: int, *, on_gpu: bool
) -> tuple[DevicePlan, ...]:
    """The part that sees goes to the first GPU where one is used."""
    which = 0 if on_gpu else len(devices) - 1
    total = n_bytes + round(n_bytes * _SEEING_SHARE)
    seeing = replace(devices[which], mmproj_bytes=total)
    return (*devices[:which], seeing, *devices[which + 1 :])
