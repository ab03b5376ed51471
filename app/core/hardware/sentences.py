"""What became of a graphics processor, in plain words, and the way on."""

from __future__ import annotations

from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.core.hardware.types import Gpu, GpuState

# What may be missing: `Gpu.missing` holds one of these names, or another one as it is.
NVIDIA_DRIVER = "NVIDIA driver"
NVIDIA_LIBRARY = "libnvidia-ml"
NVIDIA_MISMATCH = "matching NVIDIA driver"
NVIDIA_NEWER = "newer NVIDIA driver"
VULKAN_DRIVER = "Vulkan driver"
ROCM_DRIVER = "ROCm"
GPU_ACCESS = "access to the device"

_BACKENDS = {
    "cuda": "CUDA",
    "vulkan": "Vulkan",
    "metal": "Metal",
    "rocm": "ROCm",
    "sycl": "SYCL",
    "cpu": "CPU",
}


def backend_name(backend: str) -> str:
    """As its makers write it: "cuda" is "CUDA"."""
    return _BACKENDS.get(backend, backend)


def gpu_sentence(gpu: Gpu) -> Message:
    """One sentence for the state that `gpu` is in."""
    template = _STATES[gpu.state]
    if gpu.state is GpuState.NO_DRIVER:
        template = _MISSING.get(gpu.missing, (template, template))[0]
    return template.fill(name=gpu.name, backend=backend_name(gpu.backend), missing=gpu.missing)


def gpu_hint(gpu: Gpu) -> Message | None:
    """How to change that; None where nothing is to be changed."""
    if gpu.state is GpuState.NO_KERNELS:
        return _KERNELS_HINT.fill(backend=backend_name(gpu.backend))
    if gpu.state is GpuState.NO_DRIVER:
        return _MISSING.get(gpu.missing, (_DRIVER_HINT, _DRIVER_HINT))[1]
    return _UNKNOWN_HINT if gpu.state is GpuState.UNKNOWN else None


_STATES = {
    GpuState.USED: QT_TRANSLATE_NOOP("hardware", "Models run on {name} ({backend})."),
    GpuState.SPARE: QT_TRANSLATE_NOOP(
        "hardware", "{name} could be used, but is left alone beside a faster one."
    ),
    GpuState.NO_KERNELS: QT_TRANSLATE_NOOP(
        "hardware", "{name} was found, but this build of llama.cpp cannot compute on it."
    ),
    GpuState.NO_DRIVER: QT_TRANSLATE_NOOP(
        "hardware", "{name} was found, but this is missing or does not work: {missing}."
    ),
    GpuState.UNKNOWN: QT_TRANSLATE_NOOP(
        "hardware", "{name} was found, but whether models can run on it could not be found out."
    ),
}
_KERNELS_HINT = QT_TRANSLATE_NOOP(
    "hardware", "Get the Nibble package with {backend}, or install llama-cpp-python with {backend}."
)
_DRIVER_HINT = QT_TRANSLATE_NOOP("hardware", "Install the graphics driver, then look again.")
_UNKNOWN_HINT = QT_TRANSLATE_NOOP(
    "hardware", "Models run on the processor. Updating the graphics driver may help."
)
_MISSING = {
    NVIDIA_DRIVER: (
        QT_TRANSLATE_NOOP("hardware", "{name} was found, but NVIDIA’s driver is not loaded."),
        QT_TRANSLATE_NOOP(
            "hardware", "Install NVIDIA’s own driver: the free one, nouveau, cannot compute."
        ),
    ),
    NVIDIA_LIBRARY: (
        QT_TRANSLATE_NOOP(
            "hardware", "{name} was found, but a library of NVIDIA’s driver is missing (NVML)."
        ),
        QT_TRANSLATE_NOOP(
            "hardware",
            "Install NVIDIA’s driver completely; a container must be started with its GPU.",
        ),
    ),
    NVIDIA_MISMATCH: (
        QT_TRANSLATE_NOOP(
            "hardware", "{name} was found, but NVIDIA’s driver and its library do not match."
        ),
        QT_TRANSLATE_NOOP(
            "hardware", "The driver was updated while it was in use: restart the computer."
        ),
    ),
    NVIDIA_NEWER: (
        QT_TRANSLATE_NOOP(
            "hardware", "{name} was found, but NVIDIA’s driver is too old for this build."
        ),
        QT_TRANSLATE_NOOP("hardware", "Update NVIDIA’s driver."),
    ),
    VULKAN_DRIVER: (
        QT_TRANSLATE_NOOP("hardware", "{name} was found, but it has no Vulkan driver."),
        QT_TRANSLATE_NOOP(
            "hardware",
            "Update the graphics driver; on Linux the package is often mesa-vulkan-drivers.",
        ),
    ),
    ROCM_DRIVER: (
        QT_TRANSLATE_NOOP("hardware", "{name} was found, but ROCm does not work with it here."),
        QT_TRANSLATE_NOOP(
            "hardware", "Install ROCm for this processor, or get the Nibble package with Vulkan."
        ),
    ),
    GPU_ACCESS: (
        QT_TRANSLATE_NOOP("hardware", "{name} was found, but you may not use it."),
        QT_TRANSLATE_NOOP(
            "hardware",
            "Add yourself to the groups “render” and “video”; start a container with its GPU.",
        ),
    ),
}
