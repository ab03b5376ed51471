"""Command R7B and its kin: one norm for both halves of a layer, a sliding window.

Source: llama.cpp at 0c1e57098, conversion/command_r.py (Cohere2Model); transformers 5.23.0,
models/cohere2/configuration_cohere2.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize.arch import errors, hparams, parameters
from quantize.arch.base import ATTENTION, FEED_FORWARD, Family, Part
from quantize.arch.parameters import Parameters, positive
from quantize.config import Config
from quantize.model import Weight
from quantize.tensors import Tensor

_FACTOR = "rotary_pct"


class Cohere2(Family):
    class_names = ("Cohere2ForCausalLM",)
    architecture = "cohere2"
    layer = MappingProxyType(
        {"input_layernorm": Part("attn_norm", "embd"), **ATTENTION, **FEED_FORWARD}
    )
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 256000,
            "hidden_size": 8192,
            "intermediate_size": 22528,
            "num_hidden_layers": 40,
            "num_attention_heads": 64,
            "max_position_embeddings": 8192,
            "layer_norm_eps": 1e-5,
            "logit_scale": 0.0625,
            "sliding_window": 4096,
            "tie_word_embeddings": True,
            _FACTOR: 1.0,
        }
    )

    def complete(self, config: Config) -> Config:
        """transformers computes `head_dim`, whatever config.json says."""
        values = dict(super().complete(config).values)
        n_head = positive(config, *parameters.HEADS)
        values["head_dim"] = positive(config, *parameters.EMBEDDING) // n_head
        return hparams.with_values(config, values)

    def write_parameters(self, out: Parameters) -> None:
        super().write_parameters(out)
        out.f32("logit_scale", self.config.real("logit_scale"))
        out.u32("attention.sliding_window", self.config.number("sliding_window"))
        out.u32("vocab_size", self.config.number("vocab_size"))
        factor = self.config.real(_FACTOR)
        if not 0 < factor <= 1:
            raise errors.bad_value(out.path, _FACTOR, factor)
        out.u32("rope.dimension_count", int(factor * self.head_dim))
        out.text("rope.scaling.type", "none")

    @property
    def needs_output(self) -> bool:
        return False

    def needs_bias(self, module: str) -> bool:
        del module
        return False

    def convert(self, name: str, tensor: Tensor) -> Iterable[Weight]:
        """Biases are not known to llama.cpp; published ones are zero."""
        if name == "lm_head.weight":
            raise errors.unsupported(self.config.path, "an output matrix of its own")
        if not name.endswith(".bias"):
            yield from super().convert(name, tensor)
        elif tensor.rows.read(0, tensor.rows.n_rows).any():
            raise errors.unsupported(self.config.path, f"{tensor.name}, which is not zero")
