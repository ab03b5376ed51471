"""The numbers that families change, against independent formulas."""

from __future__ import annotations

import struct
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from quantize import arch
from quantize.arch import rounding
from quantize.arch.base import DENSE, Family, Part
from quantize.config import Config
from quantize.model import Weight
from quantize.rows import F32Array
from quantize.tensors import Tensor
from quantize.types import GgmlType
from tests.helpers import fake_checkpoint
from tests.helpers.fake_checkpoint import LLAMA, llama_tensors, tensor


def weights(folder: Path, config: dict[str, Any], tensors: list[Tensor]) -> dict[str, Weight]:
    source_type = tensors[0].type.name
    made = arch.family_of(fake_checkpoint.checkpoint(folder, config, tensors, source_type))
    return {weight.name: weight for weight in made.weights()}


def read(weight: Weight, step: int = 100) -> F32Array:
    n_rows = weight.rows.n_rows
    parts = [weight.rows.read(i, min(n_rows, i + step)) for i in range(0, n_rows, step)]
    return np.concatenate(parts)


def replaced(tensors: list[Tensor], *others: Tensor) -> list[Tensor]:
    return list({tensor.name: tensor for tensor in [*tensors, *others]}.values())


def rotary_pairs(values: F32Array, n_head: int) -> F32Array:
    """Pairs (x, y) to rotate: Hugging Face has all x of a head before all y, ggml x next to y."""
    heads = np.split(values, n_head)
    pairs = [np.stack(np.split(head, 2), axis=1) for head in heads]  # (half, 2, ...)
    return np.concatenate([pair.reshape(-1, *values.shape[1:]) for pair in pairs])


@pytest.mark.parametrize("step", [1, 3, 100])
def test_queries_and_keys_are_interleaved(tmp_path: Path, step: int) -> None:
    rng = np.random.default_rng(0)
    query, key = (rng.integers(-99, 99, (n, 8)).astype(np.float32) for n in (8, 4))
    made = weights(
        tmp_path,
        LLAMA,
        replaced(
            llama_tensors(),
            tensor("model.layers.1.self_attn.q_proj.weight", query),
            tensor("model.layers.1.self_attn.k_proj.weight", key),
        ),
    )
    np.testing.assert_array_equal(read(made["blk.1.attn_q.weight"], step), rotary_pairs(query, 2))
    np.testing.assert_array_equal(read(made["blk.1.attn_k.weight"], step), rotary_pairs(key, 1))


def test_their_biases_are_interleaved_too(tmp_path: Path) -> None:
    biases = [
        tensor(f"model.layers.{i}.self_attn.{name}_proj.bias", np.arange(n))
        for i in range(2)
        for name, n in {"q": 8, "k": 4, "v": 4, "o": 8}.items()
    ]
    made = weights(tmp_path, {**LLAMA, "attention_bias": True}, [*llama_tensors(), *biases])
    expected = rotary_pairs(np.arange(8, dtype=np.float32), 2)
    np.testing.assert_array_equal(read(made["blk.0.attn_q.bias"])[0], expected)
    np.testing.assert_array_equal(read(made["blk.0.attn_v.bias"])[0], np.arange(4))
    assert made["blk.0.attn_q.bias"].type == GgmlType.F32
    assert made["blk.0.attn_q.bias"].shape == (8,)


