"""Names and shapes of the tensors in a checkpoint, as its makers publish it, from its config.

They are those of transformers' classes, but for experts, which are files' own (one matrix each, or
MXFP4), and for layers that guess further tokens. Shapes are in torch's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]


def _sizes(c: Json) -> tuple[int, int, int, int, int]:
    """Embedding, queries, keys, feed-forward, head."""
    n_embd, n_head = c["hidden_size"], c["num_attention_heads"]
    head = c.get("head_dim") or n_embd // n_head
    n_kv = c.get("num_key_value_heads") or n_head
    return n_embd, n_head * head, n_kv * head, c["intermediate_size"], head


def _attention(c: Json, prefix: str = "self_attn.", out: str = "o_proj") -> Shapes:
    n_embd, q, kv, _, _ = _sizes(c)
    return {
        f"{prefix}q_proj.weight": (q, n_embd),
        f"{prefix}k_proj.weight": (kv, n_embd),
        f"{prefix}v_proj.weight": (kv, n_embd),
        f"{prefix}{out}.weight": (n_embd, q),
    }


def _attention_biases(c: Json, *modules: str) -> Shapes:
    n_embd, q, kv, _, _ = _sizes(c)
    lengths = {"q_proj": q, "k_proj": kv, "v_proj": kv, "o_proj": n_embd}
    return {f"self_attn.{module}.bias": (lengths[module],) for module in modules}


def _feed_forward(c: Json) -> Shapes:
    n_embd, _, _, n_ff, _ = _sizes(c)
    return {
        "mlp.gate_proj.weight": (n_ff, n_embd),
        "mlp.up_proj.weight": (n_ff, n_embd),
        "mlp.down_proj.weight": (n_embd, n_ff),
    }


def _fused_feed_forward(c: Json) -> Shapes:
    n_embd, _, _, n_ff, _ = _sizes(c)
    return {
        "mlp.gate_up_proj.weight": (2 * n_ff, n_embd),
        "mlp.down_proj.weight": (n_embd, n_ff),
    }


def _norms(c: Json, *names: str) -> Shapes:
    return {f"{name}.weight": (c["hidden_size"],) for name in names}


def _head_norms(c: Json, *names: str) -> Shapes:
    return {f"self_attn.{name}.weight": (_sizes(c)[4],) for name in names}


_TWO_NORMS = ("input_layernorm", "post_attention_layernorm")
_FOUR_NORMS = (*_TWO_NORMS, "pre_feedforward_layernorm", "post_feedforward_layernorm")


def _model(c: Json, *layers: Shapes, prefix: str = "model.") -> Shapes:
    """Embeddings, the layers (one for all, or each its own), and the head where it is not tied."""
    n_embd, n_vocab = c["hidden_size"], c["vocab_size"]
    each = layers if len(layers) > 1 else layers * c["num_hidden_layers"]
    shapes: Shapes = {
        f"{prefix}embed_tokens.weight": (n_vocab, n_embd),
        f"{prefix}norm.weight": (n_embd,),
    }
    for i, layer in enumerate(each):
        shapes |= {f"{prefix}layers.{i}.{name}": shape for name, shape in layer.items()}
    if not c.get("tie_word_embeddings", False):
        shapes["lm_head.weight"] = (n_vocab, n_embd)
    return shapes


def llama(c: Json) -> Shapes:
    biases = ("q_proj", "k_proj", "v_proj", "o_proj") if c.get("attention_bias") else ()
    return _model(
        c,
        _norms(c, *_TWO_NORMS) | _attention(c) | _attention_biases(c, *biases) | _feed_forward(c),
    )


def qwen2(c: Json) -> Shapes:
    biases = _attention_biases(c, "q_proj", "k_proj", "v_proj")
    return _model(c, _norms(c, *_TWO_NORMS) | _attention(c) | biases | _feed_forward(c))


def qwen3(c: Json) -> Shapes:
    heads = _head_norms(c, "q_norm", "k_norm")
    return _model(c, _norms(c, *_TWO_NORMS) | _attention(c) | heads | _feed_forward(c))


def gemma2(c: Json) -> Shapes:
    return _model(c, _norms(c, *_FOUR_NORMS) | _attention(c) | _feed_forward(c))


def gemma3(c: Json) -> Shapes:
    heads = _head_norms(c, "q_norm", "k_norm")
    return _model(c, _norms(c, *_FOUR_NORMS) | _attention(c) | heads | _feed_forward(c))


def gemma3_with_eyes(c: Json) -> Shapes:
    text = gemma3(c["text_config"] | {"tie_word_embeddings": True})
    eyes = {"vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight": (8, 4)}
    return {f"language_model.{name}": shape for name, shape in text.items()} | eyes


def phi3(c: Json) -> Shapes:
    n_embd, q, kv, _, _ = _sizes(c)
    attention: Shapes = {
        "self_attn.qkv_proj.weight": (q + 2 * kv, n_embd),
        "self_attn.o_proj.weight": (n_embd, q),
    }
    return _model(c, _norms(c, *_TWO_NORMS) | attention | _fused_feed_forward(c))


def olmo2(c: Json) -> Shapes:
    _, q, kv, _, _ = _sizes(c)
    norms = _norms(c, "post_attention_layernorm", "post_feedforward_layernorm")
    heads: Shapes = {"self_attn.q_norm.weight": (q,), "self_attn.k_norm.weight": (kv,)}
    return _model(c, norms | _attention(c) | heads | _feed_forward(c))


def _experts(c: Json, prefix: str, n_ff: int, names: tuple[str, str, str], n_expert: int) -> Shapes:
    """`names`: what enters, what gates, what leaves an expert."""
    up, gate, down = names
    n_embd = c["hidden_size"]
    shapes: Shapes = {}
    for i in range(n_expert):
        shapes[f"{prefix}{i}.{gate}.weight"] = (n_ff, n_embd)
        shapes[f"{prefix}{i}.{down}.weight"] = (n_embd, n_ff)
        shapes[f"{prefix}{i}.{up}.weight"] = (n_ff, n_embd)
    return shapes


_PROJECTIONS = ("up_proj", "gate_proj", "down_proj")


def qwen3_moe(c: Json) -> Shapes:
    n_expert = c["num_experts"]
    heads = _head_norms(c, "q_norm", "k_norm")
    router: Shapes = {"mlp.gate.weight": (n_expert, c["hidden_size"])}
    experts = _experts(c, "mlp.experts.", c["moe_intermediate_size"], _PROJECTIONS, n_expert)
    return _model(c, _norms(c, *_TWO_NORMS) | _attention(c) | heads | router | experts)


def mixtral(c: Json) -> Shapes:
    n_expert = c["num_local_experts"]
    router: Shapes = {"block_sparse_moe.gate.weight": (n_expert, c["hidden_size"])}
    prefix = "block_sparse_moe.experts."
    experts = _experts(c, prefix, c["intermediate_size"], ("w3", "w1", "w2"), n_expert)
    return _model(c, _norms(c, *_TWO_NORMS) | _attention(c) | router | experts)


def gpt_oss(c: Json) -> Shapes:
    n_embd, _, _, n_ff, _ = _sizes(c)
    n = c["num_local_experts"]
    if "quantization_config" in c:
        experts: Shapes = {
            "mlp.experts.gate_up_proj_blocks": (n, 2 * n_ff, n_embd // 32, 16),
            "mlp.experts.gate_up_proj_scales": (n, 2 * n_ff, n_embd // 32),
            "mlp.experts.down_proj_blocks": (n, n_embd, n_ff // 32, 16),
            "mlp.experts.down_proj_scales": (n, n_embd, n_ff // 32),
        }
    else:
        experts = {
            "mlp.experts.gate_up_proj": (n, n_embd, 2 * n_ff),
            "mlp.experts.down_proj": (n, n_ff, n_embd),
        }
    others: Shapes = {
        "self_attn.sinks": (c["num_attention_heads"],),
        "mlp.router.weight": (n, n_embd),
        "mlp.router.bias": (n,),
        "mlp.experts.gate_up_proj_bias": (n, 2 * n_ff),
        "mlp.experts.down_proj_bias": (n, n_embd),
    }
    biases = _attention_biases(c, "q_proj", "k_proj", "v_proj", "o_proj")
    return _model(c, _norms(c, *_TWO_NORMS) | _attention(c) | biases | others | experts)


def lfm2(c: Json) -> Shapes:
    n_embd = c["hidden_size"]
    n_ff = int(c["block_ffn_dim_multiplier"] * int(2 * c["block_ff_dim"] / 3))
    n_ff = -(-n_ff // c["block_multiple_of"]) * c["block_multiple_of"]
    c = {**c, "intermediate_size": n_ff, "tie_word_embeddings": True}
    conv: Shapes = {
        "conv.conv.weight": (n_embd, 1, c["conv_L_cache"]),
        "conv.in_proj.weight": (3 * n_embd, n_embd),
        "conv.out_proj.weight": (n_embd, n_embd),
    }
    attention = _attention(c, out="out_proj") | _head_norms(c, "q_layernorm", "k_layernorm")
    rest: Shapes = _norms(c, "operator_norm", "ffn_norm") | {
        "feed_forward.w1.weight": (n_ff, n_embd),
        "feed_forward.w2.weight": (n_embd, n_ff),
        "feed_forward.w3.weight": (n_ff, n_embd),
    }
    full = c["full_attn_idxs"]
    layers = ((attention if i in full else conv) | rest for i in range(c["num_hidden_layers"]))
    shapes = _model(c, *layers)
    shapes["model.embedding_norm.weight"] = shapes.pop("model.norm.weight")
    return shapes


def glm4(c: Json) -> Shapes:
    norms = (*_TWO_NORMS, "post_self_attn_layernorm", "post_mlp_layernorm")
    biases = ("q_proj", "k_proj", "v_proj") if c.get("attention_bias") else ()
    return _model(
        c,
        _norms(c, *norms) | _attention(c) | _attention_biases(c, *biases) | _fused_feed_forward(c),
    )


def exaone4(c: Json) -> Shapes:
    norms = _norms(c, "post_attention_layernorm", "post_feedforward_layernorm")
    heads = _head_norms(c, "q_norm", "k_norm")
    return _model(c, norms | _attention(c) | heads | _feed_forward(c))


def cohere2(c: Json) -> Shapes:
    tied = {**c, "tie_word_embeddings": True}
    return _model(tied, _norms(c, "input_layernorm") | _attention(c) | _feed_forward(c))


def _linear(c: Json) -> Shapes:
    """A layer of linear attention, but for what enters it."""
    n_embd, n_v = c["hidden_size"], c["linear_num_value_heads"]
    v_in = n_v * c["linear_value_head_dim"]
    k_in = c["linear_num_key_heads"] * c["linear_key_head_dim"]
    return {
        "linear_attn.dt_bias": (n_v,),
        "linear_attn.A_log": (n_v,),
        "linear_attn.conv1d.weight": (2 * k_in + v_in, 1, c["linear_conv_kernel_dim"]),
        "linear_attn.norm.weight": (c["linear_value_head_dim"],),
        "linear_attn.out_proj.weight": (n_embd, v_in),
    }


def _gated_attention(c: Json) -> Shapes:
    shapes = _attention(c) | _head_norms(c, "q_norm", "k_norm")
    n_rows, n_embd = shapes["self_attn.q_proj.weight"]
    return shapes | {"self_attn.q_proj.weight": (2 * n_rows, n_embd)}


def _shared_experts(c: Json) -> Shapes:
    n_embd, n_ff = c["hidden_size"], c["shared_expert_intermediate_size"]
    return {
        "mlp.gate.weight": (c["num_experts"], n_embd),
        "mlp.shared_expert.gate_proj.weight": (n_ff, n_embd),
        "mlp.shared_expert.up_proj.weight": (n_ff, n_embd),
        "mlp.shared_expert.down_proj.weight": (n_embd, n_ff),
        "mlp.shared_expert_gate.weight": (1, n_embd),
    }


def _further(c: Json, layer: Shapes) -> Shapes:
    """The layer that guesses the token after the next."""
    n_embd = c["hidden_size"]
    norms = ("norm", "pre_fc_norm_embedding", "pre_fc_norm_hidden")
    return {
        "mtp.fc.weight": (n_embd, 2 * n_embd),
        **{f"mtp.{name}.weight": (n_embd,) for name in norms},
        **{f"mtp.layers.0.{name}": shape for name, shape in layer.items()},
    }


def _qwen3_5_layers(c: Json, rest: Shapes) -> Shapes:
    n_embd, n_v = c["hidden_size"], c["linear_num_value_heads"]
    v_in = n_v * c["linear_value_head_dim"]
    k_in = c["linear_num_key_heads"] * c["linear_key_head_dim"]
    linear = _linear(c) | {
        "linear_attn.in_proj_qkv.weight": (2 * k_in + v_in, n_embd),
        "linear_attn.in_proj_z.weight": (v_in, n_embd),
        "linear_attn.in_proj_b.weight": (n_v, n_embd),
        "linear_attn.in_proj_a.weight": (n_v, n_embd),
    }
    rest = rest | _norms(c, *_TWO_NORMS)
    kinds = {"linear_attention": linear | rest, "full_attention": _gated_attention(c) | rest}
    shapes = _model(c, *(kinds[kind] for kind in c["layer_types"]))
    further = _further(c, kinds["full_attention"]) if c.get("mtp_num_hidden_layers") else {}
    return shapes | further


def qwen3_5(c: Json) -> Shapes:
    """With eyes, so under a name of its own."""
    text = c["text_config"]
    shapes = _qwen3_5_layers(text, _feed_forward(text))
    eyes: Shapes = {"model.visual.blocks.0.mlp.linear_fc1.weight": (8, 4)}
    named = {name.replace("model.", "model.language_model."): n for name, n in shapes.items()}
    return named | eyes


def qwen3_5_moe(c: Json) -> Shapes:
    n, n_embd, n_ff = c["num_experts"], c["hidden_size"], c["moe_intermediate_size"]
    experts = _shared_experts(c) | {
        "mlp.experts.gate_up_proj": (n, 2 * n_ff, n_embd),
        "mlp.experts.down_proj": (n, n_embd, n_ff),
    }
    return _qwen3_5_layers({**c, "intermediate_size": 0}, experts)


def qwen3_next(c: Json) -> Shapes:
    n_embd, n_v = c["hidden_size"], c["linear_num_value_heads"]
    v_in = n_v * c["linear_value_head_dim"]
    k_in = c["linear_num_key_heads"] * c["linear_key_head_dim"]
    linear = _linear(c) | {
        "linear_attn.in_proj_qkvz.weight": (2 * k_in + 2 * v_in, n_embd),
        "linear_attn.in_proj_ba.weight": (2 * n_v, n_embd),
    }
    n_ff, n = c["moe_intermediate_size"], c["num_experts"]
    experts = _shared_experts(c) | _experts(c, "mlp.experts.", n_ff, _PROJECTIONS, n)
    rest = experts | _norms(c, *_TWO_NORMS)
    full = _gated_attention(c) | rest
    period = c["full_attention_interval"]
    layers = (linear | rest if (i + 1) % period else full for i in range(c["num_hidden_layers"]))
    return _model(c, *layers) | _further(c, full)


def gemma4(c: Json) -> Shapes:
    """Layers that see everything have wider heads; the last ones may borrow keys and values."""
    n_embd, n_pl = c["hidden_size"], c.get("hidden_size_per_layer_input", 0)
    n_layer = c["num_hidden_layers"]
    n_own = n_layer - c.get("num_kv_shared_layers", 0)
    layers = []
    for i, kind in enumerate(c["layer_types"]):
        layers.append(_gemma4_layer(c, kind == "full_attention", i >= n_own))
    shapes = _model({**c, "tie_word_embeddings": True}, *layers)
    if n_pl:
        shapes |= {
            "model.embed_tokens_per_layer.weight": (c["vocab_size"], n_layer * n_pl),
            "model.per_layer_model_projection.weight": (n_layer * n_pl, n_embd),
            "model.per_layer_projection_norm.weight": (n_pl,),
        }
    return shapes


def _gemma4_layer(c: Json, is_full: bool, is_borrowing: bool) -> Shapes:
    n_embd, n_pl = c["hidden_size"], c.get("hidden_size_per_layer_input", 0)
    sizes = dict(c)
    if is_full:
        sizes["head_dim"] = c["global_head_dim"]
        sizes["num_key_value_heads"] = c.get("num_global_key_value_heads", c["num_key_value_heads"])
    if is_borrowing and c.get("use_double_wide_mlp"):
        sizes["intermediate_size"] = 2 * c["intermediate_size"]
    shapes = _attention(sizes) | _head_norms(sizes, "q_norm", "k_norm") | _feed_forward(sizes)
    missing = ["k_proj", "v_proj", "k_norm"] if is_borrowing else []
    if is_full and c.get("attention_k_eq_v"):
        missing.append("v_proj")
    for name in missing:
        shapes.pop(f"self_attn.{name}.weight", None)
    shapes |= _norms(c, *_FOUR_NORMS) | {"layer_scalar": (1,)}
    if n_pl:
        shapes |= _norms(c, "post_per_layer_input_norm") | {
            "per_layer_input_gate.weight": (n_pl, n_embd),
            "per_layer_projection.weight": (n_embd, n_pl),
        }
    if c.get("enable_moe_block"):
        n, n_ff = c["num_experts"], c["moe_intermediate_size"]
        more = ("post_feedforward_layernorm_1", "post_feedforward_layernorm_2")
        shapes |= _norms(c, *more, "pre_feedforward_layernorm_2") | {
            "router.scale": (n_embd,),
            "router.per_expert_scale": (n,),
            "router.proj.weight": (n, n_embd),
            "experts.gate_up_proj": (n, 2 * n_ff, n_embd),
            "experts.down_proj": (n, n_embd, n_ff),
        }
    return shapes


def gemma4_with_eyes(c: Json) -> Shapes:
    shapes = gemma4(c["text_config"])
    named = {name.replace("model.", "model.language_model."): n for name, n in shapes.items()}
    return named | {"model.vision_tower.encoder.layers.0.mlp.fc1.weight": (8, 4)}


SHAPES: dict[str, Callable[[Json], Shapes]] = {
    "llama": llama,
    "mistral": llama,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "gemma": llama,
    "gemma2": gemma2,
    "gemma3_text": gemma3,
    "gemma3": gemma3_with_eyes,
    "phi3": phi3,
    "smollm3": llama,
    "granite": llama,
    "olmo2": olmo2,
    "qwen3_moe": qwen3_moe,
    "mixtral": mixtral,
    "gpt_oss": gpt_oss,
    "lfm2": lfm2,
    "glm4": glm4,
    "exaone4": exaone4,
    "cohere2": cohere2,
    "gemma4": gemma4_with_eyes,
    "gemma4_text": gemma4,
    "qwen3_5": qwen3_5,
    "qwen3_5_moe_text": qwen3_5_moe,
    "qwen3_next": qwen3_next,
}
