"""Bytes that the engine's process takes besides llama.cpp's buffers: itself and the vocabulary.

Measured on Linux with glibc; tests/bench/fit.py measures it again.
"""

from __future__ import annotations

from app.core.fit.cache import Setup
from app.core.fit.shape import ModelShape

_PROCESS_BYTES = 40_000_000  # Python, the engine's modules, libllama, a template, graphs
_LAYER_BYTES = 60_000  # of each layer, in descriptions of tensors
_TOKEN_BYTES = 160  # of each token, in the tables that find it
_SPELT_TOKEN_BYTES = 255  # the same where tokens are put together by merges …
_MERGE_BYTES = 76  # … and of each merge
_CELL_BYTES = 68  # of each token of context: its position, and whose it is


def host_bytes(shape: ModelShape, setup: Setup) -> int:
    per_token = _SPELT_TOKEN_BYTES if shape.n_merges else _TOKEN_BYTES
    return (
        _PROCESS_BYTES
        + _LAYER_BYTES * len(shape.layers)
        + per_token * shape.n_vocab
        + _MERGE_BYTES * shape.n_merges
        + _CELL_BYTES * setup.n_ctx
    )
