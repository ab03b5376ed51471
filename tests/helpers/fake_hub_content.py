"""What a file on the fake hub consists of; a big one is made up as it is read, never held."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

_BLOCK = 1 << 20
_HASHED = 64 << 20  # a hole beyond this has a hash that nobody could check anyway


class Content(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    def read(self, offset: int, n: int) -> bytes: ...


def content_of(given: bytes | str | Path | Content) -> Content:
    if isinstance(given, bytes):
        return Held(given)
    if isinstance(given, str):
        return Held(given.encode())
    return OnDisk(given) if isinstance(given, Path) else given


@dataclass(frozen=True)
class Held:
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def read(self, offset: int, n: int) -> bytes:
        return self.data[offset : offset + n]


@dataclass(frozen=True)
class OnDisk:
    path: Path

    @cached_property
    def size(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, offset: int, n: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(n)


@dataclass(frozen=True)
class Seeded:
    """Noise of any size, the same for the same seed; every block of a megabyte is different."""

    seed: int
    size: int

    @cached_property
    def _noise(self) -> bytes:
        return random.Random(self.seed).randbytes(_BLOCK)

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for offset in range(0, self.size, _BLOCK):
            digest.update(self.read(offset, _BLOCK))
        return digest.hexdigest()

    def read(self, offset: int, n: int) -> bytes:
        n = max(0, min(n, self.size - offset))
        first, last = offset // _BLOCK, (offset + n + _BLOCK - 1) // _BLOCK
        whole = b"".join(i.to_bytes(8, "little") + self._noise[8:] for i in range(first, last))
        return whole[offset - first * _BLOCK :][:n]


@dataclass(frozen=True)
class Hole:
    """`head`, then zeros up to `size`: a 40 GB model of which only the header matters.

    Beyond 64 MB its hash is made up.
    """

    head: bytes
    size: int

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256(self.head)
        digest.update(bytes(self.size - len(self.head)) if self.size < _HASHED else b"hole")
        return digest.hexdigest()

    def read(self, offset: int, n: int) -> bytes:
        n = max(0, min(n, self.size - offset))
        return self.head[offset : offset + n].ljust(n, b"\0")
