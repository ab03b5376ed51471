"""Where Nibble keeps things. Folders are made by those who write into them, not here."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

import resources

_APP = "nibble"
STARTER_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def config_dir() -> Path:
    return Path(platformdirs.user_config_dir(_APP, appauthor=False))


def data_dir() -> Path:
    return Path(platformdirs.user_data_dir(_APP, appauthor=False))


def cache_dir() -> Path:
    return Path(platformdirs.user_cache_dir(_APP, appauthor=False))


def states_dir() -> Path:
    """Where the engine keeps what conversations left in its cache. May be deleted at any time."""
    return cache_dir() / "states"


def models_dir() -> Path:
    return data_dir() / "models"


def settings_file() -> Path:
    return config_dir() / "settings.json"


def database_file() -> Path:
    return data_dir() / "conversations.db"


def lock_file() -> Path:
    """Held by the one process that may write the database."""
    return data_dir() / "nibble.lock"


def starter_model() -> Path | None:
    """The starter model: $NIBBLE_STARTER, then the one shipped, then the data folder's."""
    named = os.environ.get("NIBBLE_STARTER")
    places = [Path(named)] if named else []
    places += [resources.path("starter") / STARTER_NAME, models_dir() / STARTER_NAME]
    return next((place for place in places if place.is_file()), None)
