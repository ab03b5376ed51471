"""NVIDIA's graphics processors, through NVML, the library of the driver.

The library may be missing, the driver not loaded, or one updated without the other: told apart,
because each has another way on. Source: NVML API reference; the functions of nvidia-ml-py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.hardware import sentences
from app.core.hardware.known import NVIDIA
from app.core.hardware.types import FoundGpu

_PUMPED = 2  # GDDR and HBM move two bits per wire and cycle of the clock that NVML names


@dataclass(frozen=True, slots=True)
class Reading:
    """One device as NVML says it. `mem_clock_mhz` is the highest; 0 where not supported."""

    name: str
    bus_id: str
    total_bytes: int
    free_bytes: int
    driver: str
    compute: tuple[int, int] = (0, 0)
    bus_width_bits: int = 0
    mem_clock_mhz: int = 0


class NvmlError(Exception):
    """NVML does not work here; `missing` is what it lacks, "" where there is nothing to tell."""

    def __init__(self, missing: str) -> None:
        super().__init__(missing)
        self.missing = missing


class NvidiaSource:
    name = "nvml"

    def __init__(self, read: Callable[[], list[Reading]] | None = None) -> None:
        self._read = read or read_nvml

    def find(self) -> tuple[FoundGpu, ...]:
        """Raises NvmlError where the driver does not answer."""
        return tuple(understand(reading) for reading in self._read())


def understand(reading: Reading) -> FoundGpu:
    major, minor = reading.compute
    return FoundGpu(
        source="nvml",
        name=reading.name if reading.name.startswith("NVIDIA") else f"NVIDIA {reading.name}",
        vendor=NVIDIA,
        total_bytes=reading.total_bytes,
        free_bytes=reading.free_bytes,
        pci=bus_address(reading.bus_id),
        driver=reading.driver,
        bandwidth=reading.bus_width_bits * reading.mem_clock_mhz * _PUMPED * 10**6 // 8,
        compute=f"{major}.{minor}" if major else "",
    )


def bus_address(bus_id: str) -> str:
    """ "00000000:01:00.0", as NVML writes it, is "0000:01:00.0" to ggml and the kernel."""
    domain, colon, rest = bus_id.lower().partition(":")
    return f"{domain[-4:]:>04}:{rest}" if colon else ""


def read_nvml() -> list[Reading]:
    """Ask the driver. Raises NvmlError."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NvmlError(_missing(pynvml, error)) from error
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        handles = range(pynvml.nvmlDeviceGetCount())
        return [_reading(pynvml, pynvml.nvmlDeviceGetHandleByIndex(i), driver) for i in handles]
    finally:
        pynvml.nvmlShutdown()


def _missing(pynvml: Any, error: Exception) -> str:
    names = {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: sentences.NVIDIA_LIBRARY,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: sentences.NVIDIA_DRIVER,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: sentences.NVIDIA_MISMATCH,
        pynvml.NVML_ERROR_NO_PERMISSION: sentences.GPU_ACCESS,
    }
    return names.get(getattr(error, "value", None), "")


def _reading(pynvml: Any, handle: Any, driver: str) -> Reading:
    """What a device does not support stays 0; that is common on laptops and new boards."""

    def ask(function: str, *arguments: Any, default: Any) -> Any:
        try:
            return getattr(pynvml, function)(handle, *arguments)
        except (pynvml.NVMLError, AttributeError):
            return default

    memory = ask("nvmlDeviceGetMemoryInfo", default=None)
    pci = ask("nvmlDeviceGetPciInfo", default=None)
    return Reading(
        name=_text(ask("nvmlDeviceGetName", default="GPU")),
        bus_id=_text(pci.busId) if pci else "",
        total_bytes=int(memory.total) if memory else 0,
        free_bytes=int(memory.free) if memory else 0,
        driver=driver,
        compute=tuple(ask("nvmlDeviceGetCudaComputeCapability", default=(0, 0))),
        bus_width_bits=ask("nvmlDeviceGetMemoryBusWidth", default=0),
        mem_clock_mhz=ask("nvmlDeviceGetMaxClockInfo", pynvml.NVML_CLOCK_MEM, default=0),
    )


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
