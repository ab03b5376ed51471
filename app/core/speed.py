"""How many tokens per second a model will write, early in a conversation: predicted.

Writing a token reads every active weight once, so memory's speed sets the pace (a roofline), and
where there is no GPU, or only for a part, the processor's arithmetic. Devices work one after the
other, so their times add up. Then what this machine measured corrects it. No device is asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from app.core.fit import Layer, MemoryPlan, ModelShape, Use
from app.core.fit.split import CPU, gpus_of, split_for
from app.core.hardware import Cpu, Gpu, Hardware
from app.core.measured import SpeedRecord as SpeedRecord
from quantize.types import GgmlType

_EARLY = 512  # tokens into a conversation
_KV_TYPES = {"f16": GgmlType.F16, "q8_0": GgmlType.Q8_0, "q4_0": GgmlType.Q4_0}


@dataclass(frozen=True, slots=True)
class _Pace:
    """`efficiency`: of the memory's bandwidth, what llama.cpp's kernels reach. `per_layer_s`: what
    launching a layer's kernels takes besides; twice that where experts have to be picked."""

    efficiency: float
    per_layer_s: float


# Fitted to published runs of llama.cpp's own benchmark (tg128) of 7B to 70B models: its
# discussions 4167 (Apple), 15013 (CUDA), 15021 (ROCm), 10879 (Vulkan); rounded down.
_PACES = {
    "cpu": _Pace(0.85, 10e-6),
    "cuda": _Pace(0.78, 35e-6),
    "metal": _Pace(0.72, 90e-6),
    "rocm": _Pace(0.55, 70e-6),
    "sycl": _Pace(0.40, 100e-6),
    "vulkan": _Pace(0.55, 75e-6),
}
_PACES["hip"] = _PACES["rocm"]
_BY_VENDOR = {("vulkan", "nvidia"): _Pace(0.65, 60e-6), ("vulkan", "intel"): _Pace(0.35, 120e-6)}
_UNKNOWN_PACE = _Pace(0.40, 100e-6)

# Where nobody knows the bandwidth: what the slowest usual one of a kind has. Data sheets.
_GPU_BANDWIDTH = 120 * 10**9  # GDDR6, 64 bits wide
_RAM_BANDWIDTH = 25 * 10**9  # two channels of DDR4-2133, as read by a program
_OLD_RAM_BANDWIDTH = 10 * 10**9

# Weights per second that one core multiplies and adds, by a part of the variant's name; the first
# that is found counts. Measured on a 3 GHz server core with AVX2: whole models where the type is
# one that llama.cpp reorders for the processor, else ggml's vec_dot (0.3.36).
_CORE_RATES = (
    ("IQ1", 5.0e9),
    ("IQ2", 6.5e9),
    ("IQ3_XXS", 3.3e9),
    ("IQ3", 4.4e9),
    ("IQ4_NL", 18.0e9),
    ("Q4_0", 18.0e9),
    ("Q4_K", 18.0e9),
    ("MXFP4", 18.0e9),
    ("Q4_1", 12.0e9),
    ("Q8_0", 12.5e9),
    ("BF16", 6.4e9),
    ("F32", 4.0e9),
    ("", 9.0e9),
)
_FAST_FEATURES = {"avx2", "avx512f", "dotprod", "i8mm", "sve", "amx_int8"}
_OLD_SHARE = 0.25  # of those rates, without any of these instructions

_RATIO_BOUNDS = (0.33, 2.0)  # beyond that something else was wrong when it was measured
_N_RECORDS = 15  # the newest


def predict_tps(
    shape: ModelShape,
    use: Use,
    plan: MemoryPlan,
    hardware: Hardware,
    measured: Sequence[SpeedRecord] = (),
) -> float:
    """Tokens per second with `plan`'s layers on its devices.

    `measured`: newest first; only those of a device that takes part count.
    """
    seconds = sum(
        _seconds(shape, use, part, hardware) / _correction(part.device, measured)
        for part in _parts(shape, plan.n_gpu_layers, hardware)
    )
    return 1 / seconds


def ideal_tps(
    shape: ModelShape, use: Use, n_gpu_layers: int, hardware: Hardware, n_depth: int
) -> float | None:
    """Tokens per second after `n_depth` tokens, if the memory were read without a pause: the active
    weights once, and all that is kept of the conversation. None where a device's bandwidth is not
    known."""
    seconds = 0.0
    for part in _parts(shape, n_gpu_layers, hardware):
        bandwidth = part.gpu.bandwidth if part.gpu else hardware.ram_bandwidth
        if not bandwidth:
            return None
        seconds += _read_bytes(part, use.kv_type, n_depth) / bandwidth
    return 1 / seconds if seconds else None


