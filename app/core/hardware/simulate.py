"""Another computer, described in three numbers: for `recommend --ram --vram --backend`."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.hardware import known
from app.core.hardware.types import Cpu, Device, Gpu, GpuState, Hardware

UNIFIED_SHARE = 0.75  # of the RAM, what Apple lets the graphics take
_SYSTEM_SHARE, _SYSTEM_BYTES = 0.15, 3 * 1024**3  # what system and programs hold, at most
_DISK_BYTES = 10**12
_RAM_BANDWIDTH = 45 * 10**9  # two channels of DDR4-3200 reach about nine tenths of 51.2 GB/s
_NAMES = {
    "cuda": ("NVIDIA", known.NVIDIA),
    "metal": ("Apple", known.APPLE),
    "rocm": ("AMD", known.AMD),
    "vulkan": ("Vulkan", ""),
}
# By its own memory in GiB, what boards of that size have at least, in GB/s.
_VRAM_BANDWIDTH = ((4, 128), (6, 192), (8, 256), (12, 360), (16, 448), (24, 800), (32, 960))
_UNIFIED_BANDWIDTH = ((8, 68), (16, 100), (24, 120), (36, 200), (192, 400), (1024, 800))


def simulated(
    ram_bytes: int,
    vram_bytes: Sequence[int] = (),
    backend: str = "cpu",
    cpu: Cpu | None = None,
) -> Hardware:
    """A computer with `ram_bytes` and a GPU for each of `vram_bytes`, idle.

    `backend` "metal" without `vram_bytes`: 75 % of the RAM, shared. Other backends without
    `vram_bytes` have no GPU. Speeds are those of ordinary computers of that size.
    """
    free = ram_bytes - min(round(ram_bytes * _SYSTEM_SHARE), _SYSTEM_BYTES)
    is_unified = backend == "metal"
    totals = tuple(vram_bytes)
    if is_unified and not totals:
        totals = (round(ram_bytes * UNIFIED_SHARE),)
    gpus = () if backend == "cpu" else tuple(_gpu(total, backend, free) for total in totals)
    speed = _by_size(_UNIFIED_BANDWIDTH, ram_bytes) if is_unified else _RAM_BANDWIDTH
    return Hardware(
        cpu=cpu or Cpu("A simulated processor", 8, 4 if is_unified else 0, 8 if is_unified else 16),
        ram_total_bytes=ram_bytes,
        ram_available_bytes=free,
        disk_free_bytes=_DISK_BYTES,
        devices=(
            *(_device(gpu, i) for i, gpu in enumerate(gpus)),
            Device("CPU", "A simulated processor", "cpu", "cpu", ram_bytes, ram_bytes),
        ),
        gpus=gpus,
        ram_bandwidth=speed,
    )


def _gpu(total: int, backend: str, ram_free: int) -> Gpu:
    name, vendor = _NAMES.get(backend, (backend, ""))
    is_unified = backend == "metal"
    idle = total if is_unified else total - min(total // 16, 600 * 1024**2)  # the screen takes some
    table = _UNIFIED_BANDWIDTH if is_unified else _VRAM_BANDWIDTH
    return Gpu(
        name=f"{name} {total / 1024**3:.0f} GiB",
        vendor=vendor,
        total_bytes=total,
        free_bytes=min(idle, ram_free) if is_unified else idle,
        state=GpuState.USED,
        backend=backend,
        is_integrated=is_unified,
        bandwidth=_by_size(table, total),
    )


def _device(gpu: Gpu, n: int) -> Device:
    name = {"cuda": "CUDA", "metal": "MTL", "rocm": "ROCm", "vulkan": "Vulkan"}
    return Device(
        f"{name.get(gpu.backend, gpu.backend)}{n}",
        gpu.name,
        gpu.backend,
        "gpu",
        gpu.total_bytes,
        gpu.free_bytes,
    )


def _by_size(table: Sequence[tuple[int, int]], n_bytes: int) -> int:
    """Bytes per second for the first row that is at least this large, else the last row's."""
    gibibytes = n_bytes / 1024**3
    row = next((speed for size, speed in table if gibibytes <= size * 1.05), table[-1][1])
    return row * 10**9
