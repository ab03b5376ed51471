"""gpt-oss: experts in MXFP4, whose blocks are copied; gates and what they gate in one matrix.

Where the experts are not packed, they lie transposed.

Source: llama.cpp at 0c1e57098, conversion/gpt_oss.py (GptOssModel); transformers 5.23.0,
models/gpt_oss/configuration_gpt_oss.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from quantize.arch import hparams
from quantize.arch.base import ATTENTION, Family, Part
from quantize.arch.parameters import Parameters, positive, write_standard
from quantize.config import Config
from quantize.model import Weight
from quantize.rows import Computed, F32Array, Gathered, RawGathered, RawRows, Rows
from quantize.tensors import Tensor
from quantize.types import GgmlType

_KEPT_MATRICES = 2
_YARN = MappingProxyType(
    {
        "rope_type": "yarn",
        "factor": 32.0,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "truncate": False,
        "original_max_position_embeddings": 4096,
    }
)


class GptOss(Family):
    class_names = ("GptOssForCausalLM",)
    architecture = "gpt-oss"
    default_theta = 150000.0
    layer = MappingProxyType(
        {
            "input_layernorm": Part("attn_norm", "embd"),
            "post_attention_layernorm": Part("post_attention_norm", "embd"),
            **ATTENTION,
            "self_attn.sinks": Part("attn_sinks", "heads"),
            "mlp.router": Part("ffn_gate_inp", "expert embd"),
            "mlp.experts.gate_up_proj": Part("ffn_gate_exps", "expert 2*ff embd"),
            "mlp.experts.down_proj": Part("ffn_down_exps", "expert embd ff"),
        }
    )
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 201088,
            "hidden_size": 2880,
            "intermediate_size": 2880,
            "num_hidden_layers": 36,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "max_position_embeddings": 131072,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
            "attention_bias": True,
            "sliding_window": 128,
            "num_local_experts": 128,
            "num_experts_per_tok": 4,
        }
    )

    def find_rope(self) -> Config:
        keys = ("rope_scaling", "rope_parameters")
        if any(self.config.get(key) is not None for key in keys):
            return super().find_rope()
        values = {**self.config.values, "rope_parameters": _YARN}
        config = hparams.with_values(self.config, values)
        return hparams.rope_parameters(config, self.default_theta, self.defaults)

    def dimensions(self) -> dict[str, int]:
        n_expert = positive(self.config, "num_local_experts", "num_experts")
        return {**super().dimensions(), "expert": n_expert, "heads": self.n_head}

    def write_parameters(self, out: Parameters) -> None:
        write_standard(out, self.config, self.rope, self.n_layer)
        out.u32("attention.sliding_window", self.config.number("sliding_window"))
        out.u32("expert_feed_forward_length", positive(self.config, "intermediate_size"))

    def needs_bias(self, module: str) -> bool:
        return module.startswith("mlp.") or super().needs_bias(module)

    def convert(self, name: str, tensor: Tensor) -> Iterable[Weight]:
        if ".mlp.experts." not in name:
            yield from super().convert(name, tensor)
            return
        part, new_name = self.find(name.replace("_bias", ".bias"), tensor)
        shape, rows = tensor.shape, tensor.rows
        if new_name.endswith(".weight") and tensor.type is not GgmlType.MXFP4:
            shape, rows = _transposed(tensor)
        self.check_shape(tensor, shape, part, new_name)
        if "gate_exps" not in new_name:
            yield self.weight(new_name, tensor, rows, shape)
            return
        for i, kind in enumerate(("gate_exps", "up_exps")):
            half_shape, half = _half(shape, rows, i)
            yield self.weight(new_name.replace("gate_exps", kind), tensor, half, half_shape)


def _half(shape: tuple[int, ...], rows: Rows, first: int) -> tuple[tuple[int, ...], Rows]:
    """Every second row of each expert's matrix, or number of its bias, from `first` on."""
    if len(shape) == 2:
        n_expert, n_both = shape

        def every_second() -> F32Array:
            return rows.read(0, n_expert)[:, first::2]

        return (n_expert, n_both // 2), Computed(
            n_expert, n_both // 2, rows.source_bytes // 2, every_second
        )
    index = np.arange(first, rows.n_rows, 2, dtype=np.int64)
    half = RawGathered(rows, index) if isinstance(rows, RawRows) else Gathered(rows, index)
    return (shape[0], shape[1] // 2, shape[2]), half


def _transposed(tensor: Tensor) -> tuple[tuple[int, ...], Rows]:
    n_expert, n_in, n_out = tensor.shape if len(tensor.shape) == 3 else (1, 1, tensor.shape[-1])
    return (n_expert, n_out, n_in), Transposed(tensor.rows, n_expert)


@dataclass(frozen=True)
class Transposed:
    """`n_matrices` matrices, one below the other in `rows`, each turned.

    A block of rows needs a whole matrix of the source, so the last ones read are kept.
    """

    rows: Rows
    n_matrices: int

    @property
    def n_rows(self) -> int:
        return self.n_matrices * self.rows.n_cols

    @property
    def n_cols(self) -> int:
        return self.rows.n_rows // self.n_matrices

    @property
    def source_bytes(self) -> int:
        return self.rows.source_bytes

    def read(self, start: int, stop: int) -> F32Array:
        pieces = []
        while start < stop:
            i, first = divmod(start, self.rows.n_cols)
            last = min(self.rows.n_cols, first + stop - start)
            pieces.append(self._matrix(i)[first:last])
            start += last - first
        return np.ascontiguousarray(np.concatenate(pieces))

    @cached_property
    def _matrix(self) -> Callable[[int], F32Array]:
        return lru_cache(maxsize=_KEPT_MATRICES)(self._read_matrix)

    def _read_matrix(self, i: int) -> F32Array:
        return self.rows.read(i * self.n_cols, (i + 1) * self.n_cols).T
