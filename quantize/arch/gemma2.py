"""Gemma 2: norms on both sides of each half of a layer, capped logits, a sliding window.

Source: llama.cpp at 0c1e57098, conversion/gemma.py (Gemma2Model); transformers 5.23.0,
models/gemma2/configuration_gemma2.py.
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch.base import ATTENTION, FEED_FORWARD, Part
from quantize.arch.gemma import Gemma
from quantize.arch.parameters import Parameters
from quantize.tokenizer import VocabStyle

FOUR_NORMS = MappingProxyType(
    {
        "input_layernorm": Part("attn_norm", "embd"),
        "post_attention_layernorm": Part("post_attention_norm", "embd"),
        "pre_feedforward_layernorm": Part("ffn_norm", "embd"),
        "post_feedforward_layernorm": Part("post_ffw_norm", "embd"),
    }
)


class Gemma2(Gemma):
    class_names = ("Gemma2ForCausalLM",)
    architecture = "gemma2"
    vocabulary = VocabStyle.GEMMA2
    layer = MappingProxyType({**FOUR_NORMS, **ATTENTION, **FEED_FORWARD})
    defaults = MappingProxyType(
        {
            **Gemma.defaults,
            "hidden_size": 2304,
            "intermediate_size": 9216,
            "num_hidden_layers": 26,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "sliding_window": 4096,
            "final_logit_softcapping": 30.0,
            "attn_logit_softcapping": 50.0,
        }
    )

    def write_parameters(self, out: Parameters) -> None:
        super().write_parameters(out)
        out.f32("attn_logit_softcapping", self.config.real("attn_logit_softcapping"))
        out.f32("final_logit_softcapping", self.config.real("final_logit_softcapping"))
        out.u32("attention.sliding_window", self.config.number("sliding_window"))
