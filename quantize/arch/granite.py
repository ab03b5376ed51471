"""Granite 3: a Llama with four factors of its own.

Source: llama.cpp at 0c1e57098, conversion/granite.py (GraniteModel); transformers 5.23.0,
models/granite/configuration_granite.py.
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch import hparams
from quantize.arch.llama import Llama
from quantize.arch.parameters import Parameters
from quantize.config import Config

_SCALES = {
    "attention.scale": "attention_multiplier",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}


class Granite(Llama):
    class_names = ("GraniteForCausalLM",)
    architecture = "granite"
    derives_head_dim = False
    defaults = MappingProxyType({**Llama.defaults, **dict.fromkeys(_SCALES.values(), 1.0)})

    def complete(self, config: Config) -> Config:
        """A `head_dim` in config.json is ignored, as llama.cpp does."""
        values = super().complete(config).values
        return hparams.with_values(config, {k: v for k, v in values.items() if k != "head_dim"})

    def write_parameters(self, out: Parameters) -> None:
        super().write_parameters(out)
        for key, name in _SCALES.items():
            if self.config.get(name):
                out.real_of(key, self.config, name)
