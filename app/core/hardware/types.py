"""What is known of a computer, in frozen dataclasses. Bytes throughout; measures nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import Message


@dataclass(frozen=True, slots=True)
class Device:
    """A ggml backend device (ggml-backend.h). Bytes are 0 where the backend does not say.

    `kind`: "cpu", "gpu", "igpu", "accel" or "other"; `backend`: "cpu", "cuda", "metal", "vulkan" …
    `pci`: the bus address as ggml writes it ("0000:01:00.0"), "" where there is none.
    """

    name: str
    description: str
    backend: str
    kind: str
    total_bytes: int
    free_bytes: int
    pci: str = ""


@dataclass(frozen=True, slots=True)
class Cpu:
    """`n_cores` physical cores and `n_threads` logical ones that this process may use.

    `n_efficiency` of the cores are the slow kind. `features`: instruction sets that llama.cpp's
    kernels ask about, in lower case: "avx2", "fma", "avx512f", "neon", "dotprod", …
    """

    name: str
    n_cores: int = 1
    n_efficiency: int = 0
    n_threads: int = 1
    features: tuple[str, ...] = ()


class GpuState(StrEnum):
    USED = "used"  # llama.cpp computes on it
    SPARE = "spare"  # it could, but leaves it alone: integrated, beside one that is not
    NO_KERNELS = "no_kernels"  # found, but this build has no kernels for it
    NO_DRIVER = "no_driver"  # found, but a driver or library is missing
    UNKNOWN = "unknown"  # the probe came to no conclusion


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor. `backend`: what computes on it, or what could ("cuda", "vulkan", …).

    `free_bytes` and `total_bytes` are of its own memory, or, where `is_integrated`, of what it may
    take of the RAM; 0 where nobody says. `bandwidth` in bytes per second, 0 where not known.
    `missing` names the driver or library of NO_DRIVER. `compute`: CUDA's compute capability
    ("8.9"). `pci`: its address on the bus, "" where nobody says.
    """

    name: str
    vendor: str
    total_bytes: int
    free_bytes: int
    state: GpuState
    backend: str = ""
    is_integrated: bool = False
    driver: str = ""
    bandwidth: int = 0
    missing: str = ""
    compute: str = ""
    pci: str = ""


@dataclass(frozen=True, slots=True)
class FoundGpu:
    """A graphics processor as one source of the platform sees it, not knowing of llama.cpp.

    `source`: "nvml", "drm", "dxgi" or "macos". What the source does not say is "" or 0; `missing`
    names a driver or library that it found to be missing. `own_bytes` and `own_free_bytes` of an
    integrated one: the part that the firmware set aside for it, which is no part of the RAM.
    """

    source: str
    name: str
    vendor: str
    total_bytes: int = 0
    free_bytes: int = 0
    pci: str = ""
    is_integrated: bool = False
    driver: str = ""
    bandwidth: int = 0
    missing: str = ""
    compute: str = ""
    own_bytes: int = 0
    own_free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """How fast memory was read: `n_threads` threads over `n_bytes` for `seconds`.

    `is_quiet`: nothing else kept the processor busy, so it need not be measured again.
    """

    bytes_per_s: int
    n_threads: int
    n_bytes: int
    seconds: float
    is_quiet: bool = True


@dataclass(frozen=True, slots=True)
class Hardware:
    """This computer as it was when asked for, or a simulated one.

    RAM is what this process may have: a container's limit counts where there is one, and
    `ram_limited_by` then says "cgroup". `ram_bandwidth` in bytes per second, 0 where not measured.
    `devices` (ggml's own list) is empty when the probe failed; `probe_error` then says why. It also
    says so where a driver's figures could not be believed.
    """

    cpu: Cpu
    ram_total_bytes: int
    ram_available_bytes: int
    disk_free_bytes: int
    devices: tuple[Device, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    ram_limited_by: str = ""
    ram_bandwidth: int = 0
    probe_error: Message | None = None

    @property
    def used_gpus(self) -> tuple[Gpu, ...]:
        return tuple(gpu for gpu in self.gpus if gpu.state is GpuState.USED)
