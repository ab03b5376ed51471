"""The `ARCH.*` keys of a GGUF, in the order and with the types of the official converter.

Knows keys and numbers, no family: `write_standard` is what most families share.

Source: llama.cpp at 0c1e57098, conversion/base.py (TextModel.set_gguf_parameters),
gguf-py/gguf/gguf_writer.py (the type of each key), gguf-py/gguf/constants.py (class Keys).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from quantize.arch import errors
from quantize.arch.hparams import of_full_attention, of_sliding_attention
from quantize.config import Config
from quantize.model import MetadataValue, Typed, TypedArray
from quantize.types import GgufType

_MAX_F32 = 3.4028234663852886e38
MAX_COUNT = 2**31 - 1


class Parameters:
    """Collects keys below `ARCH.`; setting one again changes its value and not its place."""

    def __init__(self, architecture: str, path: Path) -> None:
        self.architecture = architecture
        self.path = path
        self.values: dict[str, MetadataValue] = {}

    def u32(self, key: str, value: int) -> None:
        """Raises CheckpointError where the value is negative or too large."""
        if not 0 <= value < 2**32:
            raise errors.bad_value(self.path, key, value)
        self._set(key, Typed(GgufType.UINT32, value))

    def f32(self, key: str, value: float) -> None:
        """Raises CheckpointError where the value has no place in 32 bits."""
        if not math.isfinite(value) or abs(value) > _MAX_F32:
            raise errors.bad_value(self.path, key, value)
        self._set(key, Typed(GgufType.FLOAT32, float(value)))

    def boolean(self, key: str, value: bool) -> None:
        self._set(key, Typed(GgufType.BOOL, value))

    def text(self, key: str, value: str) -> None:
        self._set(key, Typed(GgufType.STRING, value))

    def booleans(self, key: str, values: Sequence[bool]) -> None:
        self._set(key, TypedArray(GgufType.BOOL, len(values), tuple(values)))

    def i32s(self, key: str, values: Sequence[int]) -> None:
        """Raises CheckpointError where a value has no place in 32 bits."""
        if not all(-(2**31) <= value < 2**31 for value in values):
            raise errors.bad_value(self.path, key, list(values))
        self._set(key, TypedArray(GgufType.INT32, len(values), tuple(values)))

    def f32s(self, key: str, values: Sequence[float]) -> None:
        """Raises CheckpointError where a value has no place in 32 bits."""
        if not all(math.isfinite(value) and abs(value) <= _MAX_F32 for value in values):
            raise errors.bad_value(self.path, key, list(values))
        self._set(key, TypedArray(GgufType.FLOAT32, len(values), tuple(values)))

    # From config.json: a key that is missing or null writes nothing

    def count_of(self, key: str, config: Config, *names: str) -> None:
        """A whole number, or a list of them (one per layer)."""
        value = config.get(*names)
        if isinstance(value, list):
            self.i32s(key, numbers(config, *names))
        elif value is not None:
            self.u32(key, config.number(*names))

    def real_of(self, key: str, config: Config, *names: str) -> None:
        if config.get(*names) is not None:
            self.f32(key, config.real(*names))

    def _set(self, key: str, value: MetadataValue) -> None:
        self.values[f"{self.architecture}.{key}"] = value


def numbers(config: Config, *names: str) -> list[int]:
    """A list of whole numbers under the first of `names` that is there. Raises CheckpointError."""
    values = config.get(*names)
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise errors.bad_value(config.path, names[0], values)
    return values


def reals(config: Config, *names: str) -> list[float]:
    """A list of finite numbers. Raises CheckpointError."""
    values = config.get(*names)
    if not isinstance(values, list) or not all(_is_real(value) for value in values):
        raise errors.bad_value(config.path, names[0], values)
    return [float(value) for value in values]


def _is_real(value: object) -> bool:
    return type(value) in (int, float) and abs(value) <= _MAX_F32  # type: ignore[arg-type]


def positive(config: Config, *names: str) -> int:
    """A whole number from 1 to 2^31 - 1. Raises CheckpointError."""
    value = config.number(*names)
    if not 1 <= value <= MAX_COUNT:
        raise errors.bad_value(config.path, names[0], value)
    return value


def layer_types(config: Config) -> list[str]:
    """`layer_types`, one name per layer. Raises CheckpointError."""
    values = config.get("layer_types")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise errors.bad_value(config.path, "layer_types", values)
    return values


# What most families share

CONTEXT = (
    "max_position_embeddings",
    "n_ctx",
    "n_positions",
    "max_length",
    "max_sequence_length",
    "model_max_length",
)
EMBEDDING = ("hidden_size", "n_embd", "dim")
FEED_FORWARD = (
    "prefix_dense_intermediate_size",
    "dense_intermediate_size",
    "intermediate_size",
    "n_inner",
    "hidden_dim",
)
HEADS = ("num_attention_heads", "n_head", "n_heads")
HEADS_KV = ("num_key_value_heads", "n_kv_heads")
LAYERS = ("n_layers", "num_hidden_layers", "n_layer", "num_layers")
_SCORES = (
    "score_function",
    "scoring_func",
    "score_func",
    "moe_router_activation",
    "moe_router_activation_func",
    "expert_selection_fn",
)
_GATING = {"softmax": 1, "sigmoid": 2, "sqrtsoftplus": 4}


def write_standard(out: Parameters, config: Config, rope: Config, n_layer: int) -> None:
    """What TextModel writes for every family that does not replace it."""
    out.u32("block_count", n_layer)
    out.count_of("context_length", config, *CONTEXT)
    out.count_of("embedding_length", config, *EMBEDDING)
    out.count_of("feed_forward_length", config, *FEED_FORWARD)
    out.count_of("attention.head_count", config, *HEADS)
    out.count_of("attention.head_count_kv", config, *HEADS_KV)
    if config.get("is_causal") is False:
        out.boolean("attention.causal", False)
    write_rope(out, rope)
    out.real_of("attention.layer_norm_rms_epsilon", config, "rms_norm_eps", "norm_eps")
    out.real_of(
        "attention.layer_norm_epsilon",
        config,
        "layer_norm_eps",
        "layer_norm_epsilon",
        "norm_epsilon",
    )
    _write_experts(out, config)
    out.count_of("attention.key_length", config, "head_dim")
    out.count_of("attention.value_length", config, "head_dim")


def write_rope(out: Parameters, rope: Config) -> None:
    """How positions are scaled, and the base of their frequencies."""
    full = of_full_attention(rope)
    if full.get("rope_type") is not None:
        _write_scaling(out, full, full.text("rope_type"))
    if rope.get("mrope_section") is not None:
        sections = [*numbers(rope, "mrope_section"), 0, 0, 0, 0]
        out.i32s("rope.dimension_sections", sections[:4])
    out.real_of("rope.freq_base", full, "rope_theta")
    out.real_of("rope.freq_base_swa", of_sliding_attention(rope), "rope_theta")


def _write_scaling(out: Parameters, full: Config, kind: str) -> None:
    has_factor = full.get("factor") is not None
    if kind == "linear" and has_factor:
        out.text("rope.scaling.type", "linear")
        out.real_of("rope.scaling.factor", full, "factor")
    elif kind == "yarn" and has_factor:
        _write_yarn(out, full)
    elif kind in ("su", "longrope"):
        out.text("rope.scaling.type", "longrope")
    elif kind.lower() not in ("default", "linear", "yarn", "llama3", "dynamic", "proportional"):
        raise errors.unsupported(out.path, f"rope_type {kind}")


def _write_yarn(out: Parameters, full: Config) -> None:
    out.text("rope.scaling.type", "yarn")
    out.real_of("rope.scaling.factor", full, "factor")
    length = full.number("original_max_position_embeddings")
    out.u32("rope.scaling.original_context_length", length)
    out.real_of("rope.scaling.yarn_ext_factor", full, "extrapolation_factor")
    out.real_of("rope.scaling.yarn_attn_factor", full, "attention_factor", "attn_factor")
    out.real_of("rope.scaling.yarn_beta_fast", full, "beta_fast")
    out.real_of("rope.scaling.yarn_beta_slow", full, "beta_slow")


def _write_experts(out: Parameters, config: Config) -> None:
    out.count_of("expert_count", config, "num_local_experts", "num_experts", "n_routed_experts")
    out.count_of(
        "expert_used_count",
        config,
        "num_experts_per_tok",
        "num_experts_per_token",
        "top_k_experts",
    )
    out.count_of("expert_group_count", config, "n_group")
    out.count_of("expert_group_used_count", config, "topk_group")
    if config.get(*_SCORES) is not None:
        kind = config.text(*_SCORES)
        if kind not in _GATING:
            raise errors.unsupported(out.path, f"router scores {kind}")
        out.u32("expert_gating_func", _GATING[kind])
