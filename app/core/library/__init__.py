"""The models on this computer: Nibble's own, the user's, and what other apps already hold.

Everything is used where it lies; nothing is copied, and only Nibble's and the user's own folders
are ever changed. Looks at files and their headers; loads nothing, knows no engine and no network.

What looks at the disk is imported when it is first used: the window is to be there before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from app.core.library.beginning import starter
from app.core.library.model import APP_NAMES, SOURCE_WORDS, InstalledModel, Notice, Source

if TYPE_CHECKING:
    from app.core.library.deleting import Deletion, delete, plan_deletion
    from app.core.library.describing import describe, name_of
    from app.core.library.dropped import Dropped, FolderOfModels, look_at
    from app.core.library.duplicates import unsure
    from app.core.library.naming import find, find_model, match
    from app.core.library.places import parse_folders, user_folders
    from app.core.library.scanning import Scan, installed, scan
else:
    _HOMES = {
        **dict.fromkeys(("Deletion", "delete", "plan_deletion"), "deleting"),
        **dict.fromkeys(("describe", "name_of"), "describing"),
        **dict.fromkeys(("Dropped", "FolderOfModels", "look_at"), "dropped"),
        "unsure": "duplicates",
        **dict.fromkeys(("find", "find_model", "match"), "naming"),
        **dict.fromkeys(("parse_folders", "user_folders"), "places"),
        **dict.fromkeys(("Scan", "installed", "scan"), "scanning"),
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
        return globals().setdefault(name, getattr(module, name))


__all__ = [
    "APP_NAMES",
    "SOURCE_WORDS",
    "Deletion",
    "Dropped",
    "FolderOfModels",
    "InstalledModel",
    "Notice",
    "Scan",
    "Source",
    "delete",
    "describe",
    "find",
    "find_model",
    "installed",
    "look_at",
    "match",
    "name_of",
    "parse_folders",
    "plan_deletion",
    "scan",
    "starter",
    "unsure",
    "user_folders",
]
