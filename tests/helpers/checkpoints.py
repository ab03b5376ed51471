"""A small checkpoint of every family, with the same random weights on every machine.

`CASES` say what each is for; `write_case` makes its folder, on purpose without `quantize` and
without torch, so that what the official converter made of it once (tests/goldens/identity.json) can
be compared with what we make of it now. Weights come from the raw stream of a seeded PCG64 by
whole-number arithmetic: neither numpy's releases nor a libm can change a bit.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.helpers import gguf_files, tokenizers
from tests.helpers.checkpoint_shapes import SHAPES
from tests.helpers.safetensors_files import Raw, Value, write_checkpoint

Json = dict[str, Any]
F32Array = npt.NDArray[np.float32]
_CENTRE = 2 * (2**16 - 1)  # the mean of four 16-bit numbers' sum
_SCALE = np.float32(2.0**-20)  # gives a standard deviation of 0.036, as trained weights have


@dataclass(frozen=True)
class Case:
    """A checkpoint. `tokenizer`: a name in `TOKENIZERS`; `why`: what no other case has."""

    config: Json
    tokenizer: str
    why: str
    dtype: str = "BF16"
    n_shards: int = 1
    card: str = ""  # the head of README.md
    generation: Json | None = None

    @property
    def family(self) -> str:
        return str(self.config["model_type"])


def write_case(folder: Path, name: str) -> Path:
    """Makes `folder`/`name`."""
    case = CASES[name]
    target = folder / name
    shapes = SHAPES[case.family](case.config)
    tensors = {n: tensor(f"{name}/{n}", n, shape, case.dtype) for n, shape in shapes.items()}
    write_checkpoint(target, tensors, case.config, case.n_shards)
    TOKENIZERS[case.tokenizer](target)
    (target / "config.json").write_text(json.dumps(case.config), encoding="utf-8")
    if case.card:
        (target / "README.md").write_text(f"---\n{case.card}---\n# A model\n", encoding="utf-8")
    if case.generation is not None:
        (target / "generation_config.json").write_text(json.dumps(case.generation))
    return target


def tensor(seed: str, name: str, shape: tuple[int, ...], dtype: str) -> Value:
    """Random weights; norms are near one; MXFP4's parts are bytes."""
    if name.endswith("_blocks"):
        return _random_bytes(seed, shape)
    if name.endswith("_scales"):
        return (_random_bytes(seed, shape) & 7) + np.uint8(117)
    values = random_values(seed, shape)
    if name.endswith("norm.weight"):
        values += np.float32(1)
    if dtype == "F32":
        return values
    if dtype == "F16":
        return values.astype(np.float16)
    return Raw("BF16", shape, _bf16(values).tobytes())


def random_values(seed: str, shape: tuple[int, ...]) -> F32Array:
    """Nearly normal, exact in float32: sums of four 16-bit numbers times a power of two."""
    sums = _words(seed, math.prod(shape)).view("<u2").reshape(-1, 4).sum(1, dtype=np.int32)
    return ((sums - _CENTRE).astype(np.float32) * _SCALE).reshape(shape)


