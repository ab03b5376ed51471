"""Gemma 3, the text model: alone, or the text half of one that also sees.

Its embedding matrix may have more rows than its tokenizer has tokens; they are left out.

Source: llama.cpp at 0c1e57098, conversion/gemma.py (Gemma3Model); transformers 5.23.0,
models/gemma3/configuration_gemma3.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from quantize import checkpoint_errors
from quantize.arch import errors, hparams
from quantize.arch.base import HEAD_NORMS, Family
from quantize.arch.gemma import Gemma
from quantize.arch.gemma2 import Gemma2
from quantize.arch.parameters import Parameters, write_standard
from quantize.config import Config
from quantize.jsonfile import is_missing, read_json
from quantize.model import Weight
from quantize.rows import Sliced
from quantize.tensors import Tensor
from quantize.tokenizer import VocabStyle

_MAX_TOKENIZER_BYTES = 256 * 1024**2
_EMBEDDING = "embed_tokens.weight"


class Gemma3(Gemma):
    class_names = ("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration")
    architecture = "gemma3"
    vocabulary = VocabStyle.GEMMA3
    layer = MappingProxyType({**Gemma2.layer, **HEAD_NORMS})
    defaults = MappingProxyType(
        {
            **Gemma.defaults,
            "vocab_size": 262208,
            "hidden_size": 2304,
            "intermediate_size": 9216,
            "num_hidden_layers": 26,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "max_position_embeddings": 131072,
            "sliding_window": 4096,
        }
    )

    def find_rope(self) -> Config:
        """Of the two kinds of layers, each with a base of its own."""
        given = dict(hparams.part(self.config, "rope_parameters"))
        here = hparams.with_values(self.config, given)
        full = {"rope_type": "default", **hparams.part(here, "full_attention")}
        full |= hparams.part(self.config, "rope_scaling")
        full.setdefault("rope_theta", self.config.get("rope_theta", default=1e6))
        sliding = {"rope_type": "default", **hparams.part(here, "sliding_attention")}
        local = self.config.get("rope_local_base_freq", default=1e4)
        sliding.setdefault("rope_theta", local)
        given |= {"full_attention": full, "sliding_attention": sliding}
        return hparams.with_values(self.config, given)

    def write_parameters(self, out: Parameters) -> None:
        if self.config.get("attn_logit_softcapping") is not None:
            raise errors.unsupported(out.path, "attn_logit_softcapping")
        write_standard(out, self.config, self.rope, self.n_layer)
        if self.config.get("final_logit_softcapping"):
            out.real_of("final_logit_softcapping", self.config, "final_logit_softcapping")
        if self.config.get("sliding_window_pattern") != 1:
            out.u32("attention.sliding_window", self.config.number("sliding_window"))

    @property
    def needs_output(self) -> bool:
        return not self.is_tied

    def plain_name(self, name: str) -> str | None:
        return Family.plain_name(self, name)

    def convert(self, name: str, tensor: Tensor) -> Iterable[Weight]:
        for weight in super().convert(name, tensor):
            yield self._of_real_tokens(weight, tensor) if _EMBEDDING in name else weight

    def _of_real_tokens(self, weight: Weight, tensor: Tensor) -> Weight:
        n_real = self._n_tokens()
        n_rows, n_embd = tensor.shape
        if n_real is None or n_real >= n_rows:
            return weight
        rows = Sliced(weight.rows, 0, n_real)
        return Weight(weight.name, weight.type, (n_embd, n_real), rows, weight.origin)

    def _n_tokens(self) -> int | None:
        """How many tokens tokenizer.json counts; None where tokenizer.model rules."""
        path = self.checkpoint.folder / "tokenizer.json"
        if not is_missing(self.checkpoint.folder / "tokenizer.model") or is_missing(path):
            return None
        tokenizer = read_json(path, _MAX_TOKENIZER_BYTES)
        model: Any = tokenizer.get("model") if isinstance(tokenizer, dict) else None
        if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict):
            raise checkpoint_errors.wrong_json(path, "no model.vocab")
        added = tokenizer.get("added_tokens") or []
        return max(1, len(model["vocab"]) + (len(added) if isinstance(added, list) else 0))
