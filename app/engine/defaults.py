"""How a model's makers want it sampled: the file's own defaults, as far as they can be right.

A file is not trusted: what is no number, or outside the bounds that the settings have for people,
is as if it were not there.
"""

from __future__ import annotations

import math

from app.core import settings as s
from app.core.settings import Setting
from quantize.gguf_header import GgufHeader

# Source: gguf-py/gguf/constants.py, Keys.General.SAMPLING_*. The order of samplers
# (general.sampling.sequence) is left out: it is llama.cpp's standard one here.
_KEYS: tuple[tuple[str, str, Setting[int] | Setting[float]], ...] = (
    ("temp", "temperature", s.TEMPERATURE),
    ("top_k", "top_k", s.TOP_K),
    ("top_p", "top_p", s.TOP_P),
    ("min_p", "min_p", s.MIN_P),
    ("xtc_probability", "xtc_probability", s.XTC_PROBABILITY),
    ("xtc_threshold", "xtc_threshold", s.XTC_THRESHOLD),
    ("penalty_last_n", "penalty_last_n", s.PENALTY_LAST_N),
    ("penalty_repeat", "repeat_penalty", s.REPEAT_PENALTY),
    ("mirostat_tau", "mirostat_tau", s.MIROSTAT_TAU),
    ("mirostat_eta", "mirostat_eta", s.MIROSTAT_ETA),
)


def sampling_defaults(header: GgufHeader) -> tuple[tuple[str, float], ...]:
    """The file's defaults by Sampling's names; () where it has none."""
    found = [(name, _number(header, key, setting)) for key, name, setting in _KEYS]
    mirostat = _value(header, "mirostat")
    if mirostat in (0, 1, 2):
        found.append(("mirostat", mirostat))
    return tuple((name, value) for name, value in found if value is not None)


def _number(header: GgufHeader, key: str, setting: Setting[int] | Setting[float]) -> float | None:
    value = _value(header, key)
    if value is None or (isinstance(setting.default, int) and value != int(value)):
        return None
    typed = int(value) if isinstance(setting.default, int) else value
    return float(value) if setting.accepts(typed) else None


def _value(header: GgufHeader, key: str) -> float | None:
    value = header.metadata.get(f"general.sampling.{key}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
