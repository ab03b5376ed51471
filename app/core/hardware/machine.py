"""Puts together what was found out about this computer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from platform import machine as machine_kind

import psutil

from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.core.hardware.known import tidy
from app.core.hardware.merge import Surroundings, merge
from app.core.hardware.platforms import Platform, this_platform
from app.core.hardware.probed import Probed
from app.core.hardware.sizes import believable, is_sane
from app.core.hardware.types import Cpu, Device, Gpu, Hardware

_LIED = QT_TRANSLATE_NOOP(
    "hardware", "The driver of {name} reports an impossible amount of memory; it was corrected."
)


def measure(
    folder: Path,
    devices: Sequence[Device] = (),
    gpus: Sequence[Gpu] = (),
    platform: Platform | None = None,
) -> Hardware:
    """This computer, with the disk that holds `folder` (or the nearest parent that exists).

    Cheap: starts no child and asks no driver; what those found goes in as `devices` and `gpus`.
    """
    platform = platform or this_platform()
    memory = platform.memory()
    cpu = platform.cpu()
    return Hardware(
        cpu=cpu if cpu.name else replace(cpu, name=machine_kind()),
        ram_total_bytes=memory.total_bytes,
        ram_available_bytes=memory.available_bytes,
        disk_free_bytes=free_disk(folder),
        devices=tuple(devices),
        gpus=tuple(gpus),
        ram_limited_by=memory.limited_by,
    )


def free_disk(folder: Path) -> int:
    """Free bytes where `folder` is or would be; 0 where the system does not say."""
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None)
    try:
        return psutil.disk_usage(str(existing)).free if existing else 0
    except OSError:
        return 0


def complete(base: Hardware, probed: Probed, ram_bandwidth: int = 0) -> Hardware:
    """`base` with what the probe found, as far as it can be believed."""
    cpu = _with_features(base.cpu, probed)
    around = Surroundings(
        ram_total_bytes=base.ram_total_bytes,
        ram_available_bytes=base.ram_available_bytes,
        backends=probed.backends,
        cuda_archs=probed.cuda_archs,
        ram_bandwidth=ram_bandwidth,
        n_cores=base.cpu.n_cores,
    )
    return replace(
        base,
        cpu=cpu,
        devices=tuple(believable(device) for device in probed.devices),
        gpus=merge(probed.devices, probed.gpus, around),
        ram_bandwidth=ram_bandwidth,
        probe_error=probed.error or _lie(probed),
    )


def _with_features(cpu: Cpu, probed: Probed) -> Cpu:
    """Only where the system's files do not say, the child's findings count: Windows."""
    return replace(
        cpu,
        features=cpu.features or probed.cpu_features,
        n_efficiency=cpu.n_efficiency or max(0, min(probed.n_efficiency, cpu.n_cores)),
    )


def _lie(probed: Probed) -> Message | None:
    """A sentence for the first graphics processor whose figures cannot be."""
    said = [
        *(
            (device.description, device.total_bytes, device.free_bytes)
            for device in probed.devices
            if device.kind in ("gpu", "igpu")
        ),
        *((gpu.name, gpu.total_bytes, gpu.free_bytes) for gpu in probed.gpus),
    ]
    name = next((tidy(name) for name, *pair in said if not is_sane(*pair)), None)
    return None if name is None else _LIED.fill(name=name)


def cpu_name() -> str:
    """The processor's own name, as its maker writes it, or at least its kind."""
    return this_platform().cpu().name or machine_kind()
