"""What is written beside an unfinished file, so that the next run knows what to trust in it.

Two kinds, both replaced whole: "NAME.part.json" says how far "NAME.part" is whole, ".ID.pull.json"
names all the files of one request. Files that say nonsense count as not there.
"""

from __future__ import annotations

import glob
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from app.core.files import write_atomic
from app.hub.repo import RemoteFile

PART_SUFFIX = ".part"
SIDECAR_SUFFIX = ".part.json"
MANIFEST_SUFFIX = ".pull.json"
_VERSION = 1
_T = TypeVar("_T")
_MAX_BYTES = 16 * 1024**2


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """The first `hashed_bytes` of the part have the SHA-256 `prefix_sha256`, and are on the disk.

    Of what comes after them nothing is known.
    """

    repo: str
    commit: str
    path: str
    size_bytes: int
    sha256: str
    url: str = ""
    hashed_bytes: int = 0
    prefix_sha256: str = ""
    version: int = _VERSION

    def describes(self, file: RemoteFile) -> bool:
        """Whether the part was meant to become `file`: by content where that is known."""
        same_size = self.size_bytes == file.size_bytes and self.version == _VERSION
        if file.sha256 and self.sha256:
            return same_size and self.sha256 == file.sha256
        mine = (self.repo, self.commit, self.path)
        return same_size and mine == (file.repo, file.commit, file.path)


class ListedFile(msgspec.Struct, frozen=True):
    repo: str
    commit: str
    path: str
    size_bytes: int
    sha256: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    variant: str
    files: tuple[ListedFile, ...]
    version: int = _VERSION


def sidecar_of(target: Path) -> Path:
    return target.with_name(target.name + SIDECAR_SUFFIX)


def part_of(target: Path) -> Path:
    return target.with_name(target.name + PART_SUFFIX)


def load_sidecar(target: Path) -> Sidecar | None:
    found = _load(sidecar_of(target), Sidecar)
    sane = found is not None and 0 <= found.hashed_bytes <= found.size_bytes
    return found if sane else None


def save_sidecar(target: Path, sidecar: Sidecar) -> None:
    """Raises OSError with the one before untouched."""
    write_atomic(sidecar_of(target), msgspec.json.encode(sidecar))


def remove_temporaries(path: Path) -> None:
    """What a killed process left of writing `path`; only for whoever alone may write it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError):
            left.unlink()


def manifest_of(folder: Path, files: tuple[RemoteFile, ...]) -> Path:
    """Its place: the same for the same files."""
    names = "\n".join(f"{file.repo} {file.commit} {file.path}" for file in files)
    return folder / f".{hashlib.sha256(names.encode()).hexdigest()[:16]}{MANIFEST_SUFFIX}"


def load_manifest(path: Path) -> Manifest | None:
    found = _load(path, Manifest)
    usable = found is not None and found.version == _VERSION and found.files
    return found if usable else None


def save_manifest(path: Path, manifest: Manifest) -> None:
    """Raises OSError."""
    write_atomic(path, msgspec.json.encode(manifest))


def _load(path: Path, kind: type[_T]) -> _T | None:
    with suppress(OSError, msgspec.MsgspecError, ValueError, RecursionError):
        if path.stat().st_size <= _MAX_BYTES:
            return msgspec.json.decode(path.read_bytes(), type=kind)
    return None
