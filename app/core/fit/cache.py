"""Bytes of what is kept of the tokens before: the KV cache and recurrent states.

Source: llama.cpp at 0c1e57098, src/llama-kv-cache.cpp, llama-kv-cache-iswa.cpp (the size of a
sliding window's cache) and llama-memory-recurrent.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core import running
from app.core.fit.plan import Use
from app.core.fit.shape import Layer, ModelShape
from quantize.types import GgmlType

_TYPES = {"f16": GgmlType.F16, "q8_0": GgmlType.Q8_0, "q4_0": GgmlType.Q4_0}
_PADDING = 256  # cells of a cache come in groups


@dataclass(frozen=True, slots=True)
class Setup:
    """What a `Use` comes to for one model. `n_ctx` in cells, as llama.cpp rounds it up."""

    n_ctx: int
    n_ubatch: int
    flash_attn: bool
    kv_type: str


def setup_for(shape: ModelShape, use: Use, on_gpu: bool) -> Setup:
    """`on_gpu`: some layers are to be computed on a GPU."""
    n_ctx = max(1, running.n_ctx_for(use.n_ctx, shape.n_ctx_train))
    return Setup(
        n_ctx=pad(n_ctx),
        n_ubatch=min(n_ctx, running.N_BATCH, running.n_ubatch_for(shape.n_params, on_gpu)),
        flash_attn=running.flash_attn_for(use.flash_attn, use.kv_type, on_gpu) != "off",
        kv_type=use.kv_type,
    )


def pad(n_cells: int) -> int:
    return -(-n_cells // _PADDING) * _PADDING


def n_cells(layer: Layer, setup: Setup) -> int:
    """For how many tokens `layer` keeps keys and values."""
    if not layer.window:
        return setup.n_ctx
    return pad(min(setup.n_ctx, layer.window + setup.n_ubatch))


def cache_bytes(shape: ModelShape, setup: Setup) -> tuple[int, ...]:
    """For each layer what it keeps, in bytes.

    Without flash attention the values are stored transposed, all layers' as wide as the widest.
    """
    widest = max((layer.v_width for layer in shape.layers), default=0)
    return tuple(_layer_bytes(layer, setup, widest) for layer in shape.layers)


def _layer_bytes(layer: Layer, setup: Setup, widest: int) -> int:
    v_width = layer.v_width if setup.flash_attn or not layer.v_width else widest
    per_token = _row_bytes(layer.k_width, setup.kv_type) + _row_bytes(v_width, setup.kv_type)
    return n_cells(layer, setup) * per_token + layer.state_bytes


def _row_bytes(width: int, kv_type: str) -> int:
    type_ = _TYPES[kv_type]
    return width * type_.type_size // type_.block_size
