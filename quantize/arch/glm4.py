"""GLM 4 of 2025: norms on both sides of each half of a layer, part of each head rotated.

Source: llama.cpp at 0c1e57098, conversion/glm.py (Glm4Model); transformers 5.23.0,
models/glm4/configuration_glm4.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize.arch import errors
from quantize.arch.base import ATTENTION, FEED_FORWARD, Family, Part
from quantize.arch.parameters import Parameters
from quantize.tokenizer import VocabStyle

_FACTOR = "partial_rotary_factor"


class Glm4(Family):
    class_names = ("Glm4ForCausalLM",)
    architecture = "glm4"
    vocabulary = VocabStyle.GLM4
    layer = MappingProxyType(
        {
            "input_layernorm": Part("attn_norm", "embd"),
            "post_self_attn_layernorm": Part("post_attention_norm", "embd"),
            "post_attention_layernorm": Part("ffn_norm", "embd"),
            "post_mlp_layernorm": Part("post_ffw_norm", "embd"),
            **ATTENTION,
            "mlp.gate_up_proj": Part("ffn_up", "2*ff embd"),
            "mlp.down_proj": FEED_FORWARD["mlp.down_proj"],
        }
    )
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 151552,
            "hidden_size": 4096,
            "intermediate_size": 13696,
            "num_hidden_layers": 40,
            "num_attention_heads": 32,
            "num_key_value_heads": 2,
            "head_dim": 128,
            "max_position_embeddings": 131072,
            "rms_norm_eps": 1.5625e-07,
            "tie_word_embeddings": False,
            "attention_bias": True,
            _FACTOR: 0.5,
        }
    )

    def write_parameters(self, out: Parameters) -> None:
        if self.rope.get("mrope_section") is not None:
            raise errors.unsupported(out.path, "mrope_section")
        super().write_parameters(out)
        factor = self.rope.real(_FACTOR)
        if not 0 < factor <= 1:
            raise errors.bad_value(out.path, _FACTOR, factor)
        out.u32("rope.dimension_count", int(self.head_dim * factor))

    def needs_bias(self, module: str) -> bool:
        return module != "self_attn.o_proj" and super().needs_bias(module)
