"""How the engine runs a model: the decisions that its prediction has to know as well.

The engine's child asks here when it loads, `app.core.fit` when it predicts, so that the two cannot
drift apart. No llama.cpp.
"""

from __future__ import annotations

N_BATCH = 512  # tokens of a prompt that are handed over at once
_MAX_CTX = 2**24  # where nothing is known of the training
_DEFAULT_CTX = 4096
_SEQUENCES = 4  # branches of a conversation in one cache
_MAX_OUTPUTS = 17  # a token and sixteen guesses
_LEAST_OUTPUTS = 5
_OUTPUTS_BYTES = 16 * 1024**2
_LOGIT_BYTES = 4


def n_ctx_for(n_ctx: int, n_ctx_train: int) -> int:
    """The context to ask for: no more than the model was trained for, where that is known; all of
    that for 0, as llama.cpp has it, and for less."""
    if n_ctx <= 0:
        return n_ctx_train or _DEFAULT_CTX
    return min(n_ctx, n_ctx_train or _MAX_CTX)


def n_ubatch_for(n_params: int, on_gpu: bool) -> int:
    """Tokens computed in one graph. Stop is noticed between the nodes of a graph, so a node must
    stay short: large models, and GPUs (which look only between graphs), get small ones."""
    return 128 if on_gpu or n_params > 1_000_000_000 else 512


def n_outputs_for(n_vocab: int, weights_bytes: int, is_recurrent: bool) -> int:
    """How many tokens of one pass have logits, so that guesses can be checked: one for models that
    cannot take a token back. They cost a hundredth of the weights, two for the fewest of use."""
    if is_recurrent:
        return 1
    each = _LOGIT_BYTES * max(n_vocab, 1)
    n = 1 + min(weights_bytes // 100, _OUTPUTS_BYTES) // each
    if n < _LEAST_OUTPUTS and (_LEAST_OUTPUTS - 1) * each < weights_bytes // 50:
        n = _LEAST_OUTPUTS
    return min(n, _MAX_OUTPUTS)


def n_sequences_for(n_outputs: int, sees_everything: bool) -> int:
    """How many branches of a conversation the cache can hold. Each takes the logits of one token,
    so there are no more than logits anyway; a cache that forgets by itself holds one."""
    return min(_SEQUENCES, n_outputs) if sees_everything else 1


def checkpoint_bytes_for(weights_bytes: int) -> int:
    """What may be kept of such caches beside them."""
    return min(weights_bytes // 25, 256 * 1024**2)


def flash_attn_for(flash_attn: str, kv_type: str, on_gpu: bool) -> str:
    """Off on the CPU with an f16 cache, where it slows decoding; a quantized V cache needs it."""
    if kv_type != "f16":
        return "on"
    if flash_attn != "auto":
        return flash_attn
    return "auto" if on_gpu else "off"
