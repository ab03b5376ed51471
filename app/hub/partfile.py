"""An unfinished file: held by one process, written at any place, trusted only where it is whole.

"NAME.part" gets its final name after all of it was hashed, found right and synced. Beside it lies
what `sidecar` writes. Knows no network.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.hub.ranges import Digest, Mark
from app.hub.repo import RemoteFile
from app.hub.sidecar import (
    Sidecar,
    load_sidecar,
    part_of,
    remove_temporaries,
    save_sidecar,
    sidecar_of,
)
from app.hub.space import preallocate
from quantize.durable import fsync_folder, lock_open_file

_CHUNK = 4 * 1024**2


class PartFile:
    """Open and locked from `take` to `finish`, `discard` or `close`."""

    def __init__(self, target: Path, descriptor: int) -> None:
        self.target = target
        self.path = part_of(target)
        self._descriptor = descriptor
        self._lock = threading.Lock()

    @classmethod
    def take(cls, target: Path) -> PartFile | None:
        """None while another process has it. Makes the folder. Raises OSError."""
        path = part_of(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | _NO_FOLLOW
            descriptor = os.open(path, flags, 0o666)
            try:
                if not lock_open_file(descriptor):
                    os.close(descriptor)
                    return None
                if _is_still(path, descriptor):
                    remove_temporaries(sidecar_of(target))
                    return cls(target, descriptor)
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # it was finished or thrown away while the lock was waited for

    # --- what is there ----------------------------------------------------------------------------

    def restore(
        self, file: RemoteFile, digest: Digest, on_bytes: Callable[[int], None]
    ) -> Sidecar | None:
        """Read what an earlier run vouched for into `digest` and cut off the rest.

        None, with nothing kept, where there is no such thing, or it is not what it was. `on_bytes`
        hears how much has been read, and may raise. Raises OSError.
        """
        sidecar = load_sidecar(self.target)
        n_bytes = sidecar.hashed_bytes if sidecar is not None and sidecar.describes(file) else 0
        if sidecar is None or not 0 < n_bytes <= os.fstat(self._descriptor).st_size:
            self.reset()
            return None
        self._read_into(digest, n_bytes, on_bytes)
        if digest.n_bytes != n_bytes or digest.sha256 != sidecar.prefix_sha256:
            self.reset()
            return None
        os.ftruncate(self._descriptor, n_bytes)
        return sidecar

    def reset(self) -> None:
        """Throw away what there is, and go on holding the file. Raises OSError."""
        with suppress(FileNotFoundError):
            sidecar_of(self.target).unlink()
        os.ftruncate(self._descriptor, 0)

    def preallocate(self, size_bytes: int) -> None:
        """Raises OSError."""
        preallocate(self._descriptor, self.path, size_bytes)

    # --- writing ----------------------------------------------------------------------------------

    def write(self, offset: int, data: bytes) -> None:
        """For many threads. Raises OSError."""
        view = memoryview(data)
        while view:
            n = self._write_once(offset, view)
            offset, view = offset + n, view[n:]

    def checkpoint(self, file: RemoteFile, url: str, mark: Mark) -> None:
        """Make durable what `mark` vouches for, then say so. Raises OSError."""
        _sync_data(self._descriptor)
        save_sidecar(
            self.target,
            Sidecar(
                repo=file.repo,
                commit=file.commit,
                path=file.path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                url=url,
                hashed_bytes=mark.offset,
                prefix_sha256=mark.sha256,
            ),
        )

    def finish(self, size_bytes: int) -> None:
        """Make it durable and give it its name. Raises OSError with the part still there."""
        os.ftruncate(self._descriptor, size_bytes)
        os.fsync(self._descriptor)
        if sys.platform == "win32":
            self.close()
        self.path.replace(self.target)
        fsync_folder(self.target.parent)
        with suppress(OSError):
            sidecar_of(self.target).unlink(missing_ok=True)
        self.close()

    def discard(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError):
            sidecar_of(self.target).unlink(missing_ok=True)
        if sys.platform == "win32":
            self.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.close()

    def discard_content(self) -> None:
        """Leave nothing of it, but go on holding its place for another try."""
        with suppress(OSError):
            self.reset()

    def leave(self) -> None:
        """Let go of it; what nothing vouches for goes, the rest stays for the next time."""
        if self._descriptor >= 0 and not sidecar_of(self.target).exists():
            self.discard()
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write_once(self, offset: int, view: memoryview) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._descriptor, view, offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.write(self._descriptor, view)

    def _read_into(self, digest: Digest, n_bytes: int, on_bytes: Callable[[int], None]) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while digest.n_bytes < n_bytes:
            data = os.read(self._descriptor, min(_CHUNK, n_bytes - digest.n_bytes))
            if not data:
                return
            digest.update(data)
            on_bytes(digest.n_bytes)


def read_digest(path: Path, digest: Digest, on_bytes: Callable[[int], None]) -> None:
    """Feed all of `path` to `digest`. Raises OSError, and what `on_bytes` raises."""
    with path.open("rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            digest.update(data)
            on_bytes(digest.n_bytes)


_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # a link at the part's place would lead us elsewhere


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the open file is (still) the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _sync_data(descriptor: int) -> None:
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
