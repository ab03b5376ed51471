"""The Hugging Face cache: `models--ORG--NAME/snapshots/COMMIT/FILE`, links to blobs.

A blob of a large file is called by its SHA-256. Files are used through the snapshot: there they
have their names, by which llama.cpp finds the parts of a split model. Where links are not to be
had (Windows) the snapshot holds the files themselves.

Source: huggingface_hub, docs/guides/manage-cache, and `constants.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from app.core.library.apps.system import System, distinct, read_text
from app.core.library.group import Found, grouped
from app.core.library.model import Source
from app.core.library.walk import Limits, Walk

_REPO = re.compile(r"models--(?P<org>[\w.-]+?)--(?P<name>[\w.-]+)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_REPOS = 2000
_MAX_SNAPSHOTS = 50


def folders(system: System) -> list[Path]:
    named = system.folder("HF_HUB_CACHE") or system.folder("HUGGINGFACE_HUB_CACHE")
    home = system.folder("HF_HOME")
    usual = system.cache / "huggingface" / "hub"
    return distinct([named, home / "hub" if home else None, usual])


def find(root: Path) -> Iterable[Found]:
    """The GGUF models of the cache in `root`, those of the newest snapshot first."""
    for repo_folder in _names(root, _MAX_REPOS):
        match = _REPO.fullmatch(repo_folder.name)
        if match is not None:
            yield from _in_repo(repo_folder, f"{match['org']}/{match['name']}")


def _in_repo(folder: Path, repo: str) -> Iterable[Found]:
    newest = read_text(folder / "refs" / "main").strip()
    snapshots = _names(folder / "snapshots", _MAX_SNAPSHOTS)
    for snapshot in sorted(snapshots, key=lambda each: (each.name != newest, each.name)):
        files = Walk(snapshot, limits=Limits(max_entries=10_000, max_depth=4))
        for found in grouped(files, Source.HUGGINGFACE):
            yield replace(found, repo=repo, commit=snapshot.name, sha256=_sum_of(found))


def _sum_of(found: Found) -> str:
    """The name of the blob, where that is a sum."""
    if found.parts:
        return ""
    try:
        target = os.path.basename(os.readlink(found.path))  # noqa: PTH115, PTH119
    except (OSError, ValueError):
        return ""
    return target if _SHA256.fullmatch(target) else ""


def _names(folder: Path, limit: int) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [Path(entry.path) for entry, _ in zip(entries, range(limit), strict=False)]
    except OSError:
        return []
    return sorted(names)
