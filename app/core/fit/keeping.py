"""What each layer keeps of the tokens before: keys and values, or a state of fixed size.

Source: llama.cpp at 0c1e57098, llama-model.cpp (create_memory: which kind of memory and which
layers), llama-hparams.cpp (n_embd_k_gqa, n_embd_v_gqa, n_embd_r, n_embd_s, has_kv, is_mla), and
src/models/*.cpp where a family has rules of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.fit.keys import Keys
from app.core.fit.windows import windows_of

_STATE_BYTES = 4  # of each number: states are kept in F32

_RECURRENT = {"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"}
# Layers without heads of keys are recurrent.
_HYBRID_BY_HEADS = {
    *("jamba", "plamo2", "granitehybrid", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe"),
    *("kimi-linear", "kimi-k3", "bailingmoe3", "glm5-next"),
}
# All layers are recurrent but every n-th.
_HYBRID_BY_INTERVAL = {
    "qwen3next": 4,
    "qwen35": 4,
    "qwen35moe": 4,
    "qwen4exp": 4,
    "minimax-01": 8,
}
_BOTH = {"falcon-h1"}
# A second cache of one key per token beside the first, for finding what to attend to.
_INDEXED = {"deepseek32", "glm-dsa", "minimax-m3", "glm5-next", "dots3note", "qwen4exp", "hy_v4"}
_WITHOUT_MEMORY = {
    *("bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "neo-bert"),
    *("eurobert", "modern-bert", "gemma-embedding", "wavtokenizer-dec"),
    *("dream", "llada", "llada-moe", "rnd1"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one layer: numbers per token as keys and as values, window (0: all), bytes of state."""

    k_width: int = 0
    v_width: int = 0
    window: int = 0
    state_bytes: int = 0


def kept_by_layers(keys: Keys) -> tuple[Kept, ...]:
    """For each layer of a file, layers that guess further tokens left out."""
    architecture = keys.architecture
    n_layers = keys.n_layers - n_guessing(keys)
    if architecture in _WITHOUT_MEMORY:
        return (Kept(),) * n_layers
    state = _state_bytes(keys)
    attends, remembers = _kinds(keys)
    caches = _caches(keys)
    return tuple(
        Kept(
            *(caches[i] if attends[i] else (0, 0, 0)),
            state_bytes=state if remembers[i] else 0,
        )
        for i in range(n_layers)
    )


def n_guessing(keys: Keys) -> int:
    """Layers at the end that only guess further tokens (MTP); the engine does not use them."""
    return min(keys.number("nextn_predict_layers"), max(keys.n_layers - 1, 0))


def _kinds(keys: Keys) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """For each layer whether it keeps keys and values, and whether it has a state."""
    n, architecture = keys.n_layers, keys.architecture
    if architecture in _RECURRENT:
        return (False,) * n, (True,) * n
    if architecture in _BOTH:
        return (True,) * n, (True,) * n
    recurrent = _recurrent_layers(keys)
    own = _own(keys)
    attends = (not recurs and has for recurs, has in zip(recurrent, own, strict=True))
    return tuple(attends), recurrent


def _recurrent_layers(keys: Keys) -> tuple[bool, ...]:
    architecture = keys.architecture
    if architecture in _HYBRID_BY_HEADS:
        widths = keys.per_layer("feed_forward_length")
        heads = keys.per_layer("attention.head_count_kv", 1)
        feeds = architecture.startswith("nemotron_h")  # there a layer is one thing only
        both = zip(heads, widths, strict=True)
        return tuple(not head and not (feeds and width) for head, width in both)
    interval = _HYBRID_BY_INTERVAL.get(architecture)
    if interval is None:
        return (False,) * keys.n_layers
    if said := keys.array("attention.recurrent_layers"):
        return tuple(bool(flag) for flag in (*said, *(0,) * keys.n_layers))[: keys.n_layers]
    interval = keys.number("full_attention_interval", interval) or interval
    return tuple((i + 1) % interval != 0 for i in range(keys.n_layers))


def _own(keys: Keys) -> tuple[bool, ...]:
    """Whether a layer has a cache of its own: Gemma's last ones look into an earlier layer's."""
    n, architecture = keys.n_layers, keys.architecture
    if architecture == "gemma3n":
        n = 20
    elif architecture == "gemma4":
        n -= keys.number("attention.shared_kv_layers")
    return tuple(i < n for i in range(keys.n_layers))


def _caches(keys: Keys) -> tuple[tuple[int, int, int], ...]:
    """Widths of keys and values, and the window, as if every layer attended."""
    windows = windows_of(keys)
    heads = keys.per_layer("attention.head_count")
    kv_heads = (
        keys.per_layer("attention.head_count_kv") if keys.has("attention.head_count_kv") else heads
    )
    usual = keys.number("embedding_length") // max(heads[0] if heads else 1, 1)
    is_mla = keys.number("attention.key_length_mla") > 0
    index = keys.number("attention.indexer.key_length") if keys.architecture in _INDEXED else 0
    result = []
    for window, n_kv in zip(windows, kv_heads, strict=True):
        k, v = _head_dims(keys, usual, slides=window > 0)
        result.append((n_kv * k + index, 0 if is_mla else n_kv * v, window))
    return tuple(result)


def _head_dims(keys: Keys, usual: int, *, slides: bool) -> tuple[int, int]:
    k = keys.number("attention.key_length", usual)
    v = keys.number("attention.value_length", usual)
    if slides:
        k = keys.number("attention.key_length_swa", k)
        v = keys.number("attention.value_length_swa", v)
    return k, v


def _state_bytes(keys: Keys) -> int:
    """Of one recurrent layer and one sequence: what a convolution looks back on, and the state."""
    n_embd, n_head = keys.number("embedding_length"), keys.number("attention.head_count")
    if head := keys.number("wkv.head_size"):
        return _STATE_BYTES * n_embd * (keys.number("token_shift_count", 2) + head)
    if length := keys.number("shortconv.l_cache"):
        return _STATE_BYTES * n_embd * (length - 1)
    kernel = keys.number("ssm.conv_kernel")
    if head := keys.number("kda.head_dim"):
        back = kernel - 1 if kernel else 3
        return _STATE_BYTES * n_head * head * (3 * back + head)
    inner, state = keys.number("ssm.inner_size"), keys.number("ssm.state_size")
    looks_back = max(kernel - 1, 0) * (inner + 2 * keys.number("ssm.group_count") * state)
    return _STATE_BYTES * (looks_back + state * inner)
