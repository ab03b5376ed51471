"""Which file was verified to hold which bytes: SHA-256 sums, with what the file looked like then.

A sum counts as long as the file has the size and the time of change it was taken at; hashing is
only needed again when one of them differs. Where the bytes then differ too, the old sum stays (it
says what was downloaded) and the new one is kept beside it. Knows files, not models.

The list is a JSON file in the data folder, read and written whole under a lock: the window, a
download and a command line may record at the same time. What cannot be written is forgotten; the
files themselves are only ever read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from app import paths
from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError
from app.core.files import set_aside, write_atomic
from quantize.control import Control

MAX_RECORDS = 4096
_MAX_FILE_BYTES = 16 * 1024**2
_CHUNK_BYTES = 4 * 1024**2
_LOCK_TIMEOUT_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """`sha256` (hex) is what the file was verified as; fetched from `repo` at `commit`, or "".

    `found_sha256` is what it holds at `size_bytes` and `mtime_ns`, where that is something else.
    """

    sha256: str
    size_bytes: int
    mtime_ns: int
    checked_at: float
    repo: str = ""
    commit: str = ""
    found_sha256: str = ""

    @property
    def has_changed(self) -> bool:
        return bool(self.found_sha256) and self.found_sha256 != self.sha256

    @property
    def present_sha256(self) -> str:
        """What the file holds now, whatever it held when it was verified."""
        return self.found_sha256 or self.sha256


def record(path: Path, sha256: str, repo: str = "", commit: str = "") -> None:
    """Remember that `path` was just verified to hold `sha256`. Never raises for the disk's sake."""
    with suppress(OSError, ValueError):
        size_bytes, mtime_ns = _look(path)
        entry = Known(sha256.lower(), size_bytes, mtime_ns, time.time(), repo, commit)
        _change(lambda records: records.__setitem__(_key(path), entry))


def known(path: Path) -> Known | None:
    """What is known of `path` as it is now; None where it was never hashed, or since changed."""
    entry = last_known(path)
    return entry if entry is not None and _is_current(path, entry) else None


def last_known(path: Path) -> Known | None:
    """What was known when `path` was last hashed, although it may have changed since."""
    return _read().get(_key(path))


def outdated(files: Iterable[Path]) -> tuple[Path, ...]:
    """Those of `files` that were hashed once, and have another size or time of change now."""
    records = _read()
    found = ((path, records.get(_key(path))) for path in files)
    return tuple(p for p, entry in found if entry is not None and not _is_current(p, entry))


def rehash(
    path: Path,
    control: Control | None = None,
    on_bytes: Callable[[int], None] | None = None,
    expected: str = "",
) -> Known:
    """Read `path` to its end and remember its sum. `on_bytes` hears how many have been read.

    `expected` is what it should hold, where nothing is known of it yet. The page cache stays as it
    was, so that a loaded model keeps its memory. Raises Cancelled, and ModelFileError where the
    file cannot be read or changes meanwhile.
    """
    try:
        before = _look(path)
        sha256 = _sum_of(path, control or Control(), on_bytes)
        after = _look(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if before != after:
        raise ModelFileError(
            QT_TRANSLATE_NOOP("hashes", "{name} changed while it was being checked.").fill(
                name=path.name
            ),
            QT_TRANSLATE_NOOP("hashes", "Try again when no other program writes to it."),
        )
    return _remember(path, sha256, after, expected)


def accept(path: Path) -> None:
    """Take what `path` holds now for what it should hold: the user changed it on purpose."""
    entry = known(path)
    if entry is not None and entry.has_changed:
        record(path, entry.found_sha256)


def forget(files: Iterable[Path]) -> None:
    """Drop what is known of `files`, as when they were deleted."""
    keys = [_key(path) for path in files]
    _change(lambda records: [records.pop(key, None) for key in keys])


def _remember(path: Path, sha256: str, look: tuple[int, int], expected: str) -> Known:
    last = last_known(path) or Known(expected or sha256, 0, 0, 0.0)
    entry = replace(
        last,
        size_bytes=look[0],
        mtime_ns=look[1],
        checked_at=time.time(),
        found_sha256="" if last.sha256 == sha256 else sha256,
    )
    _change(lambda records: records.__setitem__(_key(path), entry))
    return entry


def _sum_of(path: Path, control: Control, on_bytes: Callable[[int], None] | None) -> str:
    digest = hashlib.sha256()
    n_read = 0
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(_CHUNK_BYTES)
        view = memoryview(buffer)
        while n := file.readinto(buffer):
            control.check()
            digest.update(view[:n])
            _drop_from_cache(file, n_read, n)
            n_read += n
            if on_bytes is not None:
                on_bytes(n_read)
    return digest.hexdigest()


def _drop_from_cache(file: BinaryIO, offset: int, n_bytes: int) -> None:
    """40 GB read once would push out everything else; pages that a process has mapped stay."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), offset, n_bytes, os.POSIX_FADV_DONTNEED)


# --- the list -----------------------------------------------------------------------------------


_Records = dict[str, Known]
_cache: tuple[tuple[int, int, int], _Records] | None = None


def _file() -> Path:
    return paths.data_dir() / "hashes.json"


def _key(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # a name that no disk can hold
        return str(path)


def _look(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _is_current(path: Path, entry: Known) -> bool:
    try:
        return _look(path) == (entry.size_bytes, entry.mtime_ns)
    except (OSError, ValueError):
        return False


def _read() -> _Records:
    """The list; read again only when its file has changed. Callers do not change it."""
    global _cache
    file = _file()
    try:
        found = file.stat()
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if _cache is None or _cache[0] != stamp:
            _cache = stamp, _parse(file) or {}
        return _cache[1]
    except OSError:
        return {}


def _parse(file: Path) -> _Records | None:
    """The list in `file`; None where it is none. Raises OSError."""
    if file.stat().st_size > _MAX_FILE_BYTES:
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Records)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _change(change: Callable[[_Records], object]) -> None:
    try:
        with _locked():
            _set_aside_if_damaged()
            records = dict(_read())
            change(records)
            write_atomic(_file(), msgspec.json.encode(_bounded(records)))
    except (OSError, TimeoutError) as error:
        _log.info("sums of model files not kept: %s", error)


@contextmanager
def _locked() -> Iterator[None]:
    import filelock  # 50 ms that a start of the window need not spend

    paths.data_dir().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(paths.data_dir() / "hashes.lock", timeout=_LOCK_TIMEOUT_S):
        yield


def _set_aside_if_damaged() -> None:
    file = _file()
    if file.exists() and file.stat().st_size and _parse(file) is None:
        set_aside(file, "unreadable")


def _bounded(records: _Records) -> _Records:
    """At most MAX_RECORDS, the latest; files that are gone go first."""
    if len(records) <= MAX_RECORDS:
        return records
    there = {key: entry for key, entry in records.items() if os.path.lexists(key)}
    latest = sorted(there.items(), key=lambda item: item[1].checked_at)
    return dict(latest[-MAX_RECORDS:])


def _unreadable(path: Path, error: OSError) -> ModelFileError:
    return ModelFileError(
        QT_TRANSLATE_NOOP("hashes", "{name} could not be read to its end.").fill(name=path.name),
        QT_TRANSLATE_NOOP("hashes", "Check that its disk is connected and may be read."),
        str(error),
    )