def default_threads(cpu: Cpu) -> int:
    """One per fast core: slow cores and second threads of a core hold the others up. Where only
    slow ones may be used, all of them."""
    return max(1, (cpu.n_cores - cpu.n_efficiency) or cpu.n_cores)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one device does for a token."""

    gpu: Gpu | None
    layers: tuple[Layer, ...]
    head_bytes: int

    @property
    def device(self) -> str:
        """As a plan names it."""
        return self.gpu.name if self.gpu else "CPU"

    @property
    def weight_bytes(self) -> int:
        """What a token reads of the weights."""
        return sum(layer.active_bytes for layer in self.layers) + self.head_bytes


def _parts(shape: ModelShape, n_gpu_layers: int, hardware: Hardware) -> Iterable[_Part]:
    """Every device that has layers, or the output."""
    gpus = gpus_of(hardware)
    split = split_for(shape, n_gpu_layers, gpus, hardware.ram_available_bytes)
    for device in (CPU, *range(len(gpus))):
        layers = tuple(
            layer
            for layer, place in zip(shape.layers, split.layers, strict=True)
            if place == device
        )
        head = shape.output_bytes if split.output == device else 0
        if layers or head:
            yield _Part(None if device == CPU else gpus[device], layers, head)


def _seconds(shape: ModelShape, use: Use, part: _Part, hardware: Hardware) -> float:
    weights = part.weight_bytes
    n_bytes = _read_bytes(part, use.kv_type, min(_EARLY, use.n_ctx))
    gpu = part.gpu
    pace = _gpu_pace(gpu) if gpu else _PACES["cpu"]
    bandwidth = _gpu_bandwidth(gpu) if gpu else _ram_bandwidth(hardware)
    reading = n_bytes / (pace.efficiency * bandwidth)
    counting = 0.0 if gpu else _counting(shape, weights, hardware.cpu)
    launching = len(part.layers) * pace.per_layer_s * (2 if shape.n_expert else 1)
    return max(reading, counting) + launching


def _read_bytes(part: _Part, kv_type: str, n_depth: int) -> int:
    """What a token reads on this device, after `n_depth` others."""
    return part.weight_bytes + sum(_kv_bytes(layer, kv_type, n_depth) for layer in part.layers)


def _kv_bytes(layer: Layer, kv_type: str, n_depth: int) -> int:
    """Of what the layer keeps, what a token reads."""
    depth = min(n_depth, layer.window or n_depth)
    type_ = _KV_TYPES[kv_type]
    return (layer.k_width + layer.v_width) * depth * type_.type_size // type_.block_size


def _counting(shape: ModelShape, weight_bytes: int, cpu: Cpu) -> float:
    """Seconds of arithmetic, on every fast core."""
    bits = shape.file_bytes * 8 / shape.n_params if shape.file_bytes and shape.n_params else 5
    rate = next(rate for part, rate in _CORE_RATES if part in shape.variant.upper())
    if is_old(cpu):
        rate *= _OLD_SHARE
    return weight_bytes * 8 / bits / (rate * default_threads(cpu))


def is_old(cpu: Cpu) -> bool:
    """It lacks the instructions that llama.cpp's kernels are written for."""
    return not _FAST_FEATURES & set(cpu.features) and bool(cpu.features)


def _gpu_pace(gpu: Gpu) -> _Pace:
    vendor = gpu.vendor.lower()
    return _BY_VENDOR.get((gpu.backend, vendor)) or _PACES.get(gpu.backend, _UNKNOWN_PACE)


def _gpu_bandwidth(gpu: Gpu) -> int:
    if gpu.is_integrated and not gpu.bandwidth:
        return _RAM_BANDWIDTH
    return gpu.bandwidth or _GPU_BANDWIDTH


def _ram_bandwidth(hardware: Hardware) -> int:
    guess = _OLD_RAM_BANDWIDTH if is_old(hardware.cpu) else _RAM_BANDWIDTH
    return hardware.ram_bandwidth or guess


def _correction(device: str, measured: Sequence[SpeedRecord]) -> float:
    """How much faster than predicted this machine was with `device`, usually."""
    ratios = [
        record.measured_tps / record.predicted_tps
        for record in measured
        if record.device == device and record.predicted_tps > 0 and record.measured_tps > 0
    ]
    if not ratios:
        return 1.0
    least, most = _RATIO_BOUNDS
    return min(max(median(ratios[:_N_RECORDS]), least), most)
