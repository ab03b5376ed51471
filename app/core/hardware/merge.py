"""One list of graphics processors, of what ggml can use and what the platform's sources found.

Decides the state of each: used, or why not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.hardware import known, sentences
from app.core.hardware.bandwidths import bandwidth_of
from app.core.hardware.same import join, match, once
from app.core.hardware.sizes import is_sane, sizes
from app.core.hardware.types import Device, FoundGpu, Gpu, GpuState

_KERNELS_FOR = {known.NVIDIA: "cuda", known.APPLE: "metal"}  # for the others Vulkan


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides about a processor that llama.cpp does not list.

    `backends`: those that the build has, empty where that is not known. `cuda_archs`: what its
    CUDA kernels were made for (890 is 8.9). RAM in bytes, its bandwidth in bytes per second.
    """

    ram_total_bytes: int
    ram_available_bytes: int
    backends: tuple[str, ...] = ()
    cuda_archs: tuple[int, ...] = ()
    ram_bandwidth: int = 0
    n_cores: int = 0


def merge(
    devices: Sequence[Device], found: Sequence[FoundGpu], around: Surroundings
) -> tuple[Gpu, ...]:
    """Every graphics processor once, those that llama.cpp computes on first."""
    listed = [device for device in once(devices) if device.kind in ("gpu", "igpu")]
    left = join(found)
    gpus: list[Gpu] = []
    for device in listed:
        seen = match(device, left)
        if seen is not None:
            left.remove(seen)
        gpu = _usable(device, seen, around)
        is_spare = gpu.state is GpuState.USED and _is_spare(device, listed)
        gpus.append(replace(gpu, state=GpuState.SPARE) if is_spare else gpu)
    gpus += [_unusable(each, around) for each in left]
    return tuple(sorted(gpus, key=lambda gpu: gpu.state is not GpuState.USED))


def _usable(device: Device, found: FoundGpu | None, around: Surroundings) -> Gpu:
    """A processor that ggml lists."""
    seen = found or FoundGpu("ggml", device.description, "")
    is_apple = device.backend == "metal" and "apple" in device.description.lower()
    is_integrated = device.kind == "igpu" or seen.is_integrated or is_apple
    total, free = sizes(device.total_bytes, device.free_bytes, seen)
    if is_integrated:
        total, free = _within_ram(total, free, seen, around)
    name = _first_name(device.description, seen.name, device.name)
    gpu = Gpu(
        name=name,
        vendor=seen.vendor or known.vendor_of(name, device.backend),
        total_bytes=total,
        free_bytes=free,
        state=GpuState.USED,
        backend=device.backend,
        is_integrated=is_integrated,
        driver=seen.driver,
        compute=seen.compute,
        pci=device.pci or seen.pci,
    )
    is_too_old = device.backend == "cuda" and _is_before(seen.compute, around.cuda_archs)
    state = GpuState.NO_KERNELS if is_too_old else GpuState.USED
    return replace(gpu, state=state, bandwidth=_bandwidth(gpu, seen, around))


def _within_ram(total: int, free: int, found: FoundGpu, around: Surroundings) -> tuple[int, int]:
    """What an integrated processor may have: of the RAM no more than there is, beside its own."""
    pair = found.own_bytes, found.own_free_bytes
    own, own_free = pair if is_sane(*pair) else (0, 0)
    total = min(total, around.ram_total_bytes + own)
    return total, min(free, total, around.ram_available_bytes + own_free)


def _first_name(*names: str) -> str:
    return next((short for name in names if (short := known.plain_name(name))), "GPU")


def _unusable(found: FoundGpu, around: Surroundings) -> Gpu:
    """A processor that only the platform knows of."""
    total, free = sizes(found.total_bytes, found.free_bytes, None)
    if found.is_integrated:
        total = total or around.ram_total_bytes // 2
        total, free = _within_ram(total, free or total, found, around)
    wanted = _KERNELS_FOR.get(found.vendor, "vulkan")
    if found.vendor == known.AMD and "rocm" in around.backends:
        wanted = "rocm"
    if "vulkan" in around.backends and wanted not in around.backends:
        wanted = "vulkan"
    state, missing = _why_unusable(found, wanted, around)
    gpu = Gpu(
        name=_first_name(found.name),
        vendor=found.vendor,
        total_bytes=total,
        free_bytes=free,
        state=state,
        backend=wanted,
        is_integrated=found.is_integrated,
        driver=found.driver,
        missing=missing,
        compute=found.compute,
        pci=found.pci,
    )
    return replace(gpu, bandwidth=_bandwidth(gpu, found, around))


def _why_unusable(found: FoundGpu, wanted: str, around: Surroundings) -> tuple[GpuState, str]:
    if found.missing:
        return GpuState.NO_DRIVER, found.missing
    if not around.backends:
        return GpuState.UNKNOWN, ""
    if wanted not in around.backends:
        return GpuState.NO_KERNELS, ""
    if wanted == "cuda" and _is_before(found.compute, around.cuda_archs):
        return GpuState.NO_KERNELS, ""
    drivers = {
        "cuda": sentences.NVIDIA_NEWER,
        "vulkan": sentences.VULKAN_DRIVER,
        "rocm": sentences.ROCM_DRIVER,
    }
    if wanted in drivers:
        return GpuState.NO_DRIVER, drivers[wanted]
    return GpuState.UNKNOWN, ""


def _is_before(compute: str, archs: Sequence[int]) -> bool:
    """Whether a processor of this compute capability is older than all kernels of the build."""
    match = re.fullmatch(r"(\d+)\.(\d+)", compute)
    if match is None or not archs:
        return False
    return int(match[1]) * 100 + int(match[2]) * 10 < min(archs)


def _is_spare(device: Device, listed: Sequence[Device]) -> bool:
    """llama.cpp leaves integrated processors alone where there is another one, and of several
    backends' integrated ones takes those of the first. Source: the choice of devices in llama.cpp.
    """
    if device.kind != "igpu":
        return False
    first = next(each for each in listed if each.kind == "igpu")
    return any(each.kind == "gpu" for each in listed) or device.backend != first.backend


def _bandwidth(gpu: Gpu, found: FoundGpu, around: Surroundings) -> int:
    said = found.bandwidth if 0 < found.bandwidth < 10**14 else 0
    by_name = bandwidth_of(gpu.name, around.n_cores)
    return said or by_name or (around.ram_bandwidth if gpu.is_integrated else 0)
