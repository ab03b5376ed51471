"""What someone dropped on the window: models, a folder of models, weights, or something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import QT_TRANSLATE_NOOP, AppError, ModelFileError
from app.core.library.describing import describe
from app.core.library.group import grouped
from app.core.library.model import InstalledModel, Source
from app.core.library.walk import Limits, Walk

_ = QT_TRANSLATE_NOOP
MAX_FILES = 64
_LIMITS = Limits(max_entries=20_000, max_depth=6)


@dataclass(frozen=True, slots=True)
class FolderOfModels:
    """A folder that holds `n_models`, which could be added to the library."""

    path: Path
    n_models: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """`models` in the order given, each once; `errors` of what is none."""

    models: tuple[InstalledModel, ...] = ()
    folders: tuple[FolderOfModels, ...] = ()
    errors: tuple[AppError, ...] = ()


def look_at(places: Sequence[Path]) -> Dropped:
    """What the files and folders in `places` are. Reads headers; may take a second."""
    models: dict[Path, InstalledModel] = {}
    folders: list[FolderOfModels] = []
    errors: list[AppError] = []
    for path in places[:MAX_FILES]:
        try:
            if path.is_dir():
                folders.append(_folder(path))
            else:
                model = _file(path)
                models.setdefault(model.path, model)
        except AppError as error:
            errors.append(error)
    return Dropped(tuple(models.values()), tuple(folders), tuple(errors))


def _file(path: Path) -> InstalledModel:
    if path.suffix.lower() in (".safetensors", ".bin", ".pth", ".pt"):
        raise ModelFileError(
            _("library", "{name} holds original weights, which Nibble does not chat with.").fill(
                name=path.name
            ),
            _("library", "Drop its folder on the Quantize page to make a GGUF of it."),
        )
    return describe(path)


def _folder(path: Path) -> FolderOfModels:
    n_models = len(grouped(Walk(path, limits=_LIMITS), Source.FOLDER))
    if n_models:
        return FolderOfModels(path, n_models)
    if any(Walk(path, suffix=".safetensors", limits=Limits(5000, 1))):
        raise ModelFileError(
            _("library", "{name} holds original weights, which Nibble does not chat with.").fill(
                name=path.name
            ),
            _("library", "Drop it on the Quantize page to make a GGUF of it."),
        )
    raise ModelFileError(
        _("library", "There is no GGUF model in {name}.").fill(name=path.name),
        _("library", "Drop a .gguf file, or a folder that holds some."),
    )
