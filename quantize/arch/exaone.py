"""EXAONE 3 and 3.5, which transformers does not know: config.json is all there is.

Source: llama.cpp at 0c1e57098, conversion/exaone.py (ExaoneModel).
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch import errors
from quantize.arch.base import Part
from quantize.arch.llama import Llama
from quantize.arch.parameters import Parameters, write_standard
from quantize.tokenizer import VocabStyle

_FACTOR = "partial_rotary_factor"


class Exaone(Llama):
    class_names = ("ExaoneForCausalLM",)
    architecture = "exaone"
    vocabulary = VocabStyle.GPT2
    default_theta = None
    derives_head_dim = False
    permutes = False
    defaults = MappingProxyType({})
    top = MappingProxyType(
        {
            "transformer.wte": Part("token_embd", "vocab embd"),
            "transformer.ln_f": Part("output_norm", "embd"),
        }
    )
    layer = MappingProxyType(
        {
            "ln_1": Part("attn_norm", "embd"),
            "ln_2": Part("ffn_norm", "embd"),
            "attn.attention.q_proj": Part("attn_q", "q embd"),
            "attn.attention.k_proj": Part("attn_k", "kv embd"),
            "attn.attention.v_proj": Part("attn_v", "kv embd"),
            "attn.attention.out_proj": Part("attn_output", "embd q"),
            "mlp.c_fc_0": Part("ffn_gate", "ff embd"),
            "mlp.c_fc_1": Part("ffn_up", "ff embd"),
            "mlp.c_proj": Part("ffn_down", "embd ff"),
        }
    )

    def plain_name(self, name: str) -> str | None:
        plain = super().plain_name(name)
        return plain.replace("transformer.h.", "model.layers.", 1) if plain else None

    def write_parameters(self, out: Parameters) -> None:
        if self.config.text("activation_function") != "silu":
            raise errors.unsupported(out.path, self.config.text("activation_function"))
        write_standard(out, self.config, self.rope, self.n_layer)
        factor = 1.0 if self.rope.get(_FACTOR) is None else self.rope.real(_FACTOR)
        if not 0 < factor <= 1:
            raise errors.bad_value(out.path, _FACTOR, factor)
        out.u32("rope.dimension_count", int(factor * (self.n_embd // self.n_head)))
