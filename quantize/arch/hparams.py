"""config.json as the official converter sees it: through transformers, which fills in and renames.

transformers gives every key that a family has a default and gathers what concerns rotary positions
in `rope_parameters`; the converter then looks there. Knows no family: they bring their defaults.

Source: transformers 5.23.0, modeling_rope_utils.py (RotaryEmbeddingConfigMixin) and
models/*/configuration_*.py; llama.cpp at 0c1e57098, conversion/base.py (TextModel.__init__).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from quantize import checkpoint_errors
from quantize.config import Config

_FULL = "full_attention"
_SLIDING = "sliding_attention"
_SCALED = ("llama3", "yarn", "longrope")
_THETA = ("global_rope_theta", "rope_global_theta", "rope_theta_global", "rope_theta")
_LOCAL_THETA = (
    "local_rope_theta",
    "rope_local_theta",
    "rope_theta_local",
    "swa_rope_theta",
    "rope_local_base_freq",
)


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """`config` with other values, for its errors and its typed answers."""
    return replace(config, values=MappingProxyType(dict(values)))


def completed(config: Config, defaults: Mapping[str, Any]) -> Config:
    """`config`, whose keys win, over `defaults`. A key that is null stays null, as in Python."""
    return with_values(config, {**defaults, **config.values})


def part(config: Config, key: str) -> Mapping[str, Any]:
    """The object under `key`, empty where there is none. Raises CheckpointError."""
    value = config.get(key) or {}
    if not isinstance(value, Mapping):
        raise checkpoint_errors.wrong_kind(config.path, key, "object", value)
    return value


def rope_parameters(
    config: Config, default_theta: float | None, defaults: Mapping[str, Any]
) -> Config:
    """What config.json says about rotary positions, flat or by kind of layer.

    `default_theta` None: a family that transformers does not know, whose keys stay as they are.
    `defaults` are the family's own keys, `original_max_position_embeddings` among them for a few.
    """
    given = dict(part(config, "rope_scaling") or part(config, "rope_parameters"))
    if not _is_nested(given):
        if default_theta is not None:
            _complete(given, config, default_theta)
            _move_original_length(given, config, defaults)
        _mirror(given, config)
        return with_values(config, given)
    for kind in (_FULL, _SLIDING):
        values = dict(part(with_values(config, given), kind))
        if values and default_theta is not None:
            _complete(values, config, default_theta)
            _move_original_length(values, config, {})
        given[kind] = values
    return with_values(config, given)


def of_full_attention(rope: Config) -> Config:
    """The part of `rope` that holds for layers which see everything."""
    return with_values(rope, part(rope, _FULL) or rope.values)


def of_sliding_attention(rope: Config) -> Config:
    """The part for layers with a sliding window, empty where it is no other."""
    return with_values(rope, part(rope, _SLIDING))


def _is_nested(given: Mapping[str, Any]) -> bool:
    return any(isinstance(given.get(kind), Mapping) for kind in (_FULL, _SLIDING))


def _complete(values: dict[str, Any], config: Config, default_theta: float) -> None:
    values.setdefault("rope_theta", config.get("rope_theta", default=default_theta))
    if (factor := config.get("partial_rotary_factor")) is not None:
        values.setdefault("partial_rotary_factor", factor)
    values.setdefault("rope_type", values.get("type", "default"))


def _move_original_length(
    values: dict[str, Any], config: Config, defaults: Mapping[str, Any]
) -> None:
    key = "original_max_position_embeddings"
    if values["rope_type"] not in _SCALED:
        return
    if key in defaults:
        values[key] = config.get(key)
    else:
        values.setdefault(key, config.get("max_position_embeddings"))


def _mirror(values: dict[str, Any], config: Config) -> None:
    """What the converter itself copies from the root where `rope_parameters` lacks it."""
    if (local := config.get(*_LOCAL_THETA)) is not None:
        values[_SLIDING] = {"rope_theta": local}
    if "type" in values:
        values.setdefault("rope_type", values["type"])
    names = {
        "rope_theta": (*_THETA, "rotary_emb_base"),
        "partial_rotary_factor": ("partial_rotary_factor", "rope_pct", "rope_percent"),
        "original_max_position_embeddings": ("original_max_position_embeddings",),
    }
    for key, sources in names.items():
        if key not in values and (value := config.get(*sources)) is not None:
            values[key] = value
