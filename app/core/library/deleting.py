"""Deleting a model: its parts, what it sees with, what lies beside for it, and nothing else.

Only what lies in Nibble's folder or in one that the user added. A link in there that leads into
another app's folder does not make that app's files ours: the place they really lie at counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app import paths
from app.core import hashes
from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError
from app.core.library.model import APP_NAMES, InstalledModel
from app.core.library.places import places, user_folders

_ = QT_TRANSLATE_NOOP
# What a download leaves beside its file until it is whole.
_SIDECARS = (".part", ".part.json")


@dataclass(frozen=True, slots=True)
class Deletion:
    """What would go. `freed_bytes`: links, and files with a second name elsewhere, free nothing."""

    model: InstalledModel
    files: tuple[Path, ...]
    freed_bytes: int
    root: Path


def plan_deletion(
    model: InstalledModel,
    models: Sequence[InstalledModel],
    folders: Iterable[Path] | None = None,
    loaded: Collection[Path] = (),
) -> Deletion:
    """What deleting `model`, one of `models`, would do. Raises ModelFileError where it may not."""
    if model.path in loaded or any(path in loaded for path in model.also_at):
        raise ModelFileError(
            _("library", "{name} is loaded.").fill(name=model.name),
            _("library", "Choose another model first, then delete this one."),
        )
    root = _root_of(model, user_folders() if folders is None else tuple(folders))
    files = _files_of(model, models)
    return Deletion(model, files, sum(_freed_bytes(path) for path in files), root)


def delete(deletion: Deletion) -> int:
    """Delete its files and the folders that are empty then; returns the bytes that are free now.

    Raises ModelFileError where a file cannot be deleted; what went before is gone.
    """
    freed_bytes = 0
    for path in deletion.files:
        size_bytes = _freed_bytes(path)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(path, error) from error
        freed_bytes += size_bytes
    hashes.forget(deletion.files)
    _remove_empty(deletion.files[0].parent, deletion.root)
    return freed_bytes


def _root_of(model: InstalledModel, folders: Sequence[Path]) -> Path:
    """The folder of ours that `model` lies in, links followed. Raises ModelFileError."""
    if model.source in APP_NAMES:
        raise _belongs_to(model, APP_NAMES[model.source])
    real = _real(model.path.parent)
    for place in places(()):
        if place.source in APP_NAMES and real.is_relative_to(_real(place.root)):
            raise _belongs_to(model, APP_NAMES[place.source])
    for root in (paths.models_dir(), *folders):
        if real.is_relative_to(_real(root)):
            return _real(root)
    raise _outside(model)


def _files_of(model: InstalledModel, models: Sequence[InstalledModel]) -> tuple[Path, ...]:
    """The first file last: while it is there, what remains is still known for what it was."""
    files = [*reversed(model.files)]
    others = [other for other in models if other.path != model.path]
    if model.mmproj is not None and all(other.mmproj != model.mmproj for other in others):
        files.insert(0, model.mmproj)
    beside = [path.with_name(path.name + end) for path in files for end in _SIDECARS]
    return tuple(path for path in (*beside, *files) if path in files or path.is_file())


def _freed_bytes(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return 0
    return 0 if path.is_symlink() or found.st_nlink > 1 else found.st_size


def _remove_empty(folder: Path, root: Path) -> None:
    """`folder` and those around it, up to `root`, as long as nothing is in them."""
    with suppress(OSError):
        while _real(folder) != root and _real(folder).is_relative_to(root):
            folder.rmdir()
            folder = folder.parent


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path


def _belongs_to(model: InstalledModel, app: str) -> ModelFileError:
    return ModelFileError(
        _("library", "{name} belongs to {app}, so Nibble leaves it alone.").fill(
            name=model.name, app=app
        ),
        _("library", "Delete it in {app}; it then goes from this list too.").fill(app=app),
    )


def _outside(model: InstalledModel) -> ModelFileError:
    if model.is_starter:
        return ModelFileError(
            _("library", "The starter model is part of Nibble."),
            _("library", "It stays, so that you can always chat."),
        )
    return ModelFileError(
        _("library", "{name} lies outside Nibble's folders, so Nibble leaves it alone.").fill(
            name=model.path.name
        ),
        _("library", "Delete it in your file manager: {folder}").fill(
            folder=str(model.path.parent)
        ),
    )


def _refused(path: Path, error: OSError) -> ModelFileError:
    return ModelFileError(
        _("library", "{name} could not be deleted.").fill(name=path.name),
        _("library", "Check that no program uses it and that {folder} can be written.").fill(
            folder=str(path.parent)
        ),
        str(error),
    )
