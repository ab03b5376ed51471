"""The models worth knowing: which exist, where their files are, what they are for.

Read from `resources/catalog.json`, which is checked whole as it is read. Knows nothing of this
computer and nothing of the network: what a file of it is today, the hub says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

import resources
from app.core.catalog_file import read_catalog
from app.core.catalog_model import CatalogFile, CatalogModel, FileKind

__all__ = [
    "CatalogFile",
    "CatalogModel",
    "FileKind",
    "catalog_date",
    "find_model",
    "load_catalog",
]

_FILE = "catalog.json"


@cache
def load_catalog() -> tuple[CatalogModel, ...]:
    """All of its models, small to large."""
    return _shipped()[0]


def catalog_date() -> str:
    """The day it was put together, "2026-08-22"."""
    return _shipped()[1]


@cache
def _shipped() -> tuple[tuple[CatalogModel, ...], str]:
    return read_catalog(resources.path(_FILE).read_bytes())


def find_model(name: str) -> CatalogModel | None:
    """The model of this id, name or repository (its own, or one that has its files)."""
    wanted = _folded(name)
    for names_of in (_own_names, _repos):
        for model in load_catalog():
            if wanted in map(_folded, names_of(model)):
                return model
    return None


def _folded(name: str) -> str:
    return name.strip().casefold().removeprefix("https://huggingface.co/").rstrip("/")


def _own_names(model: CatalogModel) -> tuple[str, ...]:
    return (model.id, model.name, model.repo)


def _repos(model: CatalogModel) -> Iterable[str]:
    """The repositories of its files, the one that has most of them first."""
    return (repo for repo, _ in Counter(file.repo for file in model.files).most_common())
