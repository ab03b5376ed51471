"""Qwen 3 Next: linear attention in most layers, gated attention in the others, experts in all.

Layers that guess further tokens (MTP) follow the model's own as more layers. The state's decay is
kept as what its exponent is of; torch computes exponents with the machine's vector library, to
within the last bit, so `ssm_a` may differ from the official one in the last bit of a few numbers.

Source: llama.cpp at 0c1e57098, conversion/qwen.py (Qwen3NextModel, _QwenMtpMixin); transformers
5.23.0, models/qwen3_next/configuration_qwen3_next.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from quantize.arch import errors, hparams, parameters
from quantize.arch.base import HEAD_NORMS, Family, Part, plus_one
from quantize.arch.parameters import Parameters, positive
from quantize.arch.rounding import to_f16
from quantize.model import Weight
from quantize.rows import F32Array, Gathered, Mapped, Rows
from quantize.tensors import Tensor
from quantize.types import GgmlType

Index = npt.NDArray[np.int64]
_LINEAR = "linear_attention"
_FACTOR = "partial_rotary_factor"
_INTERVAL = "full_attention_interval"
_MTP = re.compile(r"(?:model\.)?mtp\.layers\.(\d{1,4})\.(.+)")
_MTP_TOP = {
    "fc": "eh_proj",
    "pre_fc_norm_embedding": "enorm",
    "pre_fc_norm_hidden": "hnorm",
    "norm": "shared_head.norm",
}
_FUSED = re.compile(r"(model\.layers\.\d{1,9}\.mlp\.experts)\.(gate_up_proj|down_proj)(\.weight)?")
_NOT_WEIGHTS = {"linear_attn.A_log": "ssm_a", "linear_attn.dt_bias": "ssm_dt.bias"}
_NEXTN = ("eh_proj", "enorm", "hnorm", "shared_head.norm")

SHARED = MappingProxyType(
    {
        "input_layernorm": Part("attn_norm", "embd"),
        "post_attention_layernorm": Part("post_attention_norm", "embd"),
        "self_attn.q_proj": Part("attn_q", "2*q embd"),
        "self_attn.k_proj": Part("attn_k", "kv embd"),
        "self_attn.v_proj": Part("attn_v", "kv embd"),
        "self_attn.o_proj": Part("attn_output", "embd q"),
        **HEAD_NORMS,
        "linear_attn.conv1d": Part("ssm_conv1d", "2*k_in+v_in 1 kernel"),
        "linear_attn.norm": Part("ssm_norm", "v_head"),
        "linear_attn.out_proj": Part("ssm_out", "embd v_in"),
        "linear_attn.A_log": Part("ssm_a", "v_heads", optional=True),  # but see `weights`
        "linear_attn.dt_bias": Part("ssm_dt", "v_heads", optional=True),
        "eh_proj": Part("nextn.eh_proj", "embd 2*embd"),
        "enorm": Part("nextn.enorm", "embd"),
        "hnorm": Part("nextn.hnorm", "embd"),
        "shared_head.norm": Part("nextn.shared_head_norm", "embd"),
    }
)
SOME_EXPERTS = MappingProxyType(
    {
        "mlp.gate": Part("ffn_gate_inp", "expert embd"),
        "mlp.shared_expert_gate": Part("ffn_gate_inp_shexp", "1 embd"),
        "mlp.shared_expert.gate_proj": Part("ffn_gate_shexp", "ff_shared embd"),
        "mlp.shared_expert.up_proj": Part("ffn_up_shexp", "ff_shared embd"),
        "mlp.shared_expert.down_proj": Part("ffn_down_shexp", "embd ff_shared"),
    }
)
EXPERTS = MappingProxyType(
    {
        "mlp.experts.gate_proj": Part("ffn_gate_exps", "ff_exp embd"),
        "mlp.experts.up_proj": Part("ffn_up_exps", "ff_exp embd"),
        "mlp.experts.down_proj": Part("ffn_down_exps", "embd ff_exp"),
    }
)
LINEAR_DEFAULTS = MappingProxyType(
    {
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "head_dim": 256,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        _FACTOR: 0.25,
    }
)


class Qwen3Next(Family):
    class_names: ClassVar[tuple[str, ...]] = ("Qwen3NextForCausalLM",)
    architecture = "qwen3next"
    layer = MappingProxyType(
        {
            **SHARED,
            "linear_attn.in_proj_qkvz": Part("attn_qkv", "2*k_in+2*v_in embd"),
            "linear_attn.in_proj_ba": Part("ssm_ba", "2*v_heads embd"),
            **SOME_EXPERTS,
        }
    )
    experts = EXPERTS
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            **LINEAR_DEFAULTS,
            "vocab_size": 151936,
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_hidden_layers": 48,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "num_experts_per_tok": 10,
            "num_experts": 512,
        }
    )

    # Its numbers

    @cached_property
    def n_main(self) -> int:
        """Layers without those that guess further."""
        n_main = positive(self.config, *parameters.LAYERS)
        if n_main > len(self.checkpoint.tensors):
            raise errors.missing_tensor(self.checkpoint.folder, f"model.layers.{n_main - 1}.*")
        return n_main

    @cached_property
    def n_layer(self) -> int:
        found = (_MTP.fullmatch(name) for name in self.checkpoint.tensors)
        return self.n_main + max((int(match[1]) + 1 for match in found if match), default=0)

    @cached_property
    def kinds(self) -> list[str]:
        """What each of the model's own layers does."""
        if self.config.get("layer_types") is None:
            period = positive(hparams.completed(self.config, {_INTERVAL: 4}), _INTERVAL)
            return [
                "full_attention" if (i + 1) % period == 0 else _LINEAR for i in range(self.n_main)
            ]
        kinds = parameters.layer_types(self.config)
        if len(kinds) != self.n_main:
            raise errors.bad_value(self.config.path, "layer_types", kinds)
        return kinds

    def dimensions(self) -> dict[str, int]:
        c = self.config
        n_v = positive(c, "linear_num_value_heads")
        if n_v % positive(c, "linear_num_key_heads"):
            raise errors.bad_value(c.path, "linear_num_value_heads", n_v)
        sizes = {
            "vocab": positive(c, "vocab_size"),
            "embd": self.n_embd,
            "q": self.n_head * self.head_dim,
            "kv": self.n_head_kv * self.head_dim,
            "head": self.head_dim,
            "v_heads": n_v,
            "v_head": positive(c, "linear_value_head_dim"),
            "v_in": n_v * positive(c, "linear_value_head_dim"),
            "k_in": positive(c, "linear_num_key_heads") * positive(c, "linear_key_head_dim"),
            "kernel": positive(c, "linear_conv_kernel_dim"),
        }
        if self.experts:
            sizes["expert"] = positive(c, "num_local_experts", "num_experts")
            sizes["ff_exp"] = positive(c, "moe_intermediate_size")
            sizes["ff_shared"] = positive(c, "shared_expert_intermediate_size")
        else:
            sizes["ff"] = positive(c, *parameters.FEED_FORWARD)
        return sizes

    def write_parameters(self, out: Parameters) -> None:
        super().write_parameters(out)
        c = self.config
        if self.experts:
            out.count_of("expert_feed_forward_length", c, "moe_intermediate_size")
            out.count_of("expert_shared_feed_forward_length", c, "shared_expert_intermediate_size")
        if self.n_layer > self.n_main:
            out.u32("nextn_predict_layers", self.n_layer - self.n_main)
        out.u32("ssm.conv_kernel", self.dimension("kernel"))
        out.u32("ssm.state_size", positive(c, "linear_key_head_dim"))
        out.u32("ssm.group_count", positive(c, "linear_num_key_heads"))
        out.u32("ssm.time_step_rank", self.dimension("v_heads"))
        out.u32("ssm.inner_size", self.dimension("v_in"))
        out.u32(_INTERVAL, c.number(_INTERVAL) if c.get(_INTERVAL) is not None else 4)
        factor = self.rope_full.real(_FACTOR)
        if not 0 < factor <= 1:
            raise errors.bad_value(out.path, _FACTOR, factor)
        out.u32("rope.dimension_count", int(self.head_dim * factor))

    # Its tensors

    def plain_name(self, name: str) -> str | None:
        """Layers that guess further are numbered on."""
        plain = super().plain_name(name)
        if plain is None or not plain.removeprefix("model.").startswith("mtp."):
            return plain
        if found := _MTP.fullmatch(plain):
            return f"model.layers.{self.n_main + int(found[1])}.{found[2]}"
        module, _, suffix = plain.removeprefix("model.").removeprefix("mtp.").rpartition(".")
        return f"model.layers.{self.n_main}.{_MTP_TOP.get(module, module)}.{suffix}"

    def has(self, i_layer: int, module: str) -> bool:
        if module in _NEXTN:
            return i_layer == self.n_main
        is_linear = i_layer < self.n_main and self.kinds[i_layer] == _LINEAR
        return not module.startswith("self_attn." if is_linear else "linear_attn.")

    def weights(self) -> tuple[Weight, ...]:
        made = super().weights()
        names = {weight.name for weight in made}
        for i, kind in enumerate(self.kinds):
            for source, name in _NOT_WEIGHTS.items():
                if kind == _LINEAR and f"blk.{i}.{name}" not in names:
                    missing = f"model.layers.{i}.{source}"
                    raise errors.missing_tensor(self.checkpoint.folder, missing)
        return made

    def convert(self, name: str, tensor: Tensor) -> Iterable[Weight]:
        if self.experts and (found := _FUSED.fullmatch(name)):
            yield from self._of_fused(found[1], found[2], tensor)
            return
        part, new_name = self.find(name, tensor)
        self.check_shape(tensor, tensor.shape, part, part.name)
        if name.endswith(".in_proj_qkvz.weight"):
            yield from self._of_qkvz(new_name, tensor)
        elif name.endswith(".conv1d.weight"):
            shape = (tensor.shape[0], tensor.shape[2])
            yield self.weight(new_name, tensor, self.change(name, tensor), shape)
        elif name.endswith(".shared_expert_gate.weight"):
            yield self.weight(new_name, tensor, shape=tensor.shape[1:])  # llama.cpp: a vector
        elif name.endswith(tuple(_NOT_WEIGHTS)):
            suffix = ".bias" if name.endswith("_bias") else ""
            own = new_name.removesuffix(".weight") + suffix
            yield self.weight(own, tensor, self.change(name, tensor))
        else:
            yield self.weight(new_name, tensor, self.change(name, tensor))

    def change(self, name: str, tensor: Tensor) -> Rows:
        if name.endswith(".A_log"):
            rows = Mapped(tensor.rows, minus_exp)
            return Mapped(rows, to_f16) if tensor.type is GgmlType.F16 else rows
        if name.endswith("norm.weight") and not name.endswith("linear_attn.norm.weight"):
            return plus_one(tensor)
        return tensor.rows

    def _of_qkvz(self, new_name: str, tensor: Tensor) -> Iterable[Weight]:
        """By head of keys: queries, keys, values, gates; each kind is wanted in one piece."""
        n_head = positive(self.config, "linear_num_key_heads")
        k, v = self.dimension("k_in") // n_head, self.dimension("v_in") // n_head
        index = np.arange(tensor.shape[0], dtype=np.int64).reshape(n_head, 2 * k + 2 * v)
        pieces = np.split(index, np.cumsum([k, k, v]), axis=1)
        qkv = np.concatenate([piece.reshape(-1) for piece in pieces[:3]])
        gate = pieces[3].reshape(-1)
        n_embd = tensor.shape[1]
        for name, rows in ((new_name, qkv), (new_name.replace("attn_qkv", "attn_gate"), gate)):
            yield self.weight(name, tensor, Gathered(tensor.rows, rows), (len(rows), n_embd))

    def _of_fused(self, prefix: str, kind: str, tensor: Tensor) -> Iterable[Weight]:
        """Experts that are stacked already; gates lie above what they gate."""
        if kind == "down_proj":
            _, new_name = self.find(f"{prefix}.down_proj.weight", tensor)
            self.check_shape(tensor, tensor.shape, Part("", "expert embd ff_exp"), new_name)
            yield self.weight(new_name, tensor)
            return
        self.check_shape(tensor, tensor.shape, Part("", "expert 2*ff_exp embd"), "")
        n_expert, n_both, n_embd = tensor.shape
        halves = np.arange(n_expert * n_both, dtype=np.int64).reshape(n_expert, 2, n_both // 2)
        for i, name in enumerate(("gate_proj", "up_proj")):
            _, new_name = self.find(f"{prefix}.{name}.weight", tensor)
            rows = Gathered(tensor.rows, np.ascontiguousarray(halves[:, i]).reshape(-1))
            yield self.weight(new_name, tensor, rows, (n_expert, n_both // 2, n_embd))


def minus_exp(values: F32Array) -> F32Array:
    """float32; minus the exponentials, rounded correctly."""
    with np.errstate(over="ignore"):
        return -np.exp(values.astype(np.float64)).astype(np.float32)
