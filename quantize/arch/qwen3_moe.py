"""Qwen 3 with experts: one matrix per expert in the checkpoint, one for all of them in the GGUF.

Source: llama.cpp at 0c1e57098, conversion/qwen.py (Qwen2MoeModel, Qwen3MoeModel); transformers
5.23.0, models/qwen3_moe/configuration_qwen3_moe.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize.arch.base import ATTENTION, HEAD_NORMS, NORMS, Family, Part
from quantize.arch.parameters import Parameters, positive


class Qwen3Moe(Family):
    class_names = ("Qwen3MoeForCausalLM",)
    architecture = "qwen3moe"
    layer = MappingProxyType(
        {
            **NORMS,
            **ATTENTION,
            **HEAD_NORMS,
            "mlp.gate": Part("ffn_gate_inp", "expert embd"),
        }
    )
    experts = MappingProxyType(
        {
            "mlp.experts.gate_proj": Part("ffn_gate_exps", "ff_exp embd"),
            "mlp.experts.up_proj": Part("ffn_up_exps", "ff_exp embd"),
            "mlp.experts.down_proj": Part("ffn_down_exps", "embd ff_exp"),
        }
    )
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 151936,
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "num_hidden_layers": 24,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": False,
            "moe_intermediate_size": 768,
            "num_experts": 128,
            "num_experts_per_tok": 8,
        }
    )

    def dimensions(self) -> dict[str, int]:
        return {
            **super().dimensions(),
            "expert": positive(self.config, "num_local_experts", "num_experts"),
            "ff_exp": positive(self.config, "moe_intermediate_size"),
        }

    def write_parameters(self, out: Parameters) -> None:
        super().write_parameters(out)
        out.count_of("expert_feed_forward_length", self.config, "moe_intermediate_size")
