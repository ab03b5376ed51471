"""Qwen 2 and 2.5.

Source: llama.cpp at 0c1e57098, conversion/qwen.py (Qwen2Model), conversion/base.py
(_try_set_pooling_type); transformers 5.23.0, models/qwen2/configuration_qwen2.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize import checkpoint_errors
from quantize.arch import errors
from quantize.arch.base import Family
from quantize.arch.parameters import Parameters, write_standard
from quantize.jsonfile import is_missing, read_json
from quantize.tokenizer import VocabStyle

_MAX_BYTES = 1024**2
_MODULES = "modules.json"


class Qwen2(Family):
    class_names: ClassVar[tuple[str, ...]] = ("Qwen2ForCausalLM", "Qwen2Model")
    architecture = "qwen2"
    vocabulary = VocabStyle.QWEN
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 151936,
            "hidden_size": 4096,
            "intermediate_size": 22016,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": False,
        }
    )

    def write_parameters(self, out: Parameters) -> None:
        write_standard(out, self.config, self.rope, self.n_layer)
        self.write_pooling(out)

    def needs_bias(self, module: str) -> bool:
        return module in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")

    def write_pooling(self, out: Parameters) -> None:
        """Refuses models that turn texts into vectors, which nobody chats with."""
        path = self.checkpoint.folder / _MODULES
        if is_missing(path):
            return
        modules = read_json(path, _MAX_BYTES)
        if not isinstance(modules, list):
            raise checkpoint_errors.wrong_json(path, "it is not a list")
        for module in modules:
            kind = module.get("type") if isinstance(module, dict) else None
            if isinstance(kind, str) and kind.endswith("Pooling"):
                raise errors.unsupported(out.path, f"pooling ({_MODULES})")
