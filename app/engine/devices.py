"""What the installed llama.cpp build can compute on. Runs in a child: a driver may crash here."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

import psutil

from app.core.hardware import Device
from app.engine.native import lib, lib_dir

_TYPES = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}


@cache
def _ggml() -> Any:
    """libggml as libllama has it loaded: a second copy would have a registry of its own."""
    library = lib._lib
    if not hasattr(library, "ggml_backend_dev_count"):  # Windows looks into one module only
        library = ctypes.CDLL(str(lib_dir() / "ggml.dll"))
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    for function, restype in (
        ("ggml_backend_dev_get", ctypes.c_void_p),
        ("ggml_backend_dev_name", ctypes.c_char_p),
        ("ggml_backend_dev_description", ctypes.c_char_p),
        ("ggml_backend_dev_type", ctypes.c_int),
        ("ggml_backend_dev_backend_reg", ctypes.c_void_p),
        ("ggml_backend_reg_name", ctypes.c_char_p),
    ):
        getattr(library, function).restype = restype
        getattr(library, function).argtypes = [
            ctypes.c_size_t if function == "ggml_backend_dev_get" else ctypes.c_void_p
        ]
    size_p = ctypes.POINTER(ctypes.c_size_t)
    library.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size_p, size_p]
    library.ggml_backend_dev_memory.restype = None
    return library


def list_devices() -> tuple[Device, ...]:
    """Every device of the build that works here, GPUs first."""
    ggml = _ggml()
    found = [_device(ggml.ggml_backend_dev_get(i)) for i in range(ggml.ggml_backend_dev_count())]
    return tuple(sorted(found, key=lambda device: device.kind != "gpu"))


def _device(handle: int) -> Device:
    ggml = _ggml()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    registry = ggml.ggml_backend_dev_backend_reg(handle)
    return Device(
        name=_text(ggml.ggml_backend_dev_name(handle)),
        description=_text(ggml.ggml_backend_dev_description(handle)),
        backend=_text(ggml.ggml_backend_reg_name(registry)).lower(),
        kind=_TYPES.get(ggml.ggml_backend_dev_type(handle), "other"),
        total_bytes=total.value,
        free_bytes=free.value,
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def has_gpu() -> bool:
    return any(device.kind in ("gpu", "igpu") for device in list_devices())


def main_device(on_gpu: bool) -> str:
    """The name of the device that does the work, for people."""
    if not on_gpu:
        return "CPU"
    return next(d.description for d in list_devices() if d.kind in ("gpu", "igpu"))


def default_threads() -> int:
    """One thread per physical core this process may use; llama.cpp's threads spin."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed))
