"""What a computer says of itself without any driver being loaded, platform by platform.

Reading and understanding are apart: a `Platform` is made of raw readings (text files, sysctl's
output, the registry's string), so that recordings of other computers go through the same code.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import psutil

from app.core.hardware.cpu import linux_cpu, macos_cpu, windows_cpu
from app.core.hardware.files import Files, SystemFiles, fields
from app.core.hardware.memory import Memory, linux_memory
from app.core.hardware.types import Cpu

_SYSCTL_LIMIT_S = 2


class Platform(Protocol):
    """Asking never raises and loads no driver."""

    def cpu(self) -> Cpu: ...

    def memory(self) -> Memory: ...


@dataclass(frozen=True, slots=True)
class Linux:
    files: Files
    allowed: frozenset[int]

    def cpu(self) -> Cpu:
        return linux_cpu(self.files, self.allowed)

    def memory(self) -> Memory:
        return linux_memory(self.files)


@dataclass(frozen=True, slots=True)
class MacOS:
    sysctl: Mapping[str, str]
    ram: Memory

    def cpu(self) -> Cpu:
        return macos_cpu(self.sysctl)

    def memory(self) -> Memory:
        return self.ram


@dataclass(frozen=True, slots=True)
class Windows:
    name: str
    n_cores: int
    n_threads: int
    ram: Memory

    def cpu(self) -> Cpu:
        return windows_cpu(self.name, self.n_cores, self.n_threads)

    def memory(self) -> Memory:
        return self.ram


def this_platform() -> Platform:
    if sys.platform == "linux":
        return Linux(SystemFiles(), frozenset(os.sched_getaffinity(0)))
    if sys.platform == "darwin":
        return MacOS(sysctl_values(read_sysctl()), _psutil_memory())
    n_threads = psutil.cpu_count() or 1
    n_cores = psutil.cpu_count(logical=False) or n_threads
    return Windows(_registry_name(), n_cores, n_threads, _psutil_memory())


def read_sysctl(names: tuple[str, ...] = ("hw", "machdep.cpu", "iogpu")) -> str:
    """What macOS's sysctl says, by default of the processor and the graphics memory; "" where it
    fails."""
    command = ["/usr/sbin/sysctl", *names]
    try:  # one unknown name is complained about, the others are printed all the same
        result = subprocess.run(command, capture_output=True, timeout=_SYSCTL_LIMIT_S)
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.decode("utf-8", "replace")


def sysctl_values(text: str) -> dict[str, str]:
    """The lines "hw.memsize: 8589934592" of sysctl's output."""
    return fields(text)


def _psutil_memory() -> Memory:
    memory = psutil.virtual_memory()
    return Memory(memory.total, memory.available)


def _registry_name() -> str:
    try:
        import winreg  # Windows only

        key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as handle:  # type: ignore[attr-defined,unused-ignore]
            return str(winreg.QueryValueEx(handle, "ProcessorNameString")[0])  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, OSError):
        return platform.processor()
