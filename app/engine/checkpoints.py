"""Where a cache that cannot be cut can be gone back to.

A sliding window has lost what lies before it, and a recurrent state knows no steps. What such
layers held at a few places of the conversation is copied aside, so that an edited question or
another answer begins there and not from nothing. What can be cut stays in the cache, uncopied.

Source: llama.cpp at 0c1e57098, include/llama.h (LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY).
"""

from __future__ import annotations

import ctypes
from typing import Any

from app.engine.native import lib

MAX_CHECKPOINTS = 8
_PARTIAL = lib.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
_MIN_TOKENS = 64  # fewer are read again


class Checkpoints:
    """Of sequence 0 of `context`, `limit_bytes` at most, except that one is always kept."""

    def __init__(self, context: Any, limit_bytes: int) -> None:
        self._context = context
        self._limit_bytes = limit_bytes
        self._kept: dict[int, ctypes.Array[ctypes.c_uint8]] = {}  # by tokens held, ascending

    def take(self, n_tokens: int) -> None:
        """The cache holds `n_tokens` now, and may be wanted so again."""
        if n_tokens < _MIN_TOKENS or n_tokens in self._kept:
            return
        size = int(lib.llama_state_seq_get_size_ext(self._context, 0, _PARTIAL))
        self._make_room(size)
        try:
            data = (ctypes.c_uint8 * size)()
        except MemoryError:
            return
        if lib.llama_state_seq_get_data_ext(self._context, data, size, 0, _PARTIAL):
            self._kept[n_tokens] = data

    def restore(self, n_most: int) -> int:
        """Go back to the latest one with `n_most` tokens or fewer; returns its tokens, 0 for none.

        Beyond these the parts that can be cut are still to be cut.
        """
        self.drop_beyond(n_most)
        while self._kept:
            n_tokens, data = self._kept.popitem()
            if lib.llama_state_seq_set_data_ext(self._context, data, len(data), 0, _PARTIAL):
                self._kept[n_tokens] = data
                return n_tokens
        return 0

    def drop_beyond(self, n_most: int) -> None:
        """Forget those of more than `n_most` tokens, which the cache no longer holds."""
        self._kept = {n: data for n, data in self._kept.items() if n <= n_most}

    def latest(self) -> tuple[int, bytes]:
        """The last one's number of tokens and bytes, to be kept elsewhere; (0, b"") for none."""
        if not self._kept:
            return 0, b""
        n_tokens = max(self._kept)
        return n_tokens, bytes(self._kept[n_tokens])

    def put_back(self, n_tokens: int, data: bytes) -> None:
        """What `latest` gave, for a cache that begins with the same tokens."""
        self._kept[n_tokens] = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)

    def _make_room(self, size: int) -> None:
        while self._kept and (
            len(self._kept) >= MAX_CHECKPOINTS or self.n_bytes + size > self._limit_bytes
        ):
            del self._kept[min(self._kept)]

    @property
    def n_bytes(self) -> int:
        return sum(len(data) for data in self._kept.values())
