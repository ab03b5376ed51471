"""Fills a context to any depth in no time: a few tokens that were really read, over and over.

What a pass costs after 2,048 tokens depends on how many are in the cache, not on what they say; to
read that many would take a large model minutes. So the state of a few tokens is taken out, written
again with each of them many times, and put back. Where a state is of a shape not known here
(recurrent models, several positions a token), there is none.

Source: src/llama-kv-cache.cpp, state_write and state_read, at the pinned commit.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from app.engine.native import lib

_U32, _I32, _U64 = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<Q")
_HEAD = struct.Struct("<Ii")  # magic, sequence
_CELL = struct.Struct("<iIi")  # position, number of sequences (1), sequence
_MOST_CACHES = 2  # the second one is of the layers that look back over a window only


class UnknownShapeError(Exception):
    """The state is not what this module knows."""


@dataclass(frozen=True, slots=True)
class Layer:
    """`head` as it stands in the state, then `n_rows` rows of `n_bytes` a token each.

    Keys, and values not transposed: one row; transposed values: a row for each number.
    """

    head: bytes
    n_rows: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cache:
    n_cells: int
    kind: bytes  # transposed or not, number of layers
    layers: tuple[Layer, ...]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    @property
    def is_at_end(self) -> bool:
        return self.place == len(self._data)

    def take(self, n_bytes: int) -> bytes:
        part = self._data[self.place : self.place + n_bytes]
        if len(part) != n_bytes:
            raise UnknownShapeError
        self.place += n_bytes
        return part

    def number(self, kind: struct.Struct) -> int:
        return int(kind.unpack(self.take(kind.size))[0])


def parse(state: bytes) -> tuple[Cache, ...]:
    """The caches in `state`. Raises UnknownShapeError."""
    reader = _Reader(state)
    reader.take(_HEAD.size)
    caches = []
    while not reader.is_at_end:
        caches.append(_cache(reader))
    if not 0 < len(caches) <= _MOST_CACHES:
        raise UnknownShapeError
    return tuple(caches)


def _cache(reader: _Reader) -> Cache:
    n_streams, n_cells = reader.number(_U32), reader.number(_U32)
    if n_streams != 1 or not n_cells:
        raise UnknownShapeError
    for i in range(n_cells):
        position, n_seqs, _ = _CELL.unpack(reader.take(_CELL.size))
        if position != i or n_seqs != 1:
            raise UnknownShapeError
    is_transposed, n_layers = reader.number(_U32), reader.number(_U32)
    if is_transposed > 1:
        raise UnknownShapeError
    layers = [_rows(reader, n_cells) for _ in range(n_layers)]
    value = _columns if is_transposed else _rows
    layers += [value(reader, n_cells) for _ in range(n_layers)]
    return Cache(n_cells, _U32.pack(is_transposed) + _U32.pack(n_layers), tuple(layers))


def _rows(reader: _Reader, n_cells: int) -> Layer:
    kind, size = reader.take(_I32.size), reader.number(_U64)
    return Layer(kind + _U64.pack(size), 1, reader.take(size * n_cells))


def _columns(reader: _Reader, n_cells: int) -> Layer:
    kind, size, n_rows = reader.take(_I32.size), reader.number(_U32), reader.number(_U32)
    head = kind + _U32.pack(size) + _U32.pack(n_rows)
    return Layer(head, n_rows, reader.take(size * n_rows * n_cells))


def widened(state: bytes, n_tokens: int, n_swa: int) -> bytearray:
    """`state` with its tokens repeated to `n_tokens`, a multiple of theirs; of a window of `n_swa`
    tokens (0 for none) the second cache holds the last ones only. Raises UnknownShapeError."""
    result = bytearray(state[: _HEAD.size])
    for number, cache in enumerate(parse(state)):
        is_window = number == 1
        n_kept = min(n_tokens, n_swa // cache.n_cells * cache.n_cells) if is_window else n_tokens
        if n_kept % cache.n_cells or n_kept < cache.n_cells:
            raise UnknownShapeError
        for part in _widened(cache, n_tokens - n_kept, n_kept):
            result += part
    return result


def _widened(cache: Cache, first: int, n_cells: int) -> Iterator[bytes]:
    yield _U32.pack(1) + _U32.pack(n_cells)
    for i in range(n_cells):
        yield _CELL.pack(first + i, 1, 0)
    yield cache.kind
    for layer in cache.layers:
        yield layer.head
        size = len(layer.data) // layer.n_rows
        for start in range(0, len(layer.data), size):
            yield layer.data[start : start + size] * (n_cells // cache.n_cells)


def state_of(handle: int) -> bytes:
    """The state of sequence 0 of a context."""
    size = lib.llama_state_seq_get_size(handle, 0)
    buffer = (ctypes.c_uint8 * size)()
    n = lib.llama_state_seq_get_data(handle, buffer, size, 0)
    return bytes(buffer)[:n]


def put_state(handle: int, sequence: int, state: bytearray) -> bool:
    """Put `state` into an empty sequence; whether it was taken."""
    buffer = (ctypes.c_uint8 * len(state)).from_buffer(state)
    return int(lib.llama_state_seq_set_data(handle, buffer, len(state), sequence)) == len(state)
