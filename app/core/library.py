"""The models on this computer: the starter, those in Nibble's folder, and files opened by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app import paths
from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError
from quantize.errors import GgufError
from quantize.gguf_header import GgufHeader, read_header


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A GGUF file that can be loaded. `name` is for people: "SmolLM2 135M Instruct"."""

    path: Path
    name: str
    variant: str
    architecture: str
    size_bytes: int
    n_params: int
    n_ctx_train: int
    is_starter: bool = False


def describe(path: Path) -> InstalledModel:
    """What the file at `path` is. Raises ModelFileError when it cannot be a model."""
    try:
        header = read_header(path)
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error
    return InstalledModel(
        path=path,
        name=name_of(path, header),
        variant=header.variant,
        architecture=header.architecture,
        size_bytes=header.file_size_bytes,
        n_params=header.n_params,
        n_ctx_train=header.n_ctx_train,
        is_starter=path.name == paths.STARTER_NAME,
    )


def name_of(path: Path, header: GgufHeader) -> str:
    """The model's name for people. The starter's own metadata names a training run instead."""
    if path.name == paths.STARTER_NAME:
        return "SmolLM2 135M"
    return header.name or path.stem


def installed(also: Iterable[Path] = ()) -> tuple[InstalledModel, ...]:
    """Every usable model: starter first, then by name. Damaged files are left out."""
    found: dict[Path, InstalledModel] = {}
    for path in _candidates(also):
        try:
            found.setdefault(path.resolve(), describe(path))
        except ModelFileError:
            continue
    return tuple(sorted(found.values(), key=lambda m: (not m.is_starter, m.name.lower(), m.path)))


def find(name: str) -> Path:
    """The file that `name` means: "starter", a path, or an installed name (with its variant).

    Raises ModelFileError with what to do instead.
    """
    if name == "starter":
        return starter()
    path = Path(name).expanduser()
    if path.exists() or path.suffix == ".gguf" or len(path.parts) > 1:
        return path
    for model in installed():
        if name.lower() in _names(model):
            return model.path
    raise ModelFileError(
        QT_TRANSLATE_NOOP("library", "There is no model called “{name}”.").fill(name=name),
        QT_TRANSLATE_NOOP("library", "“nibble models” lists what is installed."),
    )


def starter() -> Path:
    """The starter model's file. Raises ModelFileError naming the command that gets it."""
    path = paths.starter_model()
    if path is None:
        raise ModelFileError(
            QT_TRANSLATE_NOOP("library", "The starter model is not on this computer."),
            QT_TRANSLATE_NOOP("library", "“./packaging/dev run” gets it (93 MB)."),
        )
    return path


def _candidates(also: Iterable[Path]) -> Iterable[Path]:
    path = paths.starter_model()
    if path is not None:
        yield path
    if paths.models_dir().is_dir():
        yield from sorted(paths.models_dir().rglob("*.gguf"))
    yield from also


def _names(model: InstalledModel) -> set[str]:
    name = model.name.lower()
    return {
        name,
        f"{name}:{model.variant.lower()}",
        model.path.stem.lower(),
        model.path.name.lower(),
    }
