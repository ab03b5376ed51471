"""EXAONE 4: norms after each half of a layer and on heads, a sliding window in most layers.

Source: llama.cpp at 0c1e57098, conversion/exaone.py (Exaone4Model); transformers 5.23.0,
models/exaone4/configuration_exaone4.py.
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch import hparams, parameters
from quantize.arch.base import ATTENTION, FEED_FORWARD, HEAD_NORMS, Part
from quantize.arch.llama import Llama
from quantize.arch.parameters import Parameters, write_standard
from quantize.config import Config
from quantize.tokenizer import VocabStyle

_WINDOW = "sliding_window"
_SLIDING = "sliding_attention"


class Exaone4(Llama):
    class_names = ("Exaone4ForCausalLM",)
    architecture = "exaone4"
    vocabulary = VocabStyle.GPT2
    derives_head_dim = False
    permutes = False
    layer = MappingProxyType(
        {
            **ATTENTION,
            **FEED_FORWARD,
            **HEAD_NORMS,
            "post_attention_layernorm": Part("post_attention_norm", "embd"),
            "post_feedforward_layernorm": Part("post_ffw_norm", "embd"),
        }
    )
    defaults = MappingProxyType(
        {
            "vocab_size": 102400,
            "hidden_size": 4096,
            "intermediate_size": 16384,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
            _WINDOW: 4096,
            "sliding_window_pattern": 4,
        }
    )

    def complete(self, config: Config) -> Config:
        """Every so many layers, one sees everything, unless config.json names each."""
        values = dict(super().complete(config).values)
        if values.get("layer_types") is None and values.get(_WINDOW) is not None:
            period = parameters.positive(config, "sliding_window_pattern")
            n_layer = min(parameters.positive(config, *parameters.LAYERS), 10000)
            values["layer_types"] = [
                _SLIDING if (i + 1) % period else "full_attention" for i in range(n_layer)
            ]
        return hparams.with_values(config, values)

    def write_parameters(self, out: Parameters) -> None:
        write_standard(out, self.config, self.rope, self.n_layer)
        out.u32("vocab_size", self.config.number("vocab_size"))
        if self.config.get(_WINDOW) is not None:
            out.u32("attention.sliding_window", self.config.number(_WINDOW))
            kinds = parameters.layer_types(self.config)
            out.booleans("attention.sliding_window_pattern", [kind == _SLIDING for kind in kinds])
