"""OLMo 2, which norms what leaves each half of a layer instead of what enters it.

Source: llama.cpp at 0c1e57098, conversion/olmo.py (Olmo2Model); transformers 5.23.0,
models/olmo2/configuration_olmo2.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize.arch.base import ATTENTION, FEED_FORWARD, Family, Part


class Olmo2(Family):
    class_names = ("Olmo2ForCausalLM",)
    architecture = "olmo2"
    layer = MappingProxyType(
        {
            **ATTENTION,
            **FEED_FORWARD,
            "post_attention_layernorm": Part("post_attention_norm", "embd"),
            "post_feedforward_layernorm": Part("post_ffw_norm", "embd"),
            "self_attn.q_norm": Part("attn_q_norm", "q"),
            "self_attn.k_norm": Part("attn_k_norm", "kv"),
        }
    )
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 50304,
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
        }
    )
