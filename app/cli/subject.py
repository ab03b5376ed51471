"""What MODEL means to a command that predicts: the variants that there are to choose from.

A catalogue's id, name or repository, with or without ":QUANT"; a file; an installed name; or, after
asking the hub, any repository: the header of one of its variants is read, the others are reckoned
from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.core import library
from app.core.catalog import find_model
from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError
from app.core.fit import ModelShape, shape_of
from app.core.fit.scaling import scaled
from app.core.recommend import Candidate, candidates_of
from app.hub.repo import RemoteVariant
from quantize.errors import GgufError
from quantize.gguf_split import read_model

_USUAL = "Q4_K_M"


@dataclass(frozen=True, slots=True)
class Subject:
    """`id` is how a script names it, `name` how a person does."""

    id: str
    name: str
    candidates: tuple[Candidate, ...]


def find_subject(name: str) -> Subject:
    """Raises ModelFileError, and HubError where the hub has to be asked."""
    return _in_catalogue(name) or _on_disk(name) or _on_hub(name)


def _in_catalogue(name: str) -> Subject | None:
    model, wanted = find_model(name), ""
    if model is None and ":" in name:
        first, _, wanted = name.rpartition(":")
        model = find_model(first)
    if model is None:
        return None
    return _chosen(Subject(model.id, model.name, candidates_of(model)), wanted)


def _chosen(subject: Subject, wanted: str) -> Subject:
    if not wanted:
        return subject
    found = [c for c in subject.candidates if c.variant.casefold() == wanted.casefold()]
    if not found:
        text = QT_TRANSLATE_NOOP("cli", "There is no {variant} of {name}.")
        hint = QT_TRANSLATE_NOOP("cli", "There are {variants}.")
        raise ModelFileError(
            text.fill(variant=wanted, name=subject.name),
            hint.fill(variants=", ".join(c.variant for c in subject.candidates)),
        )
    return replace(subject, candidates=tuple(found))


def _on_disk(name: str) -> Subject | None:
    """A file or an installed model; None where the name could be a repository's instead."""
    try:
        path = library.find(name)
    except ModelFileError:
        if "/" in name or "://" in name:
            return None
        raise
    if not path.exists() and "/" in name and path.suffix != ".gguf":
        return None
    return _of_file(path)


def _of_file(path: Path) -> Subject:
    model = library.describe(path)
    try:
        shape = shape_of(read_model(path), model.mmproj_bytes)
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error
    candidate = Candidate(model.variant, shape, model.size_bytes, key=path)
    return Subject(str(path), model.name, (candidate,))


def _on_hub(name: str) -> Subject:
    from app.hub.client import Hub
    from app.hub.variants import choose, group, parse_reference, why_none

    hub = Hub()
    reference = parse_reference(name)
    repo = hub.repo(reference.repo, reference.revision)
    variants: Sequence[RemoteVariant] = group(repo)
    if not variants:
        raise why_none(repo)
    if reference.wanted:
        variants = (choose(variants, reference.wanted),)
    usual = next((v for v in variants if v.name == _USUAL), variants[len(variants) // 2])
    try:
        header = hub.model_header(usual)
        shape = shape_of(header, sum(file.size_bytes for file in usual.mmproj))
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error
    shape = replace(shape, file_bytes=usual.size_bytes)
    return Subject(repo.summary.id, repo.summary.id, tuple(_remote(v, shape) for v in variants))


def _remote(variant: RemoteVariant, shape: ModelShape) -> Candidate:
    from app.hub.variants import kind_of

    size = variant.size_bytes
    same = size == shape.file_bytes
    return Candidate(
        variant.name,
        shape if same else scaled(shape, variant.name, size),
        size,
        kind_of(variant),
        key=variant,
    )
