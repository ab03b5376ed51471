"""LFM 2: short convolutions in most layers, attention in the others.

Source: llama.cpp at 0c1e57098, conversion/lfm2.py (LFM2Model); transformers 5.23.0,
models/lfm2/configuration_lfm2.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from quantize.arch import errors, hparams, parameters
from quantize.arch.base import Family, Part
from quantize.arch.parameters import Parameters, numbers, positive, write_standard
from quantize.config import Config
from quantize.model import Weight
from quantize.tensors import Tensor

_CONV = "conv"
_CONV_KERNEL = "conv.conv"


class Lfm2(Family):
    class_names = ("Lfm2ForCausalLM", "LFM2ForCausalLM")
    architecture = "lfm2"
    default_theta = 1e6
    top = MappingProxyType(
        {
            "model.embed_tokens": Part("token_embd", "vocab embd"),
            "model.embedding_norm": Part("token_embd_norm", "embd"),
        }
    )
    layer = MappingProxyType(
        {
            "operator_norm": Part("attn_norm", "embd"),
            "ffn_norm": Part("ffn_norm", "embd"),
            _CONV_KERNEL: Part("shortconv.conv", "embd 1 kernel"),
            "conv.in_proj": Part("shortconv.in_proj", "3*embd embd"),
            "conv.out_proj": Part("shortconv.out_proj", "embd embd"),
            "self_attn.q_proj": Part("attn_q", "q embd"),
            "self_attn.k_proj": Part("attn_k", "kv embd"),
            "self_attn.v_proj": Part("attn_v", "kv embd"),
            "self_attn.out_proj": Part("attn_output", "embd q"),
            "self_attn.q_layernorm": Part("attn_q_norm", "head"),
            "self_attn.k_layernorm": Part("attn_k_norm", "head"),
            "feed_forward.w1": Part("ffn_gate", "ff embd"),
            "feed_forward.w2": Part("ffn_down", "embd ff"),
            "feed_forward.w3": Part("ffn_up", "ff embd"),
        }
    )
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 65536,
            "hidden_size": 2560,
            "intermediate_size": 12288,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "max_position_embeddings": 128000,
            "norm_eps": 1e-5,
            "tie_word_embeddings": True,
            "conv_L_cache": 3,
            "block_multiple_of": 256,
            "block_ffn_dim_multiplier": 1.0,
            "block_auto_adjust_ff_dim": True,
        }
    )

    def complete(self, config: Config) -> Config:
        """Older names, and which layers have attention."""
        values = dict(super().complete(config).values)
        for old, name in (
            ("tie_embedding", "tie_word_embeddings"),
            ("block_ff_dim", "intermediate_size"),
        ):
            if old in values:
                values[name] = values.pop(old)
        if values.get("layer_types") is None:
            n_layer = positive(config, *parameters.LAYERS)
            full = (
                range(n_layer)
                if values.get("full_attn_idxs") is None
                else numbers(config, "full_attn_idxs")
            )
            values["layer_types"] = [
                "full_attention" if i in full else _CONV for i in range(min(n_layer, 10000))
            ]
        return hparams.with_values(config, values)

    @property
    def n_ff(self) -> int:
        """What the feed-forward part's width is rounded to."""
        n_ff = positive(self.config, "intermediate_size")
        if not self.config.get("block_auto_adjust_ff_dim"):
            return n_ff
        n_ff = int(2 * n_ff / 3)
        if self.config.get("block_ffn_dim_multiplier") is not None:
            n_ff = int(self.config.real("block_ffn_dim_multiplier") * n_ff)
        multiple = positive(self.config, "block_multiple_of")
        return multiple * ((n_ff + multiple - 1) // multiple)

    def dimensions(self) -> dict[str, int]:
        kernel = positive(self.config, "conv_L_cache")
        return {**super().dimensions(), "ff": self.n_ff, "kernel": kernel}

    def write_parameters(self, out: Parameters) -> None:
        n_kv = self.n_head_kv
        per_layer = [0 if kind == _CONV else n_kv for kind in self._kinds]
        values = {**self.config.values, "num_key_value_heads": per_layer}
        write_standard(out, hparams.with_values(self.config, values), self.rope, self.n_layer)
        out.u32("vocab_size", self.config.number("vocab_size"))
        out.u32("shortconv.l_cache", positive(self.config, "conv_L_cache"))
        out.f32("attention.layer_norm_rms_epsilon", self.config.real("norm_eps"))
        out.u32("feed_forward_length", self.n_ff)

    @property
    def _kinds(self) -> list[str]:
        kinds = parameters.layer_types(self.config)
        if len(kinds) != self.n_layer:
            raise errors.bad_value(self.config.path, "layer_types", kinds)
        return kinds

    def has(self, i_layer: int, module: str) -> bool:
        is_conv = self._kinds[i_layer] == _CONV
        return not module.startswith("self_attn." if is_conv else "conv.")

    def convert(self, name: str, tensor: Tensor) -> Iterable[Weight]:
        """The kernel of a convolution has a dimension of one that llama.cpp leaves out."""
        if not name.endswith(f".{_CONV_KERNEL}.weight"):
            yield from super().convert(name, tensor)
            return
        part, new_name = self.find(name, tensor)
        self.check_shape(tensor, tensor.shape, part, new_name)
        yield self.weight(new_name, tensor, shape=(tensor.shape[0], tensor.shape[2]))
