"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from quantize.durable import fsync_folder


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name, fsync, then rename it to `path`.

    Makes the parent folder. Raises OSError with nothing left behind and the old file untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - Path.replace takes no str target any better
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise
    fsync_folder(path.parent)


def set_aside(path: Path, reason: str) -> Path:
    """Rename `path` to the first free "name.reason-N", so that nothing is lost; returns that.

    A database's "-wal" and "-shm" companions move along.
    """
    n = 1
    while (target := path.with_name(f"{path.name}.{reason}-{n}")).exists():
        n += 1
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(target.with_name(target.name + suffix))
    return target
