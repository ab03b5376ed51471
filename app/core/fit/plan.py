"""The plan of a model's memory: part by part, device by device, against what is free."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fit(StrEnum):
    """Named as the states in the tokens are."""

    FITS = "fits"
    TIGHT = "tight"
    DOES_NOT_FIT = "doesNotFit"


@dataclass(frozen=True, slots=True)
class Use:
    """How a model is to be run; names as in the engine's Load. `n_gpu_layers` -1: all of them.

    `with_mmproj`: the part that sees pictures is loaded too.
    """

    n_ctx: int = 4096
    kv_type: str = "f16"
    n_gpu_layers: int = -1
    flash_attn: str = "auto"
    with_mmproj: bool = False


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What one device is to hold, in bytes. `device`: "CPU", or the GPU's name.

    `host_bytes` (on the CPU only): the vocabulary, llama.cpp and the engine's process itself; of it
    `scratch_bytes` are what its kernels need now and then.
    `reserve_bytes`: of what is free, what the backend takes before the model comes. `is_shared`:
    the device has no memory of its own; what it takes is taken of the CPU's.
    """

    device: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    free_bytes: int
    mmproj_bytes: int = 0
    host_bytes: int = 0
    scratch_bytes: int = 0
    reserve_bytes: int = 0
    is_shared: bool = False

    @property
    def total_bytes(self) -> int:
        parts = self.weights_bytes + self.kv_bytes + self.compute_bytes
        return parts + self.mmproj_bytes + self.host_bytes


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """`devices`: GPUs in order, the CPU last. `n_gpu_layers` is settled, never -1.

    `is_exact`: the buffers' sizes were said by llama.cpp itself, over the header.
    """

    devices: tuple[DevicePlan, ...]
    fit: Fit
    n_ctx: int
    kv_type: str
    n_gpu_layers: int
    is_exact: bool = False

    @property
    def weights_bytes(self) -> int:
        return sum(device.weights_bytes for device in self.devices)

    @property
    def kv_bytes(self) -> int:
        return sum(device.kv_bytes for device in self.devices)

    @property
    def compute_bytes(self) -> int:
        return sum(device.compute_bytes for device in self.devices)

    @property
    def mmproj_bytes(self) -> int:
        return sum(device.mmproj_bytes for device in self.devices)

    @property
    def host_bytes(self) -> int:
        return sum(device.host_bytes for device in self.devices)

    @property
    def total_bytes(self) -> int:
        return sum(device.total_bytes for device in self.devices)

    @property
    def free_bytes(self) -> int:
        return sum(device.free_bytes for device in self.devices if not device.is_shared)

    @property
    def fits(self) -> bool:
        return self.fit is not Fit.DOES_NOT_FIT
