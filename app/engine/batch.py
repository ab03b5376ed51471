"""Tokens handed to llama.cpp: one sequence's, one after the other, in arrays that are used again.

Source: include/llama.h at the pinned commit (llama_batch).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from app.engine.native import lib


class Batch:
    """Room for `n_tokens`. What `fill` returns points into it, and holds until the next one."""

    def __init__(self, n_tokens: int) -> None:
        self._tokens = (lib.llama_token * n_tokens)()
        self._positions = (lib.llama_pos * n_tokens)()
        self._n_sequences = (ctypes.c_int32 * n_tokens)(*[1] * n_tokens)
        self._sequence = (lib.llama_seq_id * 1)()
        pointer = ctypes.cast(self._sequence, ctypes.POINTER(lib.llama_seq_id))
        self._sequences = (ctypes.POINTER(lib.llama_seq_id) * (n_tokens + 1))(
            *[pointer] * n_tokens
        )  # llama.cpp's own ends in a null pointer
        self._wanted = (ctypes.c_int8 * n_tokens)()
        self._batch = lib.llama_batch(
            token=self._tokens,
            pos=self._positions,
            n_seq_id=self._n_sequences,
            seq_id=self._sequences,
            logits=self._wanted,
        )

    def fill(self, tokens: Sequence[int], n_past: int, sequence: int, *, each: bool) -> Any:
        """`tokens` after the first `n_past` of `sequence`; with the logits of `each` of them, or
        of the last one."""
        n = len(tokens)
        self._sequence[0] = sequence
        if n == 1:  # every token of an answer: no slices, no lists
            self._tokens[0], self._positions[0], self._wanted[0] = tokens[0], n_past, 1
        else:
            wanted: list[ctypes.c_int8 | int] = [int(each)] * n
            wanted[-1:] = [1]
            self._tokens[:n], self._wanted[:n] = tokens, wanted
            self._positions[:n] = range(n_past, n_past + n)
        self._batch.n_tokens = n
        return self._batch
