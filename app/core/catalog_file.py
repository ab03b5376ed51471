"""The schema of `catalog.json`, and the check of all that a schema cannot say.

A file that does not pass is a mistake of ours: ValueError, and a test that fails before anybody
else sees it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from app.core.catalog_model import GOOD_FOR, CatalogFile, CatalogModel, FileKind
from app.core.fit.geometry import Geometry

_Count = Annotated[int, msgspec.Meta(ge=1, le=10**7)]
_Few = Annotated[int, msgspec.Meta(ge=0, le=10**6)]
_Params = Annotated[int, msgspec.Meta(ge=10**6, le=10**13)]
_Bytes = Annotated[int, msgspec.Meta(ge=10**6, le=10**12)]
_Repo = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
_Commit = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{40})?$")]
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]
_Path = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?\.gguf$", max_length=200)
]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
_Words = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
_Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
_Month = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d$")]
_Variant = Annotated[str, msgspec.Meta(pattern=r"^(I?Q\d\w*|MXFP4|BF16|F16|F32|mmproj)$")]


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Geometry(_Struct, frozen=True):
    """Fields as in `Geometry`."""

    n_layers: _Count
    n_embd: _Count
    n_head: _Count
    n_head_kv: _Count
    head_dim: _Count
    n_ff: _Count
    n_vocab: _Count
    n_full_layers: _Count
    window: _Few = 0
    others_are_recurrent: bool = False
    n_expert: _Few = 0
    n_expert_used: _Few = 0
    n_ff_expert: _Few = 0
    is_tied: bool = False
    head_dim_full: _Few = 0
    n_head_kv_full: _Few = 0
    n_shared_layers: _Few = 0
    per_layer: _Few = 0


class _File(_Struct, frozen=True):
    repo: _Repo
    commit: _Commit
    variant: _Variant
    kind: FileKind
    files: Annotated[tuple[tuple[_Path, _Bytes, _Sha256], ...], msgspec.Meta(min_length=1)]


class _Model(_Struct, frozen=True):
    """Fields as in `CatalogModel`."""

    id: _Id
    name: _Words
    repo: _Repo
    architecture: _Id
    n_params: _Params
    n_params_active: _Params
    n_ctx_train: _Count
    license: _Words
    is_gated: bool
    good_for: _Words
    released: _Month
    geometry: _Geometry
    files: Annotated[tuple[_File, ...], msgspec.Meta(min_length=1)]
    mmproj: _File | None
    thinks: bool = False
    sees: bool = False
    always_thinks: bool = False
    rank: _Few = 0


class _Catalog(_Struct, frozen=True):
    as_of: _Day
    models: tuple[_Model, ...]


def read_catalog(content: bytes) -> tuple[tuple[CatalogModel, ...], str]:
    """The models, small to large, and the day they were put together.

    Raises ValueError that says what is wrong where.
    """
    catalog = msgspec.json.decode(content, type=_Catalog)  # ValidationError is a ValueError
    models = tuple(_model(model) for model in catalog.models)
    _check_once("id", [model.id for model in models])
    _check_once("name", [model.name.casefold() for model in models])
    _check_once("repo", [model.repo.casefold() for model in models])
    _check_once("rank", [model.rank for model in models if model.rank])
    if list(models) != sorted(models, key=lambda model: model.n_params):
        raise ValueError("models are not in the order of their size")
    return models, catalog.as_of


def _model(model: _Model) -> CatalogModel:
    words = {message.template: message for message in GOOD_FOR}
    if model.good_for not in words:
        raise ValueError(f"{model.id}: good_for {model.good_for!r} is not one of GOOD_FOR")
    fields = msgspec.structs.asdict(model) | {
        "good_for": words[model.good_for],
        "files": tuple(_file(file) for file in model.files),
        "mmproj": _file(model.mmproj) if model.mmproj else None,
        "geometry": Geometry(**msgspec.structs.asdict(model.geometry)),
    }
    result = CatalogModel(**fields)
    _check_model(result)
    return result


def _file(file: _File) -> CatalogFile:
    return CatalogFile(**msgspec.structs.asdict(file))


def _check_model(model: CatalogModel) -> None:
    geometry = model.geometry
    _check_once(f"{model.id}: variant", [file.variant for file in model.files])
    _check_once(f"{model.id}: path", [(f.repo, part[0]) for f in model.files for part in f.files])
    sizes = [file.size_bytes for file in model.files]
    for wrong, what in (
        (sizes != sorted(sizes, reverse=True), "files are not from the largest to the smallest"),
        (model.n_params_active > model.n_params, "more parameters active than there are"),
        (geometry.n_full_layers > geometry.n_layers, "more full layers than layers"),
        (geometry.n_expert_used > geometry.n_expert, "more experts used than there are"),
        (geometry.n_head % geometry.n_head_kv != 0, "heads do not share keys evenly"),
        (bool(model.mmproj) != model.sees, "it sees with an mmproj, or not at all"),
        (model.always_thinks > model.thinks, "it always thinks, but never does"),
        (any(not _whole(file) for file in model.files), "parts are missing or out of order"),
        (any(not _plausible(file, model) for file in model.files), "a size that cannot be"),
    ):
        if wrong:
            raise ValueError(f"{model.id}: {what}")


def _whole(file: CatalogFile) -> bool:
    """Parts are named 1 of n to n of n; a single file names no part."""
    named = [re.search(r"-(\d{5})-of-(\d{5})\.gguf$", path) for path, _, _ in file.files]
    if len(named) == 1:
        return named[0] is None
    found = [(int(match[1]), int(match[2])) if match else (0, 0) for match in named]
    return found == [(i + 1, len(found)) for i in range(len(found))]


def _plausible(file: CatalogFile, model: CatalogModel) -> bool:
    """Between 1.5 and 17 bits a weight; small models have some overhead."""
    return 1.5 <= file.size_bytes * 8 / model.n_params <= 17


def _check_once(what: str, values: Sequence[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value!r} is there twice")
        seen.add(value)