def _random_bytes(seed: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    n = math.prod(shape)
    return _words(seed, -(-n // 8)).view(np.uint8)[:n].reshape(shape).copy()


def _words(seed: str, n: int) -> npt.NDArray[np.uint64]:
    """`n` random little-endian words. The raw stream is the part that numpy promises to keep."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "little")
    return np.asarray(np.random.PCG64(number).random_raw(n), "<u8")


def _bf16(values: F32Array) -> npt.NDArray[np.uint16]:
    """Rounded to nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


# An importance matrix for a model whose tensors are known


Matrix = dict[str, tuple[F32Array, F32Array]]  # sums (n_mat, n_cols) and counts (n_mat,)


def random_matrix(tensors: Iterable[tuple[str, tuple[int, ...]]]) -> Matrix:
    """For every matrix of a layer, by GGUF name and shape; one expert of each was never used."""
    matrix: Matrix = {}
    for name, shape in tensors:
        if not name.startswith("blk.") or len(shape) < 2 or not name.endswith(".weight"):
            continue
        n_mat = math.prod(shape[2:])
        values = random_values(f"imatrix/{name}", (n_mat, shape[0])) * np.float32(1000)
        counts = np.full(n_mat, 512, np.float32)
        if n_mat > 1:
            values[-1], counts[-1] = 0, 0
        matrix[name] = (values * values, counts)
    return matrix


def importance(matrix: Matrix, name: str) -> F32Array:
    """What llama.cpp's quantize tool hands on: means of squares, and one where nothing was seen."""
    sums, counts = matrix[name]
    rows = [
        row / count if count > 0 else np.ones_like(row)
        for row, count in zip(sums, counts, strict=True)
    ]
    return np.concatenate(rows)


def write_matrix(path: Path, matrix: Matrix) -> Path:
    tensors = []
    for name, (sums, counts) in matrix.items():
        shape = (sums.shape[1], sums.shape[0])
        tensors.append(gguf_files.Tensor(f"{name}.in_sum2", gguf_files.F32, shape, sums.tobytes()))
        tensors.append(
            gguf_files.Tensor(
                f"{name}.counts", gguf_files.F32, (1, sums.shape[0]), counts.tobytes()
            )
        )
    metadata = {
        "general.type": "imatrix",
        "imatrix.datasets": gguf_files.Typed(gguf_files.STRING, ["none"]),
        "imatrix.chunk_count": 1,
        "imatrix.chunk_size": 512,
    }
    return gguf_files.write_gguf(path, metadata, tensors)


# The cases


def _write_phi4(folder: Path) -> None:
    config = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|begin|>", "eos_token": "<|end|>"}
    tokenizers.write(folder, tokenizer_json=tokenizers.byte_level(), tokenizer_config_json=config)


def _write_qwen(folder: Path) -> None:
    """transformers replaces the expression of a Qwen 2 by its own; here they are the same."""
    tokenizer = tokenizers.byte_level()
    splits = tokenizer["pre_tokenizer"]["pretokenizers"]
    splits[0]["pattern"]["Regex"] = splits[0]["pattern"]["Regex"].replace(r"\p{N}{1,3}", r"\p{N}")
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|end|>", "bos_token": None}
    tokenizers.write(folder, tokenizer_json=tokenizer, tokenizer_config_json=config)


TOKENIZERS: dict[str, Callable[[Path], None]] = {
    "qwen": _write_qwen,
    "phi4": _write_phi4,
    **{name: case.write for name, case in tokenizers.CASES.items()},
}
_BPE, _PIECES = 280, 300  # sizes of the tokenizers' vocabularies


def _config(model_type: str, class_name: str, **values: Any) -> Json:
    return {
        "architectures": [class_name],
        "model_type": model_type,
        "hidden_size": 256,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": _BPE,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **values,
    }


def _without(config: Json, *keys: str) -> Json:
    return {key: value for key, value in config.items() if key not in keys}


_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 1024,
}
_CARD = """license: apache-2.0
language:
- en
base_model: some-org/Base-7B
tags:
- chat
pipeline_tag: text-generation
"""

_GEMMA4 = {
    "head_dim": 64,
    "global_head_dim": 128,
    "sliding_window": 512,
    "final_logit_softcapping": 30.0,
    "layer_types": ["sliding_attention", "full_attention"],
    "vocab_size": _PIECES,
    "tie_word_embeddings": True,
    "rope_parameters": {
        "full_attention": {
            "rope_type": "proportional",
            "partial_rotary_factor": 0.25,
            "rope_theta": 1000000.0,
        },
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    },
}
_LINEAR = {
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 32,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
}

CASES: dict[str, Case] = {
    "Llama-3.2-tiny-Instruct": Case(
        _config(
            *("llama", "LlamaForCausalLM"),
            rope_theta=500000.0,
            rope_scaling=_LLAMA3_ROPE,
            intermediate_size=512,
        ),
        "llama3",
        "grouped queries, a head of its own, stretched positions, a model card",
        card=_CARD,
        generation={"temperature": 0.6, "top_p": 0.9},
    ),
    "llama2-tied": Case(
        _config(
            *("llama", "LlamaForCausalLM"),
            hidden_size=288,
            intermediate_size=320,
            num_attention_heads=6,
            num_key_value_heads=6,
            tie_word_embeddings=True,
            vocab_size=_PIECES,
        ),
        "llama",
        "columns that no block of 256 fits, tied embeddings, SentencePiece, halves, two files",
        dtype="F16",
        n_shards=2,
    ),
    "llama-f32": Case(
        _config(
            *("llama", "LlamaForCausalLM"),
            num_hidden_layers=1,
            attention_bias=True,
            vocab_size=_PIECES,
        ),
        "llama_hf",
        "full precision, biases, byte-fallback BPE",
        dtype="F32",
    ),
    "llama-deep": Case(
        _config(
            *("llama", "LlamaForCausalLM"),
            num_hidden_layers=8,
            num_attention_heads=1,
            num_key_value_heads=1,
            head_dim=64,
            tie_word_embeddings=True,
        ),
        "llama3",
        "enough layers for the rule that gives some of them more bits",
    ),
    "Falcon3-tiny": Case(
        _config(
            *("llama", "LlamaForCausalLM"),
            head_dim=128,
            num_hidden_layers=1,
            rope_theta=1000042,
            rms_norm_eps=1e-6,
        ),
        "llama3",
        "Falcon 3: a Llama whose heads are wider than its embeddings",
    ),
    "Mistral-tiny-v0.3": Case(
        _config(
            *("mistral", "MistralForCausalLM"),
            head_dim=32,
            sliding_window=None,
            rope_theta=1000000.0,
            vocab_size=_PIECES,
        ),
        "llama",
        "heads narrower than the embeddings",
        dtype="F16",
    ),
    "mistral-window": Case(
        _config(
            *("mistral", "MistralForCausalLM"),
            num_hidden_layers=1,
            sliding_window=1024,
            intermediate_size=288,
        ),
        "llama3",
        "a sliding window, rows of 288 in one matrix",
    ),
    "Qwen2.5-tiny-Instruct": Case(
        _config(
            *("qwen2", "Qwen2ForCausalLM"),
            hidden_size=288,
            num_attention_heads=4,
            tie_word_embeddings=True,
            rope_theta=1000000.0,
            sliding_window=32768,
            use_sliding_window=False,
        ),
        "qwen",
        "biases on queries, keys and values; rows of 288; tied",
    ),
    "qwen2-untied": Case(
        _config(*("qwen2", "Qwen2ForCausalLM"), num_hidden_layers=1, vocab_size=_PIECES),
        "qwen2_pieces",
        "a head of its own, SentencePiece",
        dtype="F16",
    ),
    "Qwen3-tiny": Case(
        _config(
            *("qwen3", "Qwen3ForCausalLM"),
            head_dim=128,
            num_attention_heads=3,
            num_key_value_heads=1,
            tie_word_embeddings=True,
            rope_theta=1000000,
        ),
        "qwen3",
        "norms on heads, wide heads, tied",
    ),
    "qwen3-untied": Case(
        _config(*("qwen3", "Qwen3ForCausalLM"), head_dim=72, num_hidden_layers=1),
        "qwen3",
        "rows of 288 in one matrix alone, a head of its own",
    ),
    "gemma-tiny": Case(
        _config(
            *("gemma", "GemmaForCausalLM"),
            head_dim=64,
            num_key_value_heads=1,
            tie_word_embeddings=True,
            vocab_size=_PIECES,
        ),
        "gemma",
        "norms plus one, one head of keys",
    ),
    "gemma-2-tiny-it": Case(
        _config(
            *("gemma2", "Gemma2ForCausalLM"),
            hidden_size=288,
            head_dim=64,
            tie_word_embeddings=True,
            sliding_window=512,
            query_pre_attn_scalar=64,
            vocab_size=_PIECES,
        ),
        "gemma2",
        "four norms, a sliding window, rows of 288",
    ),
    "gemma-3-tiny-it": Case(
        _config(
            *("gemma3_text", "Gemma3ForCausalLM"),
            head_dim=64,
            tie_word_embeddings=True,
            sliding_window=512,
            rope_theta=1000000,
            rope_local_base_freq=10000,
            query_pre_attn_scalar=64,
            vocab_size=_PIECES,
        ),
        "gemma3",
        "two bases of frequencies, SentencePiece",
    ),
    "gemma-3-tiny-vision": Case(
        {
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "text_config": _config(
                *("gemma3_text", "Gemma3ForCausalLM"),
                num_hidden_layers=1,
                head_dim=64,
                sliding_window=1024,
                tie_word_embeddings=True,
                rope_scaling={"factor": 8.0, "rope_type": "linear"},
                vocab_size=320,
            ),
            "vision_config": {"model_type": "siglip_vision_model"},
        },
        "gemma3_bpe",
        "the text half of a model that sees, more rows than tokens, BPE",
    ),
    "Phi-3-tiny-instruct": Case(
        _config(
            *("phi3", "Phi3ForCausalLM"),
            num_hidden_layers=1,
            original_max_position_embeddings=4096,
            sliding_window=2047,
            pad_token_id=0,
            num_key_value_heads=4,
            vocab_size=_PIECES,
        ),
        "phi3",
        "fused matrices",
    ),
    "phi-4-tiny": Case(
        _config(
            *("phi3", "Phi3ForCausalLM"),
            hidden_size=384,
            num_hidden_layers=1,
            max_position_embeddings=131072,
            original_max_position_embeddings=4096,
            sliding_window=None,
            pad_token_id=0,
            partial_rotary_factor=0.75,
            rope_scaling={
                "type": "longrope",
                "long_factor": [1 + i / 8 for i in range(36)],
                "short_factor": [1.0] * 36,
            },
            tie_word_embeddings=True,
        ),
        "phi4",
        "two tables of factors, tied, BPE",
    ),
    "SmolLM3-tiny": Case(
        _config(
            *("smollm3", "SmolLM3ForCausalLM"),
            num_hidden_layers=4,
            tie_word_embeddings=True,
            rope_theta=5000000.0,
            no_rope_layers=[1, 1, 1, 0],
            pad_token_id=0,
            num_attention_heads=1,
            num_key_value_heads=1,
            head_dim=64,
        ),
        "llama3",
        "layers without positions",
    ),
    "granite-3.3-tiny-instruct": Case(
        _config(
            *("granite", "GraniteForCausalLM"),
            num_hidden_layers=1,
            hidden_size=288,
            attention_multiplier=0.015625,
            embedding_multiplier=12.0,
            residual_multiplier=0.22,
            logits_scaling=8.0,
            tie_word_embeddings=True,
            rope_theta=10000000.0,
        ),
        "llama3",
        "four factors",
    ),
    "OLMo-2-tiny": Case(
        _config(*("olmo2", "Olmo2ForCausalLM"), rope_theta=500000, pad_token_id=1),
        "olmo2",
        "norms after each half, norms over all heads",
    ),
    "Qwen3-tiny-A1": Case(
        _config(
            *("qwen3_moe", "Qwen3MoeForCausalLM"),
            head_dim=64,
            num_experts=3,
            num_experts_per_tok=2,
            moe_intermediate_size=256,
            decoder_sparse_step=1,
            mlp_only_layers=[],
            norm_topk_prob=True,
            rope_theta=1000000.0,
        ),
        "qwen3",
        "experts, stacked",
    ),
    "qwen3-moe-288": Case(
        _config(
            *("qwen3_moe", "Qwen3MoeForCausalLM"),
            hidden_size=288,
            head_dim=64,
            num_experts=3,
            num_experts_per_tok=2,
            moe_intermediate_size=96,
            tie_word_embeddings=True,
            num_hidden_layers=1,
        ),
        "qwen3",
        "experts of rows that no block of 256 fits",
        dtype="F16",
    ),
    "Mixtral-8x1-tiny": Case(
        _config(
            *("mixtral", "MixtralForCausalLM"),
            num_hidden_layers=1,
            num_local_experts=8,
            num_experts_per_tok=2,
            intermediate_size=64,
            rope_theta=1000000.0,
            vocab_size=_PIECES,
        ),
        "llama",
        "eight experts, which some rules ask for; reordered heads",
    ),
    "gpt-oss-tiny": Case(
        _config(
            *("gpt_oss", "GptOssForCausalLM"),
            hidden_size=288,
            intermediate_size=288,
            head_dim=64,
            num_local_experts=2,
            num_experts_per_tok=1,
            sliding_window=128,
            rope_theta=150000,
            rope_scaling={
                "rope_type": "yarn",
                "factor": 32.0,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "truncate": False,
                "original_max_position_embeddings": 4096,
            },
            layer_types=["sliding_attention", "full_attention"],
            quantization_config={
                "quant_method": "mxfp4",
                "modules_to_not_convert": ["model.layers.*.self_attn"],
            },
        ),
        "qwen3",
        "experts in MXFP4, copied",
    ),
    "gpt-oss-bf16": Case(
        _config(
            *("gpt_oss", "GptOssForCausalLM"),
            head_dim=64,
            intermediate_size=256,
            num_local_experts=2,
            num_experts_per_tok=1,
            num_hidden_layers=1,
            sliding_window=128,
            layer_types=["sliding_attention"],
        ),
        "qwen3",
        "experts in 16 bits, transposed",
    ),
    "LFM2-tiny": Case(
        _without(
            _config(
                *("lfm2", "Lfm2ForCausalLM"),
                num_hidden_layers=3,
                norm_eps=1e-5,
                conv_L_cache=3,
                conv_bias=False,
                block_ff_dim=384,
                block_auto_adjust_ff_dim=True,
                block_ffn_dim_multiplier=1.0,
                block_multiple_of=256,
                full_attn_idxs=[2],
                rope_theta=1000000.0,
                tie_embedding=True,
            ),
            *("rms_norm_eps", "intermediate_size", "tie_word_embeddings"),
        ),
        "qwen3",
        "short convolutions, older names",
    ),
    "GLM-4-tiny": Case(
        _config(
            *("glm4", "Glm4ForCausalLM"),
            head_dim=64,
            partial_rotary_factor=0.5,
            attention_bias=False,
        ),
        "glm4",
        "fused gate, half of each head rotated",
    ),
    "EXAONE-4.0-tiny": Case(
        _config(
            *("exaone4", "Exaone4ForCausalLM"),
            num_hidden_layers=4,
            num_attention_heads=1,
            num_key_value_heads=1,
            head_dim=64,
            sliding_window=512,
            sliding_window_pattern="LLLG",
            layer_types=[*["sliding_attention"] * 3, "full_attention"],
            rope_theta=1000000,
            rope_scaling={**_LLAMA3_ROPE, "factor": 16.0},
        ),
        "qwen3",
        "norms after each half, a window in three layers of four",
    ),
    "c4ai-command-tiny": Case(
        _without(
            _config(
                *("cohere2", "Cohere2ForCausalLM"),
                layer_norm_eps=1e-5,
                logit_scale=0.25,
                sliding_window=512,
                rope_theta=50000.0,
                rotary_pct=1.0,
                attention_bias=False,
            ),
            *("rms_norm_eps", "tie_word_embeddings"),
        ),
        "qwen3",
        "one norm for both halves",
    ),
    "Qwen3.5-tiny": Case(
        {
            "architectures": ["Qwen3_5ForConditionalGeneration"],
            "model_type": "qwen3_5",
            "tie_word_embeddings": True,
            "text_config": _config(
                *("qwen3_5_text", "Qwen3_5ForCausalLM"),
                **_LINEAR,
                head_dim=64,
                tie_word_embeddings=True,
                layer_types=["linear_attention", "full_attention"],
                mtp_num_hidden_layers=1,
                rope_parameters={
                    "rope_type": "default",
                    "rope_theta": 10000000,
                    "partial_rotary_factor": 0.25,
                    "mrope_interleaved": True,
                    "mrope_section": [3, 3, 2],
                },
            ),
            "vision_config": {"model_type": "qwen3_5"},
        },
        "qwen",
        "linear attention, values dealt out, a layer that guesses further, eyes",
    ),
    "Qwen3.5-tiny-A1": Case(
        _without(
            _config(
                *("qwen3_5_moe_text", "Qwen3_5MoeForCausalLM"),
                **_LINEAR,
                head_dim=64,
                num_hidden_layers=2,
                layer_types=["linear_attention", "full_attention"],
                num_experts=2,
                num_experts_per_tok=1,
                moe_intermediate_size=64,
                shared_expert_intermediate_size=64,
                mtp_num_hidden_layers=1,
                rope_parameters={
                    "rope_type": "default",
                    "rope_theta": 10000000,
                    "partial_rotary_factor": 0.25,
                },
            ),
            "intermediate_size",
        ),
        "qwen",
        "experts that are stacked in the checkpoint",
        dtype="F16",
    ),
    "Qwen3-Next-tiny-A1-Instruct": Case(
        _config(
            *("qwen3_next", "Qwen3NextForCausalLM"),
            **_LINEAR,
            head_dim=64,
            full_attention_interval=4,
            num_hidden_layers=4,
            partial_rotary_factor=0.25,
            rope_theta=10000000,
            num_experts=2,
            num_experts_per_tok=1,
            moe_intermediate_size=64,
            shared_expert_intermediate_size=64,
        ),
        "qwen",
        "queries, keys, values and gates in one matrix, by head",
    ),
    "gemma-4-tiny-E1B-it": Case(
        {
            "architectures": ["Gemma4ForConditionalGeneration"],
            "model_type": "gemma4",
            "text_config": _config(
                *("gemma4_text", "Gemma4ForCausalLM"),
                **{**_GEMMA4, "layer_types": _GEMMA4["layer_types"] * 2},
                num_hidden_layers=4,
                num_attention_heads=2,
                num_key_value_heads=1,
                hidden_size_per_layer_input=32,
                vocab_size_per_layer_input=_PIECES,
                num_kv_shared_layers=2,
                use_double_wide_mlp=True,
            ),
            "vision_config": {"model_type": "gemma4_vision"},
        },
        "gemma4",
        "embeddings for each layer, layers that borrow keys and values, two widths of heads, eyes",
    ),
    "gemma-4-tiny-A1": Case(
        _config(
            *("gemma4_text", "Gemma4ForCausalLM"),
            **_GEMMA4,
            num_attention_heads=2,
            attention_k_eq_v=True,
            num_global_key_value_heads=1,
            hidden_size_per_layer_input=0,
            enable_moe_block=True,
            num_experts=2,
            top_k_experts=1,
            moe_intermediate_size=64,
        ),
        "gemma4",
        "experts beside a dense half, keys that are values too",
    ),
}
