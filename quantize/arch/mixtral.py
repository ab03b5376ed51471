"""Mixtral: a Llama whose feed-forward part is a choice of experts.

Source: llama.cpp at 0c1e57098, conversion/llama.py (LlamaModel); transformers 5.23.0,
models/mixtral/configuration_mixtral.py.
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch.base import ATTENTION, NORMS, Part
from quantize.arch.llama import Llama
from quantize.arch.parameters import positive


class Mixtral(Llama):
    class_names = ("MixtralForCausalLM",)
    default_theta = 1e6
    derives_head_dim = False
    layer = MappingProxyType(
        {
            **NORMS,
            **ATTENTION,
            "block_sparse_moe.gate": Part("ffn_gate_inp", "expert embd"),
        }
    )
    experts = MappingProxyType(
        {
            "block_sparse_moe.experts.w1": Part("ffn_gate_exps", "ff embd"),
            "block_sparse_moe.experts.w2": Part("ffn_down_exps", "embd ff"),
            "block_sparse_moe.experts.w3": Part("ffn_up_exps", "ff embd"),
        }
    )
    defaults = MappingProxyType(
        {
            **Llama.defaults,
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "max_position_embeddings": 4096 * 32,
            "rms_norm_eps": 1e-5,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
        }
    )

    def dimensions(self) -> dict[str, int]:
        return {**super().dimensions(), "expert": positive(self.config, "num_local_experts")}
