"""How the engine runs a model: the decisions that its prediction has to know as well.

The engine's child asks here when it loads, `app.core.fit` when it predicts, so that the two cannot
drift apart. No llama.cpp.
"""

from __future__ import annotations

N_BATCH = 512  # tokens of a prompt that are handed over at once


def n_ctx_for(n_ctx: int, n_ctx_train: int) -> int:
    """The context to ask for: no more than the model was trained for, where that is known."""
    return min(n_ctx, n_ctx_train or n_ctx)


def n_ubatch_for(n_params: int, on_gpu: bool) -> int:
    """Tokens computed in one graph. Stop is noticed between the nodes of a graph, so a node must
    stay short: large models, and GPUs (which look only between graphs), get small ones."""
    return 128 if on_gpu or n_params > 1_000_000_000 else 512


def flash_attn_for(flash_attn: str, kv_type: str, on_gpu: bool) -> str:
    """Off on the CPU with an f16 cache, where it slows decoding; a quantized V cache needs it."""
    if kv_type != "f16":
        return "on"
    if flash_attn != "auto":
        return flash_attn
    return "auto" if on_gpu else "off"
