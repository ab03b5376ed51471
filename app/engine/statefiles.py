"""Where the caches of conversations lie on disk: names only, for those too that cannot read them.

Knows no llama.cpp: the parent deletes a conversation's files when no engine runs.
"""

from __future__ import annotations

import glob
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

SUFFIX = ".kv"
_LEFT_S = 60.0  # nobody writes to a file that has not changed for so long


def path_of(folder: Path, conversation: str, owner: str) -> Path:
    """The file of `conversation`; `owner`: all that its cache depends on beside it."""
    digest = hashlib.sha256(owner.encode()).hexdigest()
    return folder / f"{conversation}-{digest[:16]}{SUFFIX}"


def partial_of(path: Path) -> Path:
    """Where this process writes what is to be `path`: hidden until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def delete(folder: Path, conversation: str) -> None:
    """Delete all that is kept of `conversation`, whatever it belonged to. What cannot be deleted
    stays until its place is needed."""
    name = glob.escape(conversation)
    for pattern in (f"{name}-*{SUFFIX}", f".{name}-*{SUFFIX}.*"):
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()


def delete_left(folder: Path) -> None:
    """Delete what a killed process left half-written."""
    for left in folder.glob(f".*{SUFFIX}.*"):
        if time.time() - left.stat().st_mtime > _LEFT_S:
            left.unlink(missing_ok=True)


def evict(folder: Path, limit_bytes: int) -> None:
    """Delete those used least lately until `limit_bytes` are enough for the rest."""
    files = [(path.stat(), path) for path in folder.glob(f"*{SUFFIX}")]
    total = sum(stat.st_size for stat, _ in files)

    def keep_longest(file: tuple[os.stat_result, Path]) -> tuple[bool, int]:
        return file[0].st_size <= limit_bytes, file[0].st_mtime_ns  # no others for a hopeless one

    for stat, path in sorted(files, key=keep_longest):
        if total <= limit_bytes:
            break
        path.unlink(missing_ok=True)
        total -= stat.st_size