def test_qwen_leaves_heads_as_they_are(tmp_path: Path) -> None:
    config = {**LLAMA, "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "head_dim": 4}
    norms = [
        tensor(f"model.layers.{i}.self_attn.{name}_norm.weight", np.ones(4))
        for i in range(2)
        for name in "qk"
    ]
    made = weights(tmp_path, config, [*llama_tensors(), *norms])
    expected = (np.arange(64, dtype=np.float32) % 128).reshape(8, 8)
    np.testing.assert_array_equal(read(made["blk.0.attn_q.weight"]), expected)


def gemma(dtype: str, norm: list[float]) -> tuple[dict[str, Any], list[Tensor]]:
    config = {**LLAMA, "model_type": "gemma", "architectures": ["GemmaForCausalLM"]}
    config |= {"head_dim": 4, "tie_word_embeddings": True}
    tensors = [t for t in llama_tensors(dtype) if t.name != "lm_head.weight"]
    return config, replaced(tensors, tensor("model.norm.weight", norm, dtype))


def test_gemma_adds_one_in_float32(tmp_path: Path) -> None:
    made = weights(tmp_path, *gemma("BF16", [1 / 256, 2.0, -1, 0, 0, 0, 0, 0]))
    assert list(read(made["output_norm.weight"])[0][:3]) == [1 + 1 / 256, 3, 0]


def test_gemma_adds_one_to_halves_in_halves(tmp_path: Path) -> None:
    # 1 + 2^-12 is no half: to even is 1; 2047 + 1 is one, 2049 + 1 is 2050.
    norm = [2.0**-12, 2047, 2.0**-10, 3 * 2.0**-11, 0, 0, 0, 0]
    made = weights(tmp_path, *gemma("F16", norm))
    assert made["output_norm.weight"].type == GgmlType.F32
    got = list(read(made["output_norm.weight"])[0][:4])
    assert got == [1, 2048, 1 + 2.0**-10, 1 + 2 * 2.0**-10]


# Llama-3.2-1B's factors as torch computes them.
LLAMA_3_2 = [*[1.0] * 15, 1.6513292789459229, 3.2922627925872803, 9.666730880737305, *[32.0] * 14]
ROPE_3_2 = {
    "factor": 32.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}


def test_stretched_positions_become_factors(tmp_path: Path) -> None:
    config = {**LLAMA, "rope_theta": 500000.0, "rope_scaling": ROPE_3_2}
    made = weights(tmp_path, config, llama_tensors())
    assert made["rope_freqs.weight"].shape == (2,)
    rope = Config(tmp_path, {**ROPE_3_2, "rope_theta": 500000.0}, {})
    assert arch.llama.llama3_factors(rope, 64) == LLAMA_3_2


def test_phi_keeps_its_factors(tmp_path: Path) -> None:
    long, short = [1.5, 2.25], [1.0, 1.125]
    config = {
        **LLAMA,
        "model_type": "phi3",
        "architectures": ["Phi3ForCausalLM"],
        "max_position_embeddings": 131072,
        "original_max_position_embeddings": 4096,
        "rope_scaling": {"type": "longrope", "long_factor": long, "short_factor": short},
    }
    layers = {
        "input_layernorm": "8",
        "post_attention_layernorm": "8",
        "self_attn.qkv_proj": "16x8",
        "self_attn.o_proj": "8x8",
        "mlp.gate_up_proj": "24x8",
        "mlp.down_proj": "8x12",
    }
    lines = [f"model.layers.{i}.{m}.weight BF16 {s}" for i in range(2) for m, s in layers.items()]
    tensors = [t for t in llama_tensors() if "layers" not in t.name]
    made = weights(tmp_path, config, [*tensors, *map(fake_checkpoint.blank, lines)])
    assert read(made["rope_factors_long.weight"])[0].tolist() == long
    assert read(made["rope_factors_short.weight"])[0].tolist() == short


# Types


def test_all_matrices_get_one_type(tmp_path: Path) -> None:
    odd = tensor("model.layers.0.mlp.up_proj.weight", np.full((12, 8), 1 + 2.0**-9), "F32")
    made = weights(tmp_path, LLAMA, replaced(llama_tensors(), odd))
    assert made["blk.0.ffn_up.weight"].type == GgmlType.BF16
    assert set(read(made["blk.0.ffn_up.weight"]).flat) == {1.0}  # a tie, to even


@pytest.mark.parametrize(
    ("source_type", "kept", "expected"),
    [
        ("F32", "F32", GgmlType.F32),
        ("GPTQ", "F16", GgmlType.F16),
        ("F8_E4M3", "BF16", GgmlType.BF16),
        ("GPTQ", "F32", GgmlType.F16),
    ],
)
def test_unpacked_weights_get_the_type_of_the_others(
    tmp_path: Path, source_type: str, kept: str, expected: GgmlType
) -> None:
    tensors = [t for t in llama_tensors("F32") if "layers" in t.name]
    tensors += [t for t in llama_tensors(kept) if "layers" not in t.name]
    packed = fake_checkpoint.checkpoint(tmp_path, LLAMA, tensors, source_type)
    made = {weight.name: weight for weight in arch.family_of(packed).weights()}
    assert made["blk.0.ffn_up.weight"].type == expected
    assert made["token_embd.weight"].type == expected
    assert made["blk.0.attn_norm.weight"].type == GgmlType.F32


def test_brain_floats_are_rounded_to_the_nearest() -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**32, 20000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    got = rounding.to_bf16(values)
    assert not np.any(got.view(np.uint32) & 0xFFFF)
    for value, found in zip(values[:2000], got, strict=False):
        (raw,) = struct.unpack("<I", struct.pack("<f", value))
        below, above = raw & 0xFFFF0000, (raw & 0xFFFF0000) + 0x10000
        odd_below = bool(below & 0x10000)
        up = raw - below > above - raw or (raw - below == above - raw and odd_below)
        assert int(found.view(np.uint32)) == (above if up else below)


def test_rounding_keeps_what_is_no_number() -> None:
    special = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    for function in (rounding.to_bf16, rounding.to_f16):
        got = function(special)
        assert np.isnan(got[0])
        assert list(got[1:3]) == [np.inf, -np.inf]
        assert np.signbit(got[3])
    assert rounding.to_f16(np.array([70000.0], np.float32))[0] == np.inf


# Experts


_NOT_DENSE = {name: part for name, part in DENSE.items() if not name.startswith("mlp.")}


class Mixture(Family):
    architecture = "mixture"
    layer = MappingProxyType({**_NOT_DENSE, "mlp.gate": Part("ffn_gate_inp", "expert embd")})
    experts = MappingProxyType({"mlp.experts.up_proj": Part("ffn_up_exps", "ff embd")})

    def dimensions(self) -> dict[str, int]:
        return {**super().dimensions(), "expert": 3}


def mixture(folder: Path, *left_out: str) -> Mixture:
    tensors = [t for t in llama_tensors() if ".mlp." not in t.name]
    for i in range(2):
        prefix = f"model.layers.{i}.mlp"
        tensors.append(fake_checkpoint.blank(f"{prefix}.gate.weight BF16 3x8"))
        tensors += [
            tensor(f"{prefix}.experts.{x}.up_proj.weight", np.full((12, 8), x)) for x in (2, 0, 1)
        ]
    kept = [t for t in tensors if t.name not in left_out]
    return Mixture(fake_checkpoint.checkpoint(folder, LLAMA, kept))


def test_experts_are_stacked_in_order(tmp_path: Path) -> None:
    made = {weight.name: weight for weight in mixture(tmp_path).weights()}
    stack = made["blk.1.ffn_up_exps.weight"]
    assert stack.shape == (8, 12, 3)
    assert stack.type == GgmlType.BF16
    np.testing.assert_array_equal(read(stack, 5)[:, 0], np.repeat([0, 1, 2], 12))
    assert made["blk.0.ffn_gate_inp.weight"].type == GgmlType.F32


def test_a_missing_expert_is_named(tmp_path: Path) -> None:
    name = "model.layers.1.mlp.experts.2.up_proj.weight"
    with pytest.raises(arch.errors.CheckpointError, match=name):
        mixture(tmp_path, name).weights()
