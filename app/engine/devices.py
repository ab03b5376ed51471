"""What the installed llama.cpp build can compute on. Runs in a child: a driver may crash here."""

from __future__ import annotations

import ctypes
import re
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import psutil

from app.core import speed
from app.core.hardware import Device, features
from app.core.hardware.known import backend_of
from app.core.hardware.platforms import this_platform
from app.engine import cpu_windows
from app.engine.native import lib, lib_dir

_TYPES = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}


class _Props(ctypes.Structure):
    """ggml_backend_dev_props (ggml-backend.h); `caps` are five bools."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("caps", ctypes.c_bool * 5),
    )


class _Feature(ctypes.Structure):
    """ggml_backend_feature: the last one of a list has no name."""

    _fields_ = (("name", ctypes.c_char_p), ("value", ctypes.c_char_p))


_Features = ctypes.CFUNCTYPE(ctypes.POINTER(_Feature), ctypes.c_void_p)


@cache
def _ggml() -> Any:
    """libggml as libllama has it loaded: a second copy would have a registry of its own."""
    library = lib._lib
    if not hasattr(library, "ggml_backend_dev_count"):  # Windows looks into one module only
        library = ctypes.CDLL(str(lib_dir() / "ggml.dll"))
    pointer, count = ctypes.c_void_p, ctypes.c_size_t
    for function, restype, *arguments in (
        ("ggml_backend_dev_count", count),
        ("ggml_backend_dev_get", pointer, count),
        ("ggml_backend_dev_get_props", None, pointer, ctypes.POINTER(_Props)),
        ("ggml_backend_dev_backend_reg", pointer, pointer),
        ("ggml_backend_reg_count", count),
        ("ggml_backend_reg_get", pointer, count),
        ("ggml_backend_reg_name", ctypes.c_char_p, pointer),
        ("ggml_backend_reg_get_proc_address", pointer, pointer, ctypes.c_char_p),
    ):
        getattr(library, function).restype = restype
        getattr(library, function).argtypes = arguments
    return library


def list_devices() -> tuple[Device, ...]:
    """Every device of the build that works here, GPUs first."""
    ggml = _ggml()
    found = [_device(ggml.ggml_backend_dev_get(i)) for i in range(ggml.ggml_backend_dev_count())]
    return tuple(sorted(found, key=lambda device: device.kind != "gpu"))


def _device(handle: int) -> Device:
    ggml = _ggml()
    props = _Props()
    ggml.ggml_backend_dev_get_props(handle, ctypes.byref(props))
    registry = ggml.ggml_backend_dev_backend_reg(handle)
    return Device(
        name=_text(props.name),
        description=_text(props.description),
        backend=backend_of(_text(ggml.ggml_backend_reg_name(registry))),
        kind=_TYPES.get(props.type, "other"),
        total_bytes=props.memory_total,
        free_bytes=props.memory_free,
        pci=_text(props.device_id),
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def list_backends() -> tuple[str, ...]:
    """The backends that the build has, whether or not they find a device."""
    return tuple(backend_of(_text(_ggml().ggml_backend_reg_name(each))) for each in _registries())


def _registries() -> list[int]:
    ggml = _ggml()
    return [ggml.ggml_backend_reg_get(i) for i in range(ggml.ggml_backend_reg_count())]


def backend_features(backend: str) -> dict[str, str]:
    """What the build's `backend` was made with: {"AVX2": "1", …}; of CUDA {"ARCHS": "750,…"}."""
    ggml = _ggml()
    registries = dict(zip(list_backends(), _registries(), strict=True))
    if backend not in registries:
        return {}
    name = b"ggml_backend_get_features"
    address = ggml.ggml_backend_reg_get_proc_address(registries[backend], name)
    if not address:
        return {}
    found: dict[str, str] = {}
    for feature in _Features(address)(registries[backend]):
        if not feature.name:
            break
        found[_text(feature.name)] = _text(feature.value)
    return found


@cache
def cpu_features() -> tuple[str, ...]:
    """The instruction sets that the processor's kernels use here."""
    return features.from_ggml(backend_features("cpu"))


def cuda_archs() -> tuple[int, ...]:
    """What the CUDA kernels of the build were made for: 890 is compute capability 8.9."""
    return tuple(int(n) for n in re.findall(r"\d+", backend_features("cuda").get("ARCHS", "")))


def has_gpu() -> bool:
    return any(device.kind in ("gpu", "igpu") for device in list_devices())


def main_device(on_gpu: bool) -> str:
    """The name of the device that does the work, for people."""
    if not on_gpu:
        return "CPU"
    return next(d.description for d in list_devices() if d.kind in ("gpu", "igpu"))


def default_threads() -> int:
    """One thread per fast core this process may use: affinity and a container's limit of time
    count. llama.cpp's threads spin, and all wait for the slowest."""
    cpu = this_platform().cpu()
    if sys.platform == "win32":  # only calls tell there of slow cores, and of affinity
        n_allowed = len(psutil.Process().cpu_affinity() or ()) or cpu.n_cores
        n_slow = cpu_windows.n_efficiency()
        cpu = replace(cpu, n_cores=min(cpu.n_cores, n_allowed), n_efficiency=n_slow)
    return speed.default_threads(cpu)
