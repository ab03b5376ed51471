"""Which layers look back over a window only, and how far.

Source: llama.cpp at 0c1e57098, src/models/*.cpp (load_arch_hparams) and llama-hparams.cpp
(set_swa_pattern).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.fit.keys import Keys

_WINDOW = "attention.sliding_window"
_PATTERN = "attention.sliding_window_pattern"


@dataclass(frozen=True, slots=True)
class _Rule:
    """`period`: of that many layers one sees everything, the first where `dense_first`, else the
    last; 0: the file must say which. `window`: where the file does not say, or, with `fixed`,
    whatever it says. `always`: there are windows even where the file names none.
    """

    period: int
    window: int = 0
    dense_first: bool = False
    fixed: bool = False
    always: bool = False


_RULES = {
    "afmoe": _Rule(4),
    "cohere2": _Rule(4),
    "cohere2moe": _Rule(4, dense_first=True),
    "dots3note": _Rule(0),
    "exaone-moe": _Rule(4, 128, always=True),
    "exaone4": _Rule(4, 4096, always=True),
    "gemma2": _Rule(2, 4096, always=True),
    "gemma3": _Rule(6),
    "gemma3n": _Rule(5),
    "gemma4": _Rule(0),
    "gpt-oss": _Rule(2),
    "granite_swa": _Rule(0),
    "laguna": _Rule(4, dense_first=True),
    "lfm2": _Rule(1),
    "lfm2moe": _Rule(1),
    "llama4": _Rule(4, 8192, fixed=True, always=True),
    "maple": _Rule(0),
    "mellum": _Rule(4),
    "mimo2": _Rule(0),
    "muse-glimmer": _Rule(4),
    "olmo2": _Rule(4),
    "plamo3": _Rule(8),
    "smallthinker": _Rule(4, 4096, dense_first=True, fixed=True),
    "spark2_5": _Rule(0),
    "step35": _Rule(0),
}


def windows_of(keys: Keys) -> tuple[int, ...]:
    """For each layer how many tokens it looks back, 0 for all of them."""
    rule = _RULES.get(keys.architecture)
    if rule is None or (keys.architecture == "exaone4" and keys.n_layers != 64):
        return (0,) * keys.n_layers
    window = _window(rule, keys)
    slides = keys.array(_PATTERN) or periodic(
        keys.number(_PATTERN, rule.period), keys.n_layers, rule.dense_first
    )
    padded = (*slides, *(0 for _ in range(keys.n_layers - len(slides))))
    return tuple(window if slide else 0 for slide in padded[: keys.n_layers])


def _window(rule: _Rule, keys: Keys) -> int:
    said = keys.number(_WINDOW, rule.window if rule.always else 0)
    return rule.window if rule.fixed and said else said


def periodic(period: int, n_layers: int, dense_first: bool = False) -> tuple[int, ...]:
    """1 for each layer that slides: all but one of every `period` layers; 0: none of them."""
    if period == 0:
        return (0,) * n_layers
    if period == 1:
        return (1,) * n_layers
    whole = 0 if dense_first else period - 1
    return tuple(int(i % period != whole) for i in range(n_layers))


def period_of(architecture: str) -> tuple[int, bool]:
    """What `periodic` wants for an architecture without a file at hand."""
    rule = _RULES.get(architecture, _Rule(0))
    return rule.period, rule.dense_first
