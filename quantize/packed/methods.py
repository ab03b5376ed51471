"""Which method packed a checkpoint's weights: what config.json says, else what names give away.

Weights that no module here can unpack are refused by the method's name; a checkpoint whose config
names such a method but whose weights are plain is read as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quantize import checkpoint_errors
from quantize.config import Config
from quantize.dtypes import FLOAT_TYPES
from quantize.errors import UnsupportedError
from quantize.jsonfile import is_missing, read_json
from quantize.packed import awq, bitnet, compressed, gptq, mxfp4, scaled
from quantize.packed.parts import Parts
from quantize.safetensors import Stored
from quantize.tensors import Tensor

_MAX_BYTES = 1024**2
# What only one method calls its tensors.
_SIGNS = (
    (".weight_scale_2", "NVFP4"),
    (".weight_global_scale", "NVFP4"),
    (".absmax", "bitsandbytes"),
    (".SCB", "bitsandbytes"),
    (".W_q", "HQQ"),
    (".q_weight", "EXL2"),
    (".trellis", "EXL3"),
)
_SPELLINGS = {"hqq": "HQQ", "exl2": "EXL2", "exl3": "EXL3", "aqlm": "AQLM", "nvfp4": "NVFP4"}
# Where GPTQ and AWQ kept their settings before config.json had a place for them.
_OLD_CONFIGS = (("quantize_config.json", "gptq"), ("quant_config.json", "awq"))

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Unpacked:
    """`tensors` were packed, `rest` was not. `label` names the packing, "" where there is none."""

    tensors: dict[str, Tensor]
    rest: dict[str, Stored]
    label: str


def unpack(config: Config, stored: dict[str, Stored]) -> Unpacked:
    """Raises UnsupportedError for a method that cannot be unpacked, CheckpointError."""
    method, settings = _method(config, stored)
    parts = Parts(stored)
    run = _METHODS.get(method)
    if sign := _sign(stored):
        raise checkpoint_errors.unsupported_method(config.folder, sign)
    if run is not None:
        run(config, settings, parts)
    elif method and not _is_plain(stored):
        name = _SPELLINGS.get(method, method)
        raise checkpoint_errors.unsupported_method(config.folder, name)
    _check_rest(method, parts)
    return Unpacked(parts.tensors, parts.stored, _label(method, parts))


def _method(config: Config, stored: dict[str, Stored]) -> tuple[str, Settings]:
    """The method's name in small letters, "" for none, and its settings."""
    settings = config.quantization
    if method := settings.get("quant_method"):
        return str(method).lower(), settings
    if any(name.endswith(".qweight") for name in stored):
        return _old_method(config)
    if any(name.endswith("_blocks") and f"{name[:-7]}_scales" in stored for name in stored):
        return "mxfp4", settings
    if any(name.endswith(".weight_packed") for name in stored):
        return "compressed-tensors", settings
    has_fp8 = any(tensor.dtype in scaled.FP8 for tensor in stored.values())
    return ("fp8" if has_fp8 and scaled.has_scales(stored) else ""), settings


def _old_method(config: Config) -> tuple[str, Settings]:
    for file_name, method in _OLD_CONFIGS:
        path = config.folder / file_name
        if not is_missing(path):
            settings = read_json(path, _MAX_BYTES)
            if not isinstance(settings, dict):
                raise checkpoint_errors.wrong_json(path, "it is not an object")
            return method, settings
    raise checkpoint_errors.missing_key(config.path, "quantization_config")


def _sign(stored: dict[str, Stored]) -> str:
    for name in stored:
        for ending, method in _SIGNS:
            if name.endswith(ending):
                return method
    return ""


def _is_plain(stored: dict[str, Stored]) -> bool:
    return all(t.dtype in FLOAT_TYPES for t in stored.values() if len(t.shape) > 1)


def _check_rest(method: str, parts: Parts) -> None:
    """FP8 numbers mean nothing without the scale that the method promised."""
    for tensor in parts.stored.values():
        if method and tensor.dtype in scaled.FP8 and len(tensor.shape) > 1:
            raise checkpoint_errors.lacks_part(tensor.path, tensor.name, f"{tensor.name}_scale")


def _label(method: str, parts: Parts) -> str:
    if method == "compressed-tensors":
        for tensor in parts.tensors.values():
            if isinstance(tensor.rows, compressed.WordRows):
                return f"INT{tensor.rows.bits}"
    return _LABELS.get(method, "") if parts.tensors else ""


# The methods


def _gptq(config: Config, settings: Settings, parts: Parts) -> None:
    layout = str(settings.get("checkpoint_format", "gptq"))
    if layout not in ("gptq", "gptq_v2") or settings.get("is_marlin_format"):
        raise _other_layout(config, "GPTQ", "marlin" if layout == "gptq" else layout)
    gptq.unpack(parts, settings)


def _awq(config: Config, settings: Settings, parts: Parts) -> None:
    version = str(settings.get("version", "gemm")).lower()
    bits = settings.get("bits", settings.get("w_bit", 4))
    if version != "gemm":
        raise _other_layout(config, "AWQ", version)
    if bits != 4:
        raise _other_layout(config, "AWQ", str(bits))
    awq.unpack(parts)


def _compressed(config: Config, settings: Settings, parts: Parts) -> None:
    for layout in sorted(compressed.formats(settings)):
        if layout not in compressed.FORMATS:
            raise _other_layout(config, "compressed-tensors", layout)
    compressed.unpack(parts)
    scaled.unpack(parts, _block(config, compressed.block_size(settings)))


def _scaled(config: Config, settings: Settings, parts: Parts) -> None:
    scaled.unpack(parts, _block(config, settings.get("weight_block_size")))


def _block(config: Config, value: Any) -> tuple[int, int] | None:
    """A pair of sizes that config.json says, or nothing. Raises CheckpointError."""
    if value is None:
        return None
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(n, int) and 0 < n < 2**31 for n in value)
    ):
        return value[0], value[1]
    raise checkpoint_errors.wrong_json(config.path, f"blocks of {value!r}"[:200])


def _other_layout(config: Config, method: str, layout: str) -> UnsupportedError:
    return checkpoint_errors.unsupported_method(config.folder, f"{method} ({layout})")


_METHODS: dict[str, Callable[[Config, Settings, Parts], None]] = {
    "gptq": _gptq,
    "awq": _awq,
    "compressed-tensors": _compressed,
    "fp8": _scaled,
    "fbgemm_fp8": _scaled,
    "modelopt": _scaled,
    "bitnet": lambda _config, _settings, parts: bitnet.unpack(parts),
    "mxfp4": lambda _config, _settings, parts: mxfp4.unpack(parts),
}
_LABELS = {"gptq": "GPTQ", "awq": "AWQ", "mxfp4": "MXFP4", "bitnet": "BitNet"}
