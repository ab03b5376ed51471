"""Real geometries of families that `quantize` does not convert, tensor by tensor, in ggml's order.

Latent attention, state spaces, hybrids, and Gemma 3n. Source: each model's own config.json, and
llama.cpp at 0c1e57098, src/models/*.cpp, for names and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantize.model import MetadataValue, Typed, TypedArray
from quantize.types import GgufType

Tensors = dict[str, tuple[int, ...]]
Shaped = tuple[Mapping[str, MetadataValue], Tensors]


def _shaped(
    architecture: str,
    numbers: Mapping[str, int | Sequence[int]],
    layers: Sequence[Tensors],
    n_vocab: int,
    rest: Tensors | None = None,
) -> Shaped:
    n_embd = numbers["embedding_length"]
    assert isinstance(n_embd, int)
    metadata: dict[str, MetadataValue] = {
        "general.architecture": Typed(GgufType.STRING, architecture),
        f"{architecture}.block_count": Typed(GgufType.UINT32, len(layers)),
        f"{architecture}.attention.layer_norm_rms_epsilon": Typed(GgufType.FLOAT32, 1e-5),
    }
    for name, value in numbers.items():
        metadata[f"{architecture}.{name}"] = _number(value)
    tensors: Tensors = {
        "token_embd.weight": (n_embd, n_vocab),
        "output_norm.weight": (n_embd,),
        **(rest or {}),
    }
    for i, layer in enumerate(layers):
        tensors |= {f"blk.{i}.{name}": shape for name, shape in layer.items()}
    return metadata, tensors


def _number(value: int | Sequence[int]) -> MetadataValue:
    if isinstance(value, int):
        return Typed(GgufType.UINT32, value)
    return TypedArray(GgufType.INT32, len(value), list(value))


def _weights(**shapes: tuple[int, ...]) -> Tensors:
    return {f"{name}.weight": shape for name, shape in shapes.items()}


def _feed_forward(n_embd: int, n_ff: int) -> Tensors:
    return _weights(
        ffn_norm=(n_embd,),
        ffn_gate=(n_embd, n_ff),
        ffn_up=(n_embd, n_ff),
        ffn_down=(n_ff, n_embd),
    )


def _experts(n_embd: int, n_ff: int, n: int, shared: int = 0) -> Tensors:
    result = _weights(
        ffn_norm=(n_embd,),
        ffn_gate_inp=(n_embd, n),
        ffn_gate_exps=(n_embd, n_ff, n),
        ffn_up_exps=(n_embd, n_ff, n),
        ffn_down_exps=(n_ff, n_embd, n),
    )
    if shared:
        result |= _weights(
            ffn_gate_shexp=(n_embd, shared),
            ffn_up_shexp=(n_embd, shared),
            ffn_down_shexp=(shared, n_embd),
        )
    return result


def _attention(n_embd: int, q: int, kv: int) -> Tensors:
    return _weights(
        attn_norm=(n_embd,),
        attn_q=(n_embd, q),
        attn_k=(n_embd, kv),
        attn_v=(n_embd, kv),
        attn_output=(q, n_embd),
    )


def _deepseek(
    n_layers: int,
    n_embd: int,
    n_head: int,
    n_ff: int,
    *,
    q_rank: int,
    n_expert: int,
    n_used: int,
    n_ff_expert: int,
    n_shared: int,
    n_dense: int,
    n_vocab: int,
) -> Shaped:
    """DeepSeek 2 and 3: one latent vector of 512 numbers and 64 rotated ones per token."""
    rank, rope, nope, v = 512, 64, 128, 128
    queries = (
        _weights(
            attn_q_a_norm=(q_rank,), attn_q_a=(n_embd, q_rank), attn_q_b=(q_rank, n_head * 192)
        )
        if q_rank
        else _weights(attn_q=(n_embd, n_head * 192))
    )
    attention = queries | _weights(
        attn_norm=(n_embd,),
        attn_kv_a_norm=(rank,),
        attn_kv_a_mqa=(n_embd, rank + rope),
        attn_k_b=(nope, rank, n_head),
        attn_v_b=(rank, v, n_head),
        attn_output=(n_head * v, n_embd),
    )
    dense = attention | _feed_forward(n_embd, n_ff)
    mixed = attention | _experts(n_embd, n_ff_expert, n_expert, n_ff_expert * n_shared)
    numbers = {
        "context_length": 163840,
        "embedding_length": n_embd,
        "feed_forward_length": n_ff,
        "attention.head_count": n_head,
        "attention.head_count_kv": 1,
        "attention.key_length": rank + rope,
        "attention.value_length": rank,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": v,
        "attention.kv_lora_rank": rank,
        **({"attention.q_lora_rank": q_rank} if q_rank else {}),
        "rope.dimension_count": rope,
        "expert_count": n_expert,
        "expert_used_count": n_used,
        "expert_shared_count": n_shared,
        "expert_feed_forward_length": n_ff_expert,
        "leading_dense_block_count": n_dense,
    }
    layers = [dense] * n_dense + [mixed] * (n_layers - n_dense)
    return _shaped("deepseek2", numbers, layers, n_vocab, {"output.weight": (n_embd, n_vocab)})


def _mamba(n_layers: int, n_embd: int, n_vocab: int) -> Shaped:
    inner, state, rank = 2 * n_embd, 16, -(-n_embd // 16)
    layer = _weights(
        attn_norm=(n_embd,),
        ssm_in=(n_embd, 2 * inner),
        ssm_conv1d=(4, inner),
        ssm_x=(inner, rank + 2 * state),
        ssm_dt=(rank, inner),
        ssm_out=(inner, n_embd),
    ) | {
        "ssm_conv1d.bias": (inner,),
        "ssm_dt.bias": (inner,),
        "ssm_a": (state, inner),
        "ssm_d": (inner,),
    }
    numbers = {
        "context_length": 1048576,
        "embedding_length": n_embd,
        "feed_forward_length": 0,
        "attention.head_count": 0,
        "ssm.conv_kernel": 4,
        "ssm.inner_size": inner,
        "ssm.state_size": state,
        "ssm.time_step_rank": rank,
    }
    return _shaped("mamba", numbers, [layer] * n_layers, n_vocab)


def _ssm2(
    n_embd: int, inner: int, state: int, groups: int, heads: int
) -> tuple[Tensors, dict[str, int]]:
    """A Mamba 2 mixer and its keys."""
    conv = inner + 2 * groups * state
    tensors = _weights(
        attn_norm=(n_embd,),
        ssm_in=(n_embd, inner + conv + heads),
        ssm_conv1d=(4, conv),
        ssm_norm=(inner // groups, groups),
        ssm_out=(inner, n_embd),
    ) | {
        "ssm_conv1d.bias": (conv,),
        "ssm_dt.bias": (heads,),
        "ssm_a": (1, heads),
        "ssm_d": (1, heads),
    }
    keys = {
        "ssm.conv_kernel": 4,
        "ssm.inner_size": inner,
        "ssm.state_size": state,
        "ssm.time_step_rank": heads,
        "ssm.group_count": groups,
    }
    return tensors, keys


def _mamba2(n_layers: int, n_embd: int, n_vocab: int) -> Shaped:
    layer, keys = _ssm2(n_embd, 2 * n_embd, 128, 1, 2 * n_embd // 64)
    numbers = {
        "context_length": 1048576,
        "embedding_length": n_embd,
        "feed_forward_length": 0,
        "attention.head_count": 0,
        **keys,
    }
    return _shaped("mamba2", numbers, [layer] * n_layers, n_vocab)


def _granite_hybrid() -> Shaped:
    """Granite 4.0 H Tiny: four layers of forty attend, experts in all."""
    n_embd, n_layers, full = 1536, 40, (5, 15, 25, 35)
    mixer, keys = _ssm2(n_embd, 3072, 128, 1, 48)
    experts = _experts(n_embd, 512, 64, 1024)
    attention = _attention(n_embd, 1536, 512)
    layers = [(attention if i in full else mixer) | experts for i in range(n_layers)]
    numbers = {
        "context_length": 131072,
        "embedding_length": n_embd,
        "feed_forward_length": 512,
        "attention.head_count": 12,
        "attention.head_count_kv": [4 if i in full else 0 for i in range(n_layers)],
        "rope.dimension_count": 128,
        "expert_count": 64,
        "expert_used_count": 6,
        "expert_shared_feed_forward_length": 1024,
        **keys,
    }
    return _shaped("granitehybrid", numbers, layers, 100352)


def _falcon_h1() -> Shaped:
    """Falcon H1 1.5B: every layer attends and remembers."""
    n_embd, n_ff = 2048, 4096
    mixer, keys = _ssm2(n_embd, 3072, 256, 1, 48)
    layer = mixer | _attention(n_embd, 1024, 256) | _feed_forward(n_embd, n_ff)
    layer["ffn_norm"] = layer.pop("ffn_norm.weight")
    numbers = {
        "context_length": 131072,
        "embedding_length": n_embd,
        "feed_forward_length": n_ff,
        "attention.head_count": 8,
        "attention.head_count_kv": 2,
        "attention.key_length": 128,
        "attention.value_length": 128,
        **keys,
    }
    return _shaped("falcon-h1", numbers, [layer] * 24, 65537)


def _lfm2_moe() -> Shaped:
    """LFM2 8B A1B: six layers of twenty-four attend, the others convolve."""
    n_embd, n_layers, full = 2048, 24, (2, 6, 10, 14, 18, 21)
    attention = _attention(n_embd, 2048, 512) | _weights(attn_q_norm=(64,), attn_k_norm=(64,))
    conv = {
        "attn_norm.weight": (n_embd,),
        "shortconv.conv.weight": (3, n_embd),
        "shortconv.in_proj.weight": (n_embd, 3 * n_embd),
        "shortconv.out_proj.weight": (n_embd, n_embd),
    }
    dense = _feed_forward(n_embd, 7168)
    mixed = _experts(n_embd, 1792, 32) | {"exp_probs_b.bias": (32,)}
    layers = [
        (attention if i in full else conv) | (dense if i < 2 else mixed) for i in range(n_layers)
    ]
    numbers = {
        "context_length": 128000,
        "embedding_length": n_embd,
        "feed_forward_length": 7168,
        "attention.head_count": 32,
        "attention.head_count_kv": [8 if i in full else 0 for i in range(n_layers)],
        "shortconv.l_cache": 3,
        "expert_count": 32,
        "expert_used_count": 4,
        "expert_feed_forward_length": 1792,
        "expert_gating_func": 2,
        "leading_dense_block_count": 2,
    }
    metadata, tensors = _shaped("lfm2moe", numbers, layers, 65536)
    tensors["token_embd_norm.weight"] = tensors.pop("output_norm.weight")
    return metadata, tensors


def _gemma3n() -> Shaped:
    """Gemma 3n E2B: embeddings for each layer, the last ten layers borrow keys and values."""
    n_embd, n_ff, n_layers, per_layer, n_vocab = 2048, 8192, 30, 256, 262144
    layer = (
        _attention(n_embd, 2048, 512)
        | _feed_forward(n_embd, n_ff)
        | _weights(
            attn_q_norm=(256,),
            attn_k_norm=(256,),
            post_attention_norm=(n_embd,),
            post_ffw_norm=(n_embd,),
            inp_gate=(n_embd, per_layer),
            proj=(per_layer, n_embd),
            post_norm=(n_embd,),
            altup_correct_coef=(4, 4),
            altup_correct_scale=(n_embd,),
            altup_predict_coef=(4, 16),
            altup_router=(n_embd, 4),
            altup_router_norm=(n_embd,),
            laurel_l=(n_embd, 64),
            laurel_r=(64, n_embd),
            laurel_post_norm=(n_embd,),
        )
    )
    numbers = {
        "context_length": 32768,
        "embedding_length": n_embd,
        "feed_forward_length": n_ff,
        "attention.head_count": 8,
        "attention.head_count_kv": 2,
        "attention.key_length": 256,
        "attention.value_length": 256,
        "attention.sliding_window": 512,
    }
    rest = _weights(
        altup_proj=(n_embd, n_embd, 3),
        altup_unembd_proj=(n_embd, n_embd, 3),
        per_layer_token_embd=(per_layer * n_layers, n_vocab),
        per_layer_model_proj=(n_embd, per_layer * n_layers),
        per_layer_proj_norm=(per_layer,),
    )
    return _shaped("gemma3n", numbers, [layer] * n_layers, n_vocab, rest)


OTHERS: dict[str, Shaped] = {
    "deepseek-v2-lite": _deepseek(
        27, 2048, 16, 10944, q_rank=0, n_expert=64, n_used=6, n_ff_expert=1408, n_shared=2,
        n_dense=1, n_vocab=102400,
    ),
    "deepseek-v3": _deepseek(
        61, 7168, 128, 18432, q_rank=1536, n_expert=256, n_used=8, n_ff_expert=2048, n_shared=1,
        n_dense=3, n_vocab=129280,
    ),
    "mamba-2.8b": _mamba(64, 2560, 50280),
    "mamba2-2.7b": _mamba2(64, 2560, 50288),
    "granite-4-h-tiny": _granite_hybrid(),
    "falcon-h1-1.5b": _falcon_h1(),
    "lfm2-8b-a1b": _lfm2_moe(),
    "gemma-3n-e2b": _gemma3n(),
}  # fmt: skip
