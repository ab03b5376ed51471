"""The headers of remote files that were looked at, kept so that a second look needs no network.

One file each: the GGUF's first bytes, named by repository, commit and path. A cache: whatever fails
here only costs another look. Bounded; the longest unused go first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app import paths
from app.core.files import write_atomic
from app.hub.repo import RemoteFile
from quantize import gguf_errors
from quantize.errors import GgufError
from quantize.gguf_header import GgufHeader, read_header_from
from quantize.gguf_reader import Reader

MAX_BYTES = 256 * 1024**2
MAX_FILES = 200
_PINNED = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class CachedSource:
    """The first bytes of a file of `size_bytes`, in `kept`."""

    kept: Path
    path: Path
    size_bytes: int

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        try:
            with self.kept.open("rb") as file:
                yield Reader(file, self.path, self.size_bytes)
        except OSError as error:
            raise gguf_errors.cannot_open(self.kept, error) from error


def folder() -> Path:
    return paths.cache_dir() / "headers"


def read(file: RemoteFile) -> GgufHeader | None:
    """The header of `file` if it is kept."""
    if not _PINNED.fullmatch(file.commit):
        return None
    kept = _place(file)
    if not kept.is_file():
        return None
    try:
        header = read_header_from(_source(kept, file))
    except GgufError:
        with suppress(OSError):
            kept.unlink()
        return None
    with suppress(OSError):
        kept.touch()
    return header


def keep(file: RemoteFile, data: bytes) -> GgufHeader | None:
    """The header again, from the cache; None where it could not be kept."""
    if not _PINNED.fullmatch(file.commit):
        return None
    try:
        write_atomic(_place(file), data)
        _make_room()
    except OSError:
        return None
    return read(file)


def _place(file: RemoteFile) -> Path:
    name = "\0".join((file.repo, file.commit, file.path)).encode("utf-8", "surrogatepass")
    return folder() / f"{hashlib.sha256(name).hexdigest()[:40]}.head"


def _source(kept: Path, file: RemoteFile) -> CachedSource:
    return CachedSource(kept, Path(PurePosixPath(file.path).name), file.size_bytes)


def _make_room() -> None:
    """Also removes what a killed process left under temporary names, in its turn."""
    states = [(place, place.stat()) for place in folder().iterdir()]
    states.sort(key=lambda entry: entry[1].st_mtime, reverse=True)
    total = 0
    for number, (place, state) in enumerate(states):
        total += state.st_size
        if number >= MAX_FILES or total > MAX_BYTES:
            with suppress(OSError):
                place.unlink()
