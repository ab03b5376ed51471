"""Qwen 3.5 and its successors, the model of text, with and without experts.

Where a key serves several heads of values, llama.cpp wants these dealt out, not in groups.

Source: llama.cpp at 0c1e57098, conversion/qwen.py (Qwen3_5TextModel, Qwen3_5MoeTextModel,
_LinearAttentionVReorderBase, _Qwen35MRopeMixin); transformers 5.23.0,
models/qwen3_5/configuration_qwen3_5.py.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from quantize.arch.base import FEED_FORWARD, Part
from quantize.arch.parameters import Parameters, positive
from quantize.arch.qwen3_next import (
    EXPERTS,
    LINEAR_DEFAULTS,
    SHARED,
    SOME_EXPERTS,
    Index,
    Qwen3Next,
)
from quantize.rows import F32Array, Gathered, Mapped, Rows
from quantize.tensors import Tensor

_SECTIONS = "mrope_section"
_DEFAULT_SECTIONS = (11, 11, 10, 0)
_LINEAR = MappingProxyType(
    {
        **SHARED,
        "linear_attn.in_proj_qkv": Part("attn_qkv", "2*k_in+v_in embd"),
        "linear_attn.in_proj_z": Part("attn_gate", "v_in embd"),
        "linear_attn.in_proj_a": Part("ssm_alpha", "v_heads embd"),
        "linear_attn.in_proj_b": Part("ssm_beta", "v_heads embd"),
    }
)


class Qwen35(Qwen3Next):
    class_names = ("Qwen3_5ForConditionalGeneration", "Qwen3_5ForCausalLM")
    architecture = "qwen35"
    layer = MappingProxyType({**_LINEAR, **FEED_FORWARD})
    experts = MappingProxyType({})
    defaults = MappingProxyType(
        {
            **LINEAR_DEFAULTS,
            "vocab_size": 248320,
            "hidden_size": 4096,
            "intermediate_size": 12288,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
        }
    )

    def write_parameters(self, out: Parameters) -> None:
        super().write_parameters(out)
        if self.rope.get(_SECTIONS) is None:
            out.i32s("rope.dimension_sections", _DEFAULT_SECTIONS)

    def change(self, name: str, tensor: Tensor) -> Rows:
        rows = super().change(name, tensor)
        n_k = positive(self.config, "linear_num_key_heads")
        n_v = self.dimension("v_heads")
        if n_k == n_v or ".linear_attn." not in name or name.endswith("linear_attn.norm.weight"):
            return rows
        v_head = self.dimension("v_head")
        if ".in_proj_qkv." in name or ".conv1d." in name:
            return Gathered(rows, _behind(2 * self.dimension("k_in"), dealt_out(n_k, n_v, v_head)))
        if ".in_proj_z." in name:
            return Gathered(rows, dealt_out(n_k, n_v, v_head))
        if ".in_proj_a." in name or ".in_proj_b." in name:
            return Gathered(rows, dealt_out(n_k, n_v, 1))
        width = v_head if ".out_proj." in name else 1
        return Mapped(rows, _Columns(dealt_out(n_k, n_v, width)))


class Qwen35Moe(Qwen35):
    class_names = ("Qwen3_5MoeForConditionalGeneration", "Qwen3_5MoeForCausalLM")
    architecture = "qwen35moe"
    layer = MappingProxyType({**_LINEAR, **SOME_EXPERTS})
    experts = EXPERTS
    defaults = MappingProxyType(
        {
            **LINEAR_DEFAULTS,
            "vocab_size": 248320,
            "hidden_size": 2048,
            "num_hidden_layers": 40,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "num_experts_per_tok": 8,
            "num_experts": 256,
        }
    )


class _Columns:
    """Puts the columns of rows in another order."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __call__(self, values: F32Array) -> F32Array:
        return np.ascontiguousarray(values[:, self._index])


def dealt_out(n_k: int, n_v: int, width: int) -> Index:
    """Where each of `n_v` * `width` rows comes from: one head of each group in turn."""
    index = np.arange(n_v * width, dtype=np.int64).reshape(n_k, n_v // n_k, width)
    return np.ascontiguousarray(index.swapaxes(0, 1)).reshape(-1)


def _behind(n_before: int, index: Index) -> Index:
    """`index` for rows that follow `n_before` others, which stay."""
    return np.concatenate([np.arange(n_before, dtype=np.int64), n_before + index])
