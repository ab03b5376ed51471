"""Reading a file at given places, by several threads at once, without mapping it.

A mapped file that is cut short kills the process (SIGBUS), and mapped pages count as resident
memory. Knows no format.
"""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path


class PositionalFile:
    """An open file; `read` may be called by several threads. Closed when it is forgotten."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.path = path
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def size_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, n_bytes: int) -> bytes:
        """`n_bytes` from `offset`, fewer only at the end of the file. Raises OSError."""
        parts = []
        while n_bytes > 0:
            part = self._read_once(offset, n_bytes)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            n_bytes -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fills `buffer` (bytes) from `offset`; how many were there. Raises OSError."""
        done = 0
        while done < len(buffer):
            n = self._read_into_once(offset + done, buffer[done:])
            if not n:
                break
            done += n
        return done

    def _read_into_once(self, offset: int, buffer: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(buffer) or 0

    def _read_once(self, offset: int, n_bytes: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), n_bytes, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(n_bytes) or b""
