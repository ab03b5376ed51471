"""The one model that is always there. Apart, because the window asks for it before all else."""

from __future__ import annotations

from pathlib import Path

from app import paths
from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError


def starter() -> Path:
    """The starter model's file. Raises ModelFileError naming the command that gets it."""
    path = paths.starter_model()
    if path is None:
        raise ModelFileError(
            QT_TRANSLATE_NOOP("library", "The starter model is not on this computer."),
            QT_TRANSLATE_NOOP("library", "“./packaging/dev run” gets it (93 MB)."),
        )
    return path
