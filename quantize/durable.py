"""What a file needs that outlives a power cut and another process: syncing and locking."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make what was renamed in `folder` durable. Windows does this by itself. Raises OSError."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_open_file(descriptor: int) -> bool:
    """Hold the file until it is closed; False where another process does."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 2**40, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True
