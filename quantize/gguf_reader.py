"""Bounded reading of an untrusted file's first part, for `gguf_header`; knows strings, no keys.

The file may be anywhere: `FileSource` is one on this computer, others (the first bytes of a file on
a server) come from those who know how to get them. A window slides over the file, so memory stays
at one chunk or one string however much a header claims. Nothing is mapped: a file that shrinks
while mapped kills the process (SIGBUS). numpy could walk the strings faster, but importing it takes
160 ms to save 5.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from quantize import gguf_errors

MAX_HEADER_BYTES = 64 * 1024**2  # the largest known, with 262k tokens, is 16 MB
_CHUNK_BYTES = 256 * 1024
_U64 = struct.Struct("<Q")


class Bytes(Protocol):
    """What a header is read from: an open file, or what stands for one."""

    def read(self, n_bytes: int, /) -> bytes:
        """The next `n_bytes`; fewer at the end only."""
        ...

    def seek(self, offset: int, /) -> object: ...


class HeaderSource(Protocol):
    """A place that a header, and later its arrays, are read from. `path`: its name in messages."""

    @property
    def path(self) -> Path: ...

    def reading(self) -> AbstractContextManager[Reader]:
        """From the first byte on. Raises GgufError where the place is at fault."""
        ...


class Reader:
    """A window that slides over the header; never reads or skips past the end or the header cap.

    `path` is its name in messages, `size_bytes` the size of the whole file.
    """

    def __init__(self, file: Bytes, path: Path, size_bytes: int) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self._file = file
        self._window = b""
        self._window_offset = 0
        self._at = 0

    @property
    def offset(self) -> int:
        return self._window_offset + self._at

    def check_left(self, n_bytes: int) -> None:
        """Raises GgufError unless `n_bytes` more can be in the header."""
        end = self.offset + n_bytes
        if end > MAX_HEADER_BYTES:
            raise gguf_errors.damaged(self.path, f"header claims {end} bytes or more")
        if end > self.size_bytes:
            raise gguf_errors.header_ends_early(self.path, self.size_bytes)

    def peek(self, n_bytes: int) -> bytes:
        self._need(n_bytes)
        return self._window[self._at : self._at + n_bytes]

    def take(self, n_bytes: int) -> bytes:
        data = self.peek(n_bytes)
        self._at += n_bytes
        return data

    def fields(self, layout: struct.Struct) -> tuple[Any, ...]:
        self._need(layout.size)
        values = layout.unpack_from(self._window, self._at)
        self._at += layout.size
        return values

    def text(self, max_bytes: int) -> bytes:
        """A string's bytes, after its length."""
        (length,) = self.fields(_U64)
        if length > max_bytes:
            raise gguf_errors.damaged(self.path, f"string of {length} bytes at {self.offset}")
        return self.take(length)

    def skip(self, n_bytes: int) -> None:
        self.check_left(n_bytes)
        self._at += n_bytes
        if self._at > len(self._window):
            self._window_offset, self._at, self._window = self.offset, 0, b""
            self._file.seek(self._window_offset)

    def skip_strings(self, count: int) -> None:
        """Walks over `count` strings, at most an eighth of the bytes that are left."""
        self.check_left(count * _U64.size)
        while count:
            self._need(_U64.size)
            done, end = _walk_strings(self._window, self._at, count)
            count -= done
            self.skip(end - self._at)

    def _need(self, n_bytes: int) -> None:
        """Makes the next `n_bytes` part of the window."""
        if self._at + n_bytes <= len(self._window):
            return
        self.check_left(n_bytes)
        rest = self._window[self._at :]
        more = self._file.read(max(n_bytes - len(rest), _CHUNK_BYTES))
        self._window_offset, self._at, self._window = self.offset, 0, rest + more
        if len(self._window) < n_bytes:  # it shrank since it was opened
            raise gguf_errors.header_ends_early(self.path, self.offset + len(self._window))


def _walk_strings(window: bytes, at: int, count: int) -> tuple[int, int]:
    """How many of `count` strings begin in the window, and where the last of them ends.

    The hottest loop (100,000 rounds for 49,152 tokens and their merges), so it lets `unpack_from`
    check the bounds: a length too big for the window ends it at the next round.
    """
    length_at = _U64.unpack_from
    done = 0
    try:
        for done in range(count):  # noqa: B007
            (length,) = length_at(window, at)
            at += 8 + length
    except (struct.error, OverflowError):
        return done, at
    return count, at


def decode_strings(data: bytes, count: int) -> list[str]:
    """`data` holds exactly `count` strings, each after its length."""
    try:
        return _decode_strings(data, count, "strict")
    except UnicodeDecodeError:
        return _decode_strings(data, count, "replace")


def _decode_strings(data: bytes, count: int, errors: str) -> list[str]:
    values = []
    length_at = _U64.unpack_from
    end = 0
    for _ in range(count):
        (length,) = length_at(data, end)
        start = end + 8
        end = start + length
        values.append(str(data[start:end], "utf-8", errors))
    return values


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file on this computer."""

    path: Path

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        _check_ordinary_file(self.path)
        try:
            with self.path.open("rb") as file:
                yield Reader(file, self.path, os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise gguf_errors.cannot_open(self.path, error) from error


def _check_ordinary_file(path: Path) -> None:
    """Before opening: a named pipe would block there, and a device has no end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise gguf_errors.cannot_open(path, error) from error
    if stat.S_ISDIR(mode):
        raise gguf_errors.is_folder(path)
    if not stat.S_ISREG(mode):
        raise gguf_errors.is_device(path)
