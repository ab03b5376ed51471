"""Mistral 7B to Mistral Nemo: to llama.cpp a Llama, whose sliding window it does not use.

Source: llama.cpp at 0c1e57098, conversion/llama.py (LlamaModel, MistralForCausalLM); transformers
5.23.0, models/mistral/configuration_mistral.py.
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch.llama import Llama


class Mistral(Llama):
    class_names = ("MistralForCausalLM",)
    defaults = MappingProxyType(
        {
            **Llama.defaults,
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "max_position_embeddings": 4096 * 32,
        }
    )
