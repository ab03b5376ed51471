"""Which views of graphics processors are views of the same one.

Backends of ggml and sources of the platform each have their own list; an address on the bus tells
them apart where it is known, else the name does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.core.hardware import known
from app.core.hardware.types import Device, FoundGpu

_RENDERED_BY_CPU = ("llvmpipe", "swiftshader", "basic render")
_CHOSEN = "GGML_VK_VISIBLE_DEVICES"  # with it a person names Vulkan's devices, whatever they are


def once(devices: Iterable[Device]) -> list[Device]:
    """Without the second sight of a processor through another backend, and without renderers.

    llama.cpp itself takes the first of those with the same address; where a backend gives none,
    the n-th of a name in one backend is the n-th of that name in the other.
    """
    kept: list[Device] = []
    for device in devices:
        if not _is_renderer(device) and not any(_is_same(device, other, devices) for other in kept):
            kept.append(device)
    return kept


def _is_renderer(device: Device) -> bool:
    """A program that draws on the processor; llama.cpp leaves it alone unless it is chosen."""
    rendered = any(mark in device.description.lower() for mark in _RENDERED_BY_CPU)
    return rendered and not os.environ.get(_CHOSEN)


def _is_same(device: Device, other: Device, devices: Iterable[Device]) -> bool:
    if device.kind == "cpu" or other.kind == "cpu":
        return False
    if device.pci and other.pci:
        return device.pci == other.pci
    if device.backend == other.backend:
        return False
    n_th = _rank(device, devices) == _rank(other, devices)
    return n_th and _words(device.description) == _words(other.description)


def _rank(device: Device, devices: Iterable[Device]) -> int:
    like = [
        each
        for each in devices
        if each.backend == device.backend and each.description == device.description
    ]
    return next(i for i, each in enumerate(like) if each is device)


def join(found: Iterable[FoundGpu]) -> list[FoundGpu]:
    """One entry for each processor: what one source does not say, the next one does."""
    joined: list[FoundGpu] = []
    for gpu in found:
        same = next((i for i, other in enumerate(joined) if _is_one(gpu, other)), None)
        if same is None:
            joined.append(gpu)
        else:
            joined[same] = _filled(joined[same], gpu)
    return joined


def _is_one(gpu: FoundGpu, other: FoundGpu) -> bool:
    if gpu.pci and other.pci:
        return gpu.pci == other.pci
    return gpu.source != other.source and _words(gpu.name) == _words(other.name)


def _filled(gpu: FoundGpu, other: FoundGpu) -> FoundGpu:
    """`gpu`, with what only `other` knows. Free bytes belong to the total they came with."""
    names = ("vendor", "pci", "driver", "bandwidth", "compute", "own_bytes", "own_free_bytes")
    gaps = {name: getattr(gpu, name) or getattr(other, name) for name in names}
    sizes = gpu if gpu.total_bytes else other
    return replace(
        gpu,
        **gaps,
        total_bytes=sizes.total_bytes,
        free_bytes=sizes.free_bytes,
        is_integrated=gpu.is_integrated or other.is_integrated,
        missing=gpu.missing if other.missing else "",
    )


def match(device: Device, found: Sequence[FoundGpu]) -> FoundGpu | None:
    """What the platform knows of ggml's `device`."""
    if device.pci:
        address = re.sub(r"-v\d+$", "", device.pci)  # ggml-cuda's mark for a shared processor
        same = next((gpu for gpu in found if gpu.pci == address), None)
        if same is not None:
            return same
    nameless = [gpu for gpu in found if not (gpu.pci and device.pci)]
    by_name = (gpu for gpu in nameless if _words(gpu.name) == _words(device.description))
    exact = next(by_name, None)
    if exact is not None:
        return exact
    vendor = known.vendor_of(device.description, device.backend)
    of_vendor = [gpu for gpu in nameless if gpu.vendor == vendor and vendor]
    return of_vendor[0] if len(of_vendor) == 1 else None


def _words(name: str) -> frozenset[str]:
    """What a name says, without marks, vendors and brackets: backends write them differently."""
    plain = re.sub(r"\(.*?\)|\[.*?\]|®|™", " ", name.lower())
    noise = {"nvidia", "amd", "ati", "intel", "graphics", "corporation", "gpu"}
    return frozenset(re.findall(r"[a-z0-9]+", plain)) - noise or frozenset([name])
