"""Gemma 1. Norms are stored as what they add to one, so one is added here.

Source: llama.cpp at 0c1e57098, conversion/gemma.py (GemmaModel); transformers 5.23.0,
models/gemma/configuration_gemma.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize.arch import errors, parameters
from quantize.arch.base import Family, plus_one
from quantize.arch.parameters import Parameters
from quantize.rows import Rows
from quantize.tensors import Tensor
from quantize.tokenizer import VocabStyle


class Gemma(Family):
    class_names: ClassVar[tuple[str, ...]] = ("GemmaForCausalLM",)
    architecture = "gemma"
    vocabulary = VocabStyle.GEMMA
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 256000,
            "hidden_size": 3072,
            "intermediate_size": 24576,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "head_dim": 256,
            "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": True,
        }
    )

    def write_parameters(self, out: Parameters) -> None:
        if not self.is_tied:  # llama.cpp would take the embeddings all the same
            raise errors.unsupported(out.path, "tie_word_embeddings false")
        out.count_of("context_length", self.config, "max_position_embeddings")
        out.u32("embedding_length", self.n_embd)
        out.u32("block_count", self.n_layer)
        out.count_of("feed_forward_length", self.config, *parameters.FEED_FORWARD)
        out.u32("attention.head_count", self.n_head)
        out.u32("attention.head_count_kv", self.n_head_kv)
        out.real_of("attention.layer_norm_rms_epsilon", self.config, "rms_norm_eps")
        out.u32("attention.key_length", self.head_dim)
        out.u32("attention.value_length", self.head_dim)

    @property
    def needs_output(self) -> bool:
        return False

    def plain_name(self, name: str) -> str | None:
        return None if name == "lm_head.weight" else super().plain_name(name)

    def change(self, name: str, tensor: Tensor) -> Rows:
        return plus_one(tensor) if name.endswith("norm.weight") else tensor.rows
