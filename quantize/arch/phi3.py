"""Phi 3, 3.5 and 4: fused matrices, and for long contexts two tensors of factors.

Source: llama.cpp at 0c1e57098, conversion/phi.py (Phi3MiniModel); transformers 5.23.0,
models/phi3/configuration_phi3.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize.arch import errors, hparams, parameters
from quantize.arch.base import ATTENTION, FEED_FORWARD, NORMS, Family, Part
from quantize.arch.parameters import Parameters, reals
from quantize.config import Config
from quantize.model import Weight
from quantize.tokenizer import VocabStyle

_ORIGINAL = "original_max_position_embeddings"


class Phi3(Family):
    class_names = ("Phi3ForCausalLM",)
    architecture = "phi3"
    vocabulary = VocabStyle.PHI3
    layer = MappingProxyType(
        {
            **NORMS,
            "self_attn.qkv_proj": Part("attn_qkv", "q+2*kv embd"),
            "self_attn.o_proj": ATTENTION["self_attn.o_proj"],
            "mlp.gate_up_proj": Part("ffn_up", "2*ff embd"),
            "mlp.down_proj": FEED_FORWARD["mlp.down_proj"],
        }
    )
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 32064,
            "hidden_size": 3072,
            "intermediate_size": 8192,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "max_position_embeddings": 4096,
            _ORIGINAL: 4096,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
        }
    )

    def find_rope(self) -> Config:
        rope = super().find_rope()
        if rope.get("rope_type") in ("su", "yarn"):
            return hparams.with_values(rope, {**rope.values, "rope_type": "longrope"})
        return rope

    @property
    def n_rot(self) -> int:
        """How many of a head's dimensions are rotated."""
        if self.rope.get("partial_rotary_factor") is None:
            return self.n_embd // self.n_head
        factor = self.rope.real("partial_rotary_factor")
        if not 0 < factor <= 1:
            raise errors.bad_value(self.config.path, "partial_rotary_factor", factor)
        return int(factor * self.n_embd) // self.n_head

    def write_first(self, out: Parameters) -> None:
        if not self.rope.get("long_factor"):
            return
        kind = self.rope.get("rope_type")
        if kind != "longrope":
            raise errors.unsupported(out.path, f"rope_type {kind}")
        out.f32("rope.scaling.attn_factor", self._attention_factor())

    def _attention_factor(self) -> float:
        original = parameters.positive(self.rope, _ORIGINAL)
        scale = self.config.number("n_positions", "max_position_embeddings") / original
        if scale <= 1.0:
            return 1.0
        if original < 2:
            raise errors.bad_value(self.config.path, _ORIGINAL, original)
        return math.sqrt(1 + math.log(scale) / math.log(original))

    def write_parameters(self, out: Parameters) -> None:
        out.count_of("context_length", self.config, "n_positions", "max_position_embeddings")
        out.u32("rope.scaling.original_context_length", self.rope.number(_ORIGINAL))
        out.u32("embedding_length", self.n_embd)
        out.count_of("feed_forward_length", self.config, "intermediate_size")
        out.u32("block_count", self.n_layer)
        out.u32("attention.head_count", self.n_head)
        out.u32("attention.head_count_kv", self.n_head_kv)
        out.f32("attention.layer_norm_rms_epsilon", self.config.real("rms_norm_eps"))
        out.u32("rope.dimension_count", self.n_rot)
        out.f32("rope.freq_base", self.rope_full.real("rope_theta"))
        # Zero tells Phi 4 from the others.
        has_window = self.config.get("sliding_window") is not None
        out.u32(
            "attention.sliding_window", self.config.number("sliding_window") if has_window else 0
        )

    def extra_weights(self) -> Iterable[Weight]:
        if not self.rope.get("long_factor"):
            return
        for name in ("long_factor", "short_factor"):
            values = reals(self.rope, name)
            if len(values) != self.n_rot // 2:
                raise errors.bad_value(self.config.path, name, f"{len(values)} numbers")
            yield self.held(f"rope_factors_{name.removesuffix('_factor')}.weight", values)
