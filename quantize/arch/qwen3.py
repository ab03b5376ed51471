"""Qwen 3: norms on the heads of queries and keys instead of biases.

Source: llama.cpp at 0c1e57098, conversion/qwen.py (Qwen3Model); transformers 5.23.0,
models/qwen3/configuration_qwen3.py.
"""

from __future__ import annotations

from types import MappingProxyType

from quantize.arch import errors
from quantize.arch.base import DENSE, HEAD_NORMS, Family
from quantize.arch.parameters import Parameters
from quantize.arch.qwen2 import Qwen2


class Qwen3(Qwen2):
    class_names = ("Qwen3ForCausalLM", "Qwen3Model")
    architecture = "qwen3"
    defaults = MappingProxyType({**Qwen2.defaults, "head_dim": 128})
    layer = MappingProxyType({**DENSE, **HEAD_NORMS})

    def write_parameters(self, out: Parameters) -> None:
        self._refuse_rerankers()
        super().write_parameters(out)

    def needs_bias(self, module: str) -> bool:
        return Family.needs_bias(self, module)

    def _refuse_rerankers(self) -> None:
        """Models that rate texts instead of writing them, by the names they go by."""
        names = (self.checkpoint.folder.name, *self.config.architectures)
        for name in names:
            if any(hint in name.lower() for hint in ("qwen3-reranker", "sequenceclassification")):
                raise errors.unsupported(self.config.path, name)
