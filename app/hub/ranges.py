"""A file's bytes on their way: who fetches which, and hashing them in order as they come.

Pieces may come out of order within a window; what came before its turn is held until it is hashed,
so that nothing has to be read a second time. Knows no network and no disk.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass


class Ended(Exception):  # noqa: N818 - an outcome
    """The transfer was stopped while this thread waited; nothing went wrong here."""


@dataclass(slots=True)
class Segment:
    """What one request asks for; `start` moves on as bytes come."""

    start: int
    end: int


class Segments:
    """Hands out a file's bytes from `start` to `size`, in order. For many threads."""

    def __init__(self, start: int, size: int) -> None:
        self._next = start
        self._size = size
        self._lock = threading.Lock()

    @property
    def left_bytes(self) -> int:
        return self._size - self._next

    def take(self, n_bytes: int) -> Segment | None:
        """The next segment, None when there is no more. What was taken stays the taker's."""
        with self._lock:
            if self._next >= self._size:
                return None
            segment = Segment(self._next, min(self._size, self._next + n_bytes))
            self._next = segment.end
            return segment


@dataclass(frozen=True, slots=True)
class Mark:
    """SHA-256 (hex) of the first `offset` bytes."""

    offset: int
    sha256: str


class HashFront:
    """Where the hashing is. `room` before a piece, `put` after it is written, `run` on a thread."""

    def __init__(self, size: int, window_bytes: int, digest: Digest) -> None:
        self.size = size
        self.accepted_bytes = digest.n_bytes
        self._window = window_bytes
        self._digest = digest
        self._offset = digest.n_bytes
        self._pieces: dict[int, bytes] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._mark = digest.copy()

    @property
    def offset(self) -> int:
        """Everything before it is written and hashed."""
        return self._offset

    @property
    def is_done(self) -> bool:
        return self._offset >= self.size

    @property
    def digest(self) -> Digest:
        """The whole file's; once `is_done`."""
        return self._digest

    def mark(self) -> Mark:
        with self._changed:
            held = self._mark
        return Mark(held.n_bytes, held.sha256)

    def room(self, end: int) -> None:
        """Waits until a piece that ends at `end` fits the window. Raises Ended.

        Whoever holds the next piece in order never waits for long, so that all get on.
        """
        with self._changed:
            while end > self._offset + self._window and not self._stopped:
                self._changed.wait()
            if self._stopped:
                raise Ended

    def put(self, offset: int, piece: bytes) -> None:
        """`piece` is written at `offset`: hash it when it is its turn."""
        with self._changed:
            self._pieces[offset] = piece
            self.accepted_bytes += len(piece)
            if offset == self._offset:
                self._changed.notify_all()

    def run(self) -> None:
        """Hash until the end, or until stopped."""
        while pieces := self._next():
            for piece in pieces:
                self._digest.update(piece)
            copy = self._digest.copy()
            with self._changed:
                self._offset, self._mark = copy.n_bytes, copy
                self._changed.notify_all()

    def wait_done(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.is_done or self._stopped, timeout_s)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def resume(self) -> None:
        """After `stop`: go on from `offset`; what was held out of order is forgotten."""
        with self._changed:
            self._pieces.clear()
            self._stopped = False
            self.accepted_bytes = self._offset

    def _next(self) -> list[bytes]:
        """All that can be hashed now; empty at the end."""
        with self._changed:
            while self._offset not in self._pieces:
                if self._stopped or self.is_done:
                    return []
                self._changed.wait()
            found, offset = [], self._offset
            while (piece := self._pieces.pop(offset, None)) is not None:
                found.append(piece)
                offset += len(piece)
            return found


class Digest:
    """SHA-256 of what was fed, and git's name for it where `git_size` (of the whole) is given."""

    def __init__(self, git_size: int | None = None) -> None:
        self.n_bytes = 0
        self._sha256 = hashlib.sha256()
        self._git = None
        if git_size is not None:
            self._git = hashlib.sha1(b"blob %d\0" % git_size, usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        self._sha256.update(data)
        if self._git is not None:
            self._git.update(data)
        self.n_bytes += len(data)

    def copy(self) -> Digest:
        made = Digest()
        made.n_bytes = self.n_bytes
        made._sha256 = self._sha256.copy()
        made._git = self._git.copy() if self._git is not None else None
        return made

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def git_oid(self) -> str:
        """ "" where it was not asked for."""
        return self._git.hexdigest() if self._git is not None else ""
