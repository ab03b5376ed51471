"""The settings in force, as commands for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from app import paths
from app.core import hashes
from app.core import settings as s
from app.core.errors import AppError
from app.core.jsonschema import grammar_of
from app.core.samplingtext import stop_strings, word_biases
from app.core.settings import Setting, Settings
from app.core.tuned import TuneRecord, read_tuned
from app.engine.protocol import Load, Loaded, Sampling

_NUMBERS: tuple[tuple[str, Setting[int] | Setting[float]], ...] = (
    ("temperature", s.TEMPERATURE),
    ("top_k", s.TOP_K),
    ("top_p", s.TOP_P),
    ("min_p", s.MIN_P),
    ("typical_p", s.TYPICAL_P),
    ("top_n_sigma", s.TOP_N_SIGMA),
    ("xtc_probability", s.XTC_PROBABILITY),
    ("xtc_threshold", s.XTC_THRESHOLD),
    ("repeat_penalty", s.REPEAT_PENALTY),
    ("frequency_penalty", s.FREQUENCY_PENALTY),
    ("presence_penalty", s.PRESENCE_PENALTY),
    ("penalty_last_n", s.PENALTY_LAST_N),
    ("dry_multiplier", s.DRY_MULTIPLIER),
    ("dry_base", s.DRY_BASE),
    ("dry_allowed_length", s.DRY_ALLOWED_LENGTH),
    ("dry_penalty_last_n", s.DRY_PENALTY_LAST_N),
    ("mirostat_tau", s.MIROSTAT_TAU),
    ("mirostat_eta", s.MIROSTAT_ETA),
)


def load_command(settings: Settings, path: Path, n_ctx: int | None = None) -> Load:
    """Load `path`; `n_ctx` in place of the setting's where it is given."""
    way = way_for(settings, read_tuned(paths.database_file(), path))
    known = hashes.known(path)
    return Load(
        path=str(path),
        n_ctx=n_ctx or settings.get(s.N_CTX),
        n_threads=way.n_threads,
        flash_attn=way.flash_attn,
        kv_type=way.kv_type,
        pass_costs=way.pass_costs,
        lookup=settings.get(s.LOOKUP) != "off",
        draft_path=_draft_for(settings, path),
        states_folder=str(paths.states_dir()) if settings.get(s.STATES_LIMIT) else "",
        states_limit_bytes=settings.get(s.STATES_LIMIT) * 1_000_000,
        sha256=known.present_sha256 if known else "",
    )


def load_after_death(load: Load, loaded: Loaded | None, error: AppError) -> Load:
    """How to load again what died of `error`: with fewer layers on the GPU if its memory ran out
    in the middle of the work, where a backend ends the process."""
    detail = error.detail.lower()
    ran_out = "out of memory" in detail or "outofdevicememory" in detail
    if not ran_out or loaded is None or loaded.n_gpu_layers == 0:
        return load
    return msgspec.structs.replace(load, n_gpu_layers=int(loaded.n_gpu_layers * 0.75))


def _draft_for(settings: Settings, path: Path) -> str:
    """The model that guesses for the one at `path`; none for itself, or where it is gone."""
    draft = settings.get(s.DRAFT_MODEL)
    return draft if draft and Path(draft) != path and Path(draft).is_file() else ""


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is run; the names and meanings of Load."""

    n_threads: int
    flash_attn: str
    kv_type: str
    pass_costs: tuple[tuple[int, float], ...] = ()


def way_for(settings: Settings, tuned: TuneRecord | None) -> Way:
    """What a person has chosen; where nothing is chosen, what was measured. What passes cost is
    known only of the way that was measured."""
    chosen = Way(settings.get(s.N_THREADS), settings.get(s.FLASH_ATTN), settings.get(s.KV_TYPE))
    if tuned is None or settings.get(s.TUNE) == "off":
        return chosen
    # A compressed context needs flash attention, which somebody may not want.
    may_compress = not settings.is_set(s.KV_TYPE) and chosen.flash_attn != "off"
    best = Way(
        n_threads=chosen.n_threads or tuned.n_threads,
        flash_attn=tuned.flash_attn if chosen.flash_attn == "auto" else chosen.flash_attn,
        kv_type=tuned.kv_type if may_compress else chosen.kv_type,
    )
    measured = (tuned.n_threads, tuned.flash_attn, tuned.kv_type)
    if (best.n_threads, best.flash_attn, best.kv_type) != measured:
        return best
    return replace(best, pass_costs=tuned.pass_costs)


def sampling(settings: Settings, defaults: Sequence[tuple[str, float]] = ()) -> Sampling:
    """The sampling settings. What nobody has set is as the model's own `defaults` have it, by
    Sampling's names. Raises PromptError for a schema or a bias that cannot be read.
    """
    wanted: dict[str, int | float | str] = {
        name: _chosen(settings, name, setting, defaults) for name, setting in _NUMBERS
    }
    seed = settings.get(s.SEED)
    mirostat = str(_chosen(settings, "mirostat", s.MIROSTAT, defaults))
    return msgspec.structs.replace(
        Sampling(),
        **wanted,
        mirostat=int(mirostat) if mirostat.isdecimal() else 0,
        logit_bias=tuple(word_biases(settings.get(s.LOGIT_BIAS))),
        grammar=_grammar(settings),
        seed=None if seed < 0 else seed,
    )


def stops(settings: Settings) -> tuple[str, ...]:
    """The strings that end an answer."""
    return stop_strings(settings.get(s.STOP_STRINGS))


def _chosen(
    settings: Settings,
    name: str,
    setting: Setting[Any],
    defaults: Sequence[tuple[str, float]],
) -> int | float | str:
    """What a person chose, else the model's default where it is acceptable, else the setting's."""
    if not settings.is_set(setting):
        for value in (value for named, value in defaults if named == name):
            typed = _typed(setting, value)
            if setting.accepts(typed):
                return typed
    chosen: int | float | str = settings.get(setting)
    return chosen


def _typed(setting: Setting[Any], value: float) -> int | float | str:
    """`value` as `setting` writes it: a choice by its number, "off" for 0."""
    if isinstance(setting.default, str):
        return str(int(value)) if value else "off"
    return value if isinstance(setting.default, float) else int(value)


def _grammar(settings: Settings) -> str:
    """The schema's, where there is one, else the grammar as written. Raises PromptError."""
    schema = settings.get(s.JSON_SCHEMA).strip()
    return grammar_of(schema) if schema else settings.get(s.GRAMMAR).strip()


def thinking(settings: Settings) -> bool | None:
    """Whether the model is to think first; None for as its template has it."""
    return {"on": True, "off": False}.get(settings.get(s.THINKING))
