"""The settings in force, as commands for the engine."""

from __future__ import annotations

from pathlib import Path

from app.core import settings as s
from app.core.settings import Settings
from app.engine.protocol import Load, Sampling


def load_command(settings: Settings, path: Path, n_ctx: int | None = None) -> Load:
    """Load `path`; `n_ctx` in place of the setting's where it is given."""
    return Load(
        path=str(path),
        n_ctx=n_ctx or settings.get(s.N_CTX),
        n_threads=settings.get(s.N_THREADS),
        flash_attn=settings.get(s.FLASH_ATTN),
        kv_type=settings.get(s.KV_TYPE),
    )


def sampling(
    settings: Settings, seed: int | None = None, temperature: float | None = None
) -> Sampling:
    """The sampling settings; `seed` and `temperature` in place of theirs where given."""
    chosen_seed = settings.get(s.SEED) if seed is None else seed
    return Sampling(
        temperature=settings.get(s.TEMPERATURE) if temperature is None else temperature,
        top_k=settings.get(s.TOP_K),
        top_p=settings.get(s.TOP_P),
        min_p=settings.get(s.MIN_P),
        repeat_penalty=settings.get(s.REPEAT_PENALTY),
        seed=None if chosen_seed < 0 else chosen_seed,
    )
