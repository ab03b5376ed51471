"""SmolLM3: a Llama, some of whose layers know no positions; llama.cpp knows which.

Source: llama.cpp at 0c1e57098, conversion/llama.py (SmolLM3Model); transformers 5.23.0,
models/smollm3/configuration_smollm3.py.
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch.llama import Llama


class SmolLM3(Llama):
    class_names = ("SmolLM3ForCausalLM",)
    architecture = "smollm3"
    default_theta = 2000000.0
    derives_head_dim = False
    defaults = MappingProxyType(
        {
            "vocab_size": 128256,
            "hidden_size": 2048,
            "intermediate_size": 11008,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": True,
        }
    )
