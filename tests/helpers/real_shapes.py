"""Header-only GGUFs of models that people run: real geometries, no weights and no vocabulary.

llama.cpp loads them without allocating, and says what a real file would take. `CONFIGS` holds what
matters of each model's own config.json; `OTHERS` are families that `quantize` does not convert,
written out tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantize import arch
from quantize.gguf_writer import header_bytes, lay_out
from quantize.model import MetadataValue, Typed
from quantize.tensors import Tensor
from quantize.types import GgmlType, GgufType
from tests.helpers.checkpoint_shapes import SHAPES
from tests.helpers.fake_checkpoint import checkpoint
from tests.helpers.other_shapes import OTHERS, Tensors
from tests.helpers.shaped_model import Zeros

Json = dict[str, Any]


def _config(kind: str, sizes: str, **values: Any) -> Json:
    """`sizes`: layers, embedding, feed-forward, heads, heads of keys, vocabulary, context."""
    names = (
        *("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads"),
        *("num_key_value_heads", "vocab_size", "max_position_embeddings"),
    )
    numbers = [int(number) for number in sizes.split()]
    return {
        "model_type": kind,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        **dict(zip(names, numbers, strict=True)),
        **values,
    }


def _tied(kind: str, sizes: str, **values: Any) -> Json:
    return _config(kind, sizes, tie_word_embeddings=True, **values)


_PHI4_ROPE = {
    "partial_rotary_factor": 0.75,
    "original_max_position_embeddings": 4096,
    "rope_scaling": {
        "type": "longrope",
        "long_factor": [1.0] * 48,
        "short_factor": [1.0] * 48,
    },
    "pad_token_id": 0,
}
_GEMMA4_ROPE = {
    "full_attention": {
        "rope_type": "proportional",
        "partial_rotary_factor": 0.25,
        "rope_theta": 1000000.0,
    },
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}


def _gemma4(sizes: str, period: int, **values: Any) -> Json:
    n_layers = int(sizes.split()[0])
    kinds = [
        "full_attention" if (i + 1) % period == 0 else "sliding_attention" for i in range(n_layers)
    ]
    return _tied(
        "gemma4_text",
        sizes,
        layer_types=kinds,
        rope_parameters=_GEMMA4_ROPE,
        **{"head_dim": 256, "global_head_dim": 512, "final_logit_softcapping": 30.0, **values},
    )


def _qwen35(sizes: str, kind: str = "qwen3_5_text", **values: Any) -> Json:
    n_layers = int(sizes.split()[0])
    return {
        **_config(kind, sizes),
        "head_dim": 256,
        "layer_types": [
            "linear_attention" if (i + 1) % 4 else "full_attention" for i in range(n_layers)
        ],
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000000,
            "partial_rotary_factor": 0.25,
        },
        **values,
    }


def _lfm2(sizes: str, full: list[int], block_ff_dim: int) -> Json:
    config = _tied(
        "lfm2",
        sizes,
        norm_eps=1e-5,
        conv_L_cache=3,
        conv_bias=False,
        block_ff_dim=block_ff_dim,
        block_auto_adjust_ff_dim=True,
        block_ffn_dim_multiplier=1.0,
        block_multiple_of=256,
        full_attn_idxs=full,
        rope_theta=1000000.0,
    )
    return {k: v for k, v in config.items() if k not in ("rms_norm_eps", "intermediate_size")}


CONFIGS: dict[str, Json] = {
    "smollm2-135m": _tied("llama", "30 576 1536 9 3 49152 8192"),
    "smollm2-360m": _tied("llama", "32 960 2560 15 5 49152 8192"),
    "llama-3.2-1b": _tied("llama", "16 2048 8192 32 8 128256 131072"),
    "llama-3.2-3b": _tied("llama", "28 3072 8192 24 8 128256 131072", head_dim=128),
    "llama-3.1-8b": _config("llama", "32 4096 14336 32 8 128256 131072"),
    "llama-3.3-70b": _config("llama", "80 8192 28672 64 8 128256 131072"),
    "mistral-7b": _config("mistral", "32 4096 14336 32 8 32768 32768", sliding_window=None),
    "mistral-nemo-12b": _config(
        "mistral", "40 5120 14336 32 8 131072 131072", head_dim=128, sliding_window=None
    ),
    "mistral-small-24b": _config(
        "mistral", "40 5120 32768 32 8 131072 32768", head_dim=128, sliding_window=None
    ),
    "qwen2.5-0.5b": _tied("qwen2", "24 896 4864 14 2 151936 32768"),
    "qwen2.5-7b": _config("qwen2", "28 3584 18944 28 4 152064 32768"),
    "qwen3-0.6b": _tied("qwen3", "28 1024 3072 16 8 151936 40960", head_dim=128),
    "qwen3-1.7b": _tied("qwen3", "28 2048 6144 16 8 151936 40960", head_dim=128),
    "qwen3-4b": _tied("qwen3", "36 2560 9728 32 8 151936 40960", head_dim=128),
    "qwen3-8b": _config("qwen3", "36 4096 12288 32 8 151936 40960", head_dim=128),
    "qwen3-14b": _config("qwen3", "40 5120 17408 40 8 151936 40960", head_dim=128),
    "qwen3-32b": _config("qwen3", "64 5120 25600 64 8 151936 40960", head_dim=128),
    "gemma-2-2b": _tied(
        "gemma2", "26 2304 9216 8 4 256000 8192", head_dim=256, sliding_window=4096
    ),
    "gemma-2-9b": _tied(
        "gemma2", "42 3584 14336 16 8 256000 8192", head_dim=256, sliding_window=4096
    ),
    "gemma-3-270m": _tied(
        "gemma3_text", "18 640 2048 4 1 262144 32768", head_dim=256, sliding_window=512
    ),
    "gemma-3-1b": _tied(
        "gemma3_text", "26 1152 6912 4 1 262144 32768", head_dim=256, sliding_window=512
    ),
    "gemma-3-4b": _tied(
        "gemma3_text", "34 2560 10240 8 4 262144 131072", head_dim=256, sliding_window=1024
    ),
    "gemma-3-12b": _tied(
        "gemma3_text", "48 3840 15360 16 8 262144 131072", head_dim=256, sliding_window=1024
    ),
    "gemma-3-27b": _tied(
        "gemma3_text", "62 5376 21504 32 16 262144 131072", head_dim=128, sliding_window=1024
    ),
    "phi-3-mini": _config(
        "phi3",
        "32 3072 8192 32 32 32064 4096",
        original_max_position_embeddings=4096,
        sliding_window=2047,
        pad_token_id=0,
    ),
    "phi-4": _config(
        "phi3",
        "40 5120 17920 40 10 100352 16384",
        original_max_position_embeddings=16384,
        sliding_window=None,
        pad_token_id=0,
    ),
    "phi-4-mini": _tied(
        "phi3", "32 3072 8192 24 8 200064 131072", sliding_window=None, **_PHI4_ROPE
    ),
    "smollm3-3b": _tied("smollm3", "36 2048 11008 16 4 128256 65536"),
    "granite-3.3-2b": _tied(
        "granite",
        "40 2048 8192 32 8 49159 131072",
        attention_multiplier=0.015625,
        embedding_multiplier=12.0,
        residual_multiplier=0.22,
        logits_scaling=8.0,
    ),
    "olmo-2-7b": _config("olmo2", "32 4096 11008 32 32 100352 4096", pad_token_id=1),
    "qwen3-30b-a3b": _config(
        "qwen3_moe",
        "48 2048 6144 32 4 151936 262144",
        head_dim=128,
        num_experts=128,
        num_experts_per_tok=8,
        moe_intermediate_size=768,
        decoder_sparse_step=1,
        mlp_only_layers=[],
        norm_topk_prob=True,
    ),
    "mixtral-8x7b": _config(
        "mixtral",
        "32 4096 14336 32 8 32000 32768",
        num_local_experts=8,
        num_experts_per_tok=2,
    ),
    "gpt-oss-20b": _config(
        "gpt_oss",
        "24 2880 2880 64 8 201088 131072",
        head_dim=64,
        num_local_experts=32,
        num_experts_per_tok=4,
        sliding_window=128,
        layer_types=["sliding_attention", "full_attention"] * 12,
    ),
    "lfm2-350m": _lfm2("16 1024 0 16 8 65536 128000", [2, 5, 8, 10, 12, 14], 6656),
    "lfm2-1.2b": _lfm2("16 2048 0 32 8 65536 128000", [2, 5, 8, 10, 12, 14], 12288),
    "glm-4-9b": _config(
        "glm4",
        "40 4096 13696 32 2 151552 32768",
        head_dim=128,
        partial_rotary_factor=0.5,
        attention_bias=False,
    ),
    "exaone-4-1.2b": _tied("exaone4", "30 2048 4096 32 8 102400 65536", head_dim=64),
    "exaone-4-32b": _config(
        "exaone4",
        "64 5120 27392 40 8 102400 131072",
        head_dim=128,
        sliding_window=4096,
        sliding_window_pattern="LLLG",
        layer_types=[*["sliding_attention"] * 3, "full_attention"] * 16,
    ),
    "command-r7b": {
        k: v
        for k, v in _config(
            "cohere2",
            "32 4096 14336 32 8 256000 8192",
            layer_norm_eps=1e-5,
            logit_scale=0.25,
            sliding_window=4096,
            rope_theta=50000.0,
            rotary_pct=1.0,
            attention_bias=False,
        ).items()
        if k not in ("rms_norm_eps", "tie_word_embeddings")
    },
    "gemma-4-e2b": _gemma4(
        "35 1536 6144 8 1 262144 131072",
        5,
        sliding_window=512,
        hidden_size_per_layer_input=256,
        vocab_size_per_layer_input=262144,
        num_kv_shared_layers=20,
        use_double_wide_mlp=True,
    ),
    "gemma-4-e4b": _gemma4(
        "42 2560 10240 8 2 262144 131072",
        6,
        sliding_window=512,
        hidden_size_per_layer_input=256,
        vocab_size_per_layer_input=262144,
        num_kv_shared_layers=18,
    ),
    "gemma-4-12b": _gemma4(
        "48 3840 15360 16 8 262144 262144",
        6,
        sliding_window=1024,
        hidden_size_per_layer_input=0,
        attention_k_eq_v=True,
        num_global_key_value_heads=1,
    ),
    "gemma-4-26b-a4b": _gemma4(
        "30 2816 2112 16 8 262144 262144",
        6,
        sliding_window=1024,
        hidden_size_per_layer_input=0,
        attention_k_eq_v=True,
        num_global_key_value_heads=2,
        enable_moe_block=True,
        num_experts=128,
        top_k_experts=8,
        moe_intermediate_size=704,
    ),
    "gemma-4-31b": _gemma4(
        "60 5376 21504 32 16 262144 262144",
        6,
        sliding_window=1024,
        hidden_size_per_layer_input=0,
        attention_k_eq_v=True,
        num_global_key_value_heads=4,
    ),
    "qwen3.5-0.8b": _qwen35(
        "24 1024 3584 8 2 248320 262144", tie_word_embeddings=True, linear_num_value_heads=16
    ),
    "qwen3.5-2b": _qwen35(
        "24 2048 6144 8 2 248320 262144", tie_word_embeddings=True, linear_num_value_heads=16
    ),
    "qwen3.5-4b": _qwen35("32 2560 9216 16 4 248320 262144", tie_word_embeddings=True),
    "qwen3.5-9b": _qwen35("32 4096 12288 16 4 248320 262144"),
    "qwen3.5-27b": _qwen35(
        "64 5120 17408 24 4 248320 262144", linear_num_value_heads=48, mtp_num_hidden_layers=1
    ),
    "qwen3.5-35b-a3b": _qwen35(
        "40 2048 0 16 2 248320 262144",
        "qwen3_5_moe_text",
        num_experts=256,
        num_experts_per_tok=8,
        moe_intermediate_size=512,
        shared_expert_intermediate_size=512,
    ),
    "qwen3-next-80b-a3b": _config(
        "qwen3_next",
        "48 2048 5120 16 2 151936 262144",
        head_dim=256,
        full_attention_interval=4,
        partial_rotary_factor=0.25,
        rope_theta=10000000,
        num_experts=512,
        num_experts_per_tok=10,
        moe_intermediate_size=512,
        shared_expert_intermediate_size=512,
        linear_conv_kernel_dim=4,
        linear_key_head_dim=128,
        linear_value_head_dim=128,
        linear_num_key_heads=16,
        linear_num_value_heads=32,
    ),
}


def write_header_only(
    path: Path, name: str, matrices: GgmlType = GgmlType.Q8_0, folder: Path | None = None
) -> Path:
    """The model `name` with its matrices in one type, as a hole of the right size behind a header.

    Matrices whose rows do not fill blocks are left in BF16. `folder` takes a config.json.
    """
    if name in OTHERS:
        metadata, tensors = OTHERS[name]
    else:
        metadata, tensors = _converted(CONFIGS[name], folder or path.parent)
    return _write(path, metadata, tensors, matrices)


def _converted(config: Json, folder: Path) -> tuple[Mapping[str, MetadataValue], Tensors]:
    kind = config["model_type"]
    shapes = _qwen35_shapes(config) if kind == "qwen3_5_text" else SHAPES[kind](config)
    tensors = [_blank(name, shape) for name, shape in shapes.items()]
    family = arch.family_of(checkpoint(folder, config, tensors))
    weights = family.weights()
    return arch.keys_of(family, weights), {weight.name: weight.shape for weight in weights}


def _qwen35_shapes(config: Json) -> dict[str, tuple[int, ...]]:
    shapes = SHAPES["qwen3_5"]({"text_config": config})
    return {
        name.replace("model.language_model.", "model."): shape
        for name, shape in shapes.items()
        if "visual" not in name
    }


def _blank(name: str, shape: tuple[int, ...]) -> Tensor:
    rows = 1
    for n in shape[:-1]:
        rows *= n
    return Tensor(name, shape, GgmlType.BF16, Zeros(rows, shape[-1]), name)


def _write(
    path: Path, metadata: Mapping[str, MetadataValue], tensors: Tensors, matrices: GgmlType
) -> Path:
    layout = lay_out((name, shape, _type(name, shape, matrices)) for name, shape in tensors.items())
    architecture = metadata["general.architecture"]
    assert isinstance(architecture, Typed)
    n_vocab = tensors["token_embd.weight"][1]
    header = header_bytes(
        {
            **{key: value for key, value in metadata.items() if not key.startswith("tokenizer.")},
            f"{architecture.value}.vocab_size": Typed(GgufType.UINT32, n_vocab),
            "tokenizer.ggml.model": Typed(GgufType.STRING, "no_vocab"),
        },
        layout,
    )
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + layout[-1].offset + layout[-1].n_bytes)
    return path


_PLAIN = (
    "norm",
    "ssm_conv1d",
    "shortconv.conv",
    "ffn_gate_inp",
    "ssm_a",
    "ssm_dt",
    "bias",
    "rope_f",
)


def _type(name: str, shape: tuple[int, ...], matrices: GgmlType) -> GgmlType:
    if len(shape) == 1 or any(mark in name for mark in _PLAIN):
        return GgmlType.F32
    return matrices if shape[0] % matrices.block_size == 0 else GgmlType.BF16
