"""The file that a name means: "starter", a path, or what a model is called anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError
from app.core.library.beginning import starter
from app.core.library.describing import describe
from app.core.library.group import part_of
from app.core.library.model import InstalledModel
from app.core.library.scanning import installed


def find(name: str) -> Path:
    """The file that `name` means.

    "starter"; a path; or, with or without ":VARIANT", an installed model's name, its file's name,
    its repository ("org/name"), or Ollama's name for it ("llama3.2:3b"). A name with a slash that
    nothing installed bears is a path. Raises ModelFileError with what to do instead.
    """
    if name == "starter":
        return starter()
    path = _path(name)
    if _is_path(path):
        return path
    model = match(name, installed())
    if model is not None:
        return model.path
    if len(path.parts) > 1 or path.suffix == ".gguf":
        return path
    raise _unknown(name)


def find_model(name: str, models: Sequence[InstalledModel]) -> InstalledModel:
    """That of `models`, or the file, that `name` means. Raises ModelFileError."""
    path = starter() if name == "starter" else _path(name)
    for model in models:
        if path in (*model.files, *model.also_at):
            return model
    if (found := match(name, models)) is not None:
        return found
    if _is_path(path):
        return describe(path)
    raise _unknown(name)


def match(name: str, models: Sequence[InstalledModel]) -> InstalledModel | None:
    """The first of `models` called `name`, in capitals or not; the exact name comes first."""
    wanted = name.lower()
    for names in (_exact_names, _loose_names):
        for model in models:
            if wanted in names(model):
                return model
    return None


def _path(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~ of someone who has no home here
        return Path(name)


def _is_path(path: Path) -> bool:
    """Whether it can only be a path, or is that of a file that is there."""
    try:
        return path.is_absolute() or path.is_file()
    except (OSError, ValueError):
        return False


def _exact_names(model: InstalledModel) -> set[str]:
    """What stands for this file and no other."""
    part = part_of(model.path)
    stem = part[0] if part else model.path.stem
    names = {stem, model.path.stem, model.path.name, *model.aliases}
    names |= {f"{base}:{model.variant}" for base in (model.name, model.repo) if base}
    return {each.lower() for each in names}


def _loose_names(model: InstalledModel) -> set[str]:
    """What several variants may be called; Ollama's "llama3.2" is "llama3.2:latest"."""
    untagged = (alias.removesuffix(":latest") for alias in model.aliases)
    short = (alias.partition(":")[0] for alias in model.aliases)
    return {each.lower() for each in (model.name, model.repo, *untagged, *short) if each}


def _unknown(name: str) -> ModelFileError:
    return ModelFileError(
        QT_TRANSLATE_NOOP("library", "There is no model called “{name}”.").fill(name=name),
        QT_TRANSLATE_NOOP("library", "“nibble models” lists what is installed."),
    )
