"""What this computer has: processor, memory, disk, and the devices llama.cpp can compute on."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Device:
    """A ggml backend device (ggml-backend.h). Bytes are 0 where the backend does not say.

    `kind`: "cpu", "gpu", "igpu", "accel" or "other"; `backend`: "cpu", "cuda", "metal", "vulkan" …
    """

    name: str
    description: str
    backend: str
    kind: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """Measured when asked for. `devices` is empty when the probe failed."""

    cpu: str
    n_cores: int
    ram_total_bytes: int
    ram_available_bytes: int
    disk_free_bytes: int
    devices: tuple[Device, ...] = ()

    @property
    def gpus(self) -> tuple[Device, ...]:
        return tuple(device for device in self.devices if device.kind in ("gpu", "igpu"))


def measure(folder: Path, devices: tuple[Device, ...] = ()) -> Hardware:
    """This computer, with the disk that holds `folder` (or the nearest parent that exists)."""
    memory = psutil.virtual_memory()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return Hardware(
        cpu=cpu_name(),
        n_cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        ram_total_bytes=memory.total,
        ram_available_bytes=memory.available,
        disk_free_bytes=psutil.disk_usage(str(existing)).free,
        devices=devices,
    )


def cpu_name() -> str:
    """The processor's own name, as its maker writes it."""
    readers = {"linux": _cpu_name_linux, "darwin": _cpu_name_macos, "win32": _cpu_name_windows}
    try:
        name = readers.get(sys.platform, platform.processor)()
    except (OSError, subprocess.SubprocessError):
        name = ""
    return " ".join(name.split()) or platform.machine()


def _cpu_name_linux() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2]
    return ""


def _cpu_name_macos() -> str:
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, timeout=2, check=True).stdout


def _cpu_name_windows() -> str:
    import winreg  # Windows only

    key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as handle:  # type: ignore[attr-defined,unused-ignore]
        return str(winreg.QueryValueEx(handle, "ProcessorNameString")[0])  # type: ignore[attr-defined,unused-ignore]
