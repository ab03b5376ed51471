"""Files put together: the parts of a split model are one, and what it sees with belongs to it.

Goes by names, which all of the field's tools write the same way: `NAME-00001-of-00003.gguf` (it is
also how llama.cpp finds the other parts) and `mmproj-…` beside the model. Opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.library.model import Source

_PART = re.compile(r"(?P<stem>.+)-(?P<no>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_MAX_PARTS = 999
_MMPROJ = re.compile(r"(^|[-._])mmproj([-._]|$)", re.IGNORECASE)
_VARIANT = re.compile(
    r"[-._](UD[-._])?(i?q\d(_[a-z0-9]+)*|t?q\d_\d|b?f16|fp16|f32|fp32|mxfp4(_moe)?|nvfp4)$",
    re.IGNORECASE,
)
_MMPROJ_ORDER = ("f16", "fp16", "bf16", "q8_0", "f32", "fp32")
_VAGUE = frozenset({"", "model", "gguf"})


@dataclass(frozen=True, slots=True)
class Found:
    """A model's files before they are read. `missing` parts are not there.

    `sha256` is what the app that keeps the file says of it.
    """

    path: Path
    source: Source
    parts: tuple[Path, ...] = ()
    n_parts: int = 1
    missing: tuple[int, ...] = ()
    mmproj: Path | None = None
    aliases: tuple[str, ...] = ()
    repo: str = ""
    commit: str = ""
    sha256: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        return self.parts or (self.path,)


def grouped(files: Iterable[Path], source: Source) -> list[Found]:
    """The models among `files`, each with its parts and its mmproj."""
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    return [found for each in folders.values() for found in _in_folder(each, source)]


def is_mmproj(path: Path) -> bool:
    return _MMPROJ.search(path.stem) is not None


def part_of(path: Path) -> tuple[str, int, int] | None:
    """(name of the whole, number from 1, count) of a part's path; None for a file in one piece."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return None
    number, count = int(match["no"]), int(match["count"])
    return (match["stem"], number, count) if 1 <= number <= count <= _MAX_PARTS else None


def siblings(path: Path, found: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    """The parts that `found` has of the model that `path` is a part of, and the missing numbers."""
    own = part_of(path)
    if own is None:
        return (path,), ()
    stem, _, count = own
    parts = {}
    for other in found:
        part = part_of(other)
        if part is not None and (part[0].lower(), part[2]) == (stem.lower(), count):
            parts[part[1]] = other
    missing = tuple(number for number in range(1, count + 1) if number not in parts)
    return tuple(parts[number] for number in sorted(parts)), missing


def base_name(path: Path) -> str:
    """The model's name in a file name, in lower case: without part, variant and mmproj."""
    part = part_of(path)
    stem = part[0] if part else path.name.removesuffix(path.suffix)
    stem = _MMPROJ.sub("-", stem).strip("-._")
    while (shorter := _VARIANT.sub("", stem)) != stem:
        stem = shorter
    return "" if _VARIANT.fullmatch("-" + stem) else stem.lower().strip("-._")


def _in_folder(files: list[Path], source: Source) -> list[Found]:
    projectors = [path for path in files if is_mmproj(path)]
    models = [_with_parts(path, files, source) for path in files if _begins(path, files)]
    if not projectors:
        return models
    owners = _owners(models, projectors)
    return [_seeing(model, owners.get(model.path, [])) for model in models]


def _begins(path: Path, files: list[Path]) -> bool:
    """Whether `path` stands for a model: in one piece, or the first part that is there."""
    if is_mmproj(path):
        return False
    return part_of(path) is None or siblings(path, files)[0][0] == path


def _with_parts(path: Path, files: list[Path], source: Source) -> Found:
    own = part_of(path)
    if own is None:
        return Found(path, source)
    parts, missing = siblings(path, files)
    return Found(path, source, parts, own[2], missing)


def _owners(models: list[Found], projectors: list[Path]) -> Mapping[Path, list[Path]]:
    """A folder of one model: all are its own. Of several: those that bear a model's name."""
    names = {base_name(model.path) for model in models}
    if len(names) == 1:
        return {model.path: projectors for model in models}
    return {
        model.path: [path for path in projectors if base_name(path) == base_name(model.path)]
        for model in models
        if base_name(model.path) not in _VAGUE
    }


def _seeing(model: Found, projectors: list[Path]) -> Found:
    if not projectors:
        return model
    best = min(projectors, key=_precision)
    return Found(model.path, model.source, model.parts, model.n_parts, model.missing, mmproj=best)


def _precision(path: Path) -> tuple[int, str]:
    """F16 before others: half of F32, and every backend reads it."""
    name = path.stem.lower()
    for place, word in enumerate(_MMPROJ_ORDER):
        if re.search(rf"(^|[-._]){word}($|[-._])", name):
            return place, name
    return len(_MMPROJ_ORDER), name
