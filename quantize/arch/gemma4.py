"""Gemma 4, the model of text: two widths of heads, and in some sizes experts or borrowed keys.

Layers that see everything rotate a part of their wider heads only, which is said by factors so
large that the other dimensions stand still.

Source: llama.cpp at 0c1e57098, conversion/gemma.py (Gemma4Model); transformers 5.23.0,
models/gemma4/configuration_gemma4.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

from quantize.arch import errors, hparams, parameters
from quantize.arch.base import ATTENTION, EMBEDDING, FEED_FORWARD, HEAD_NORMS, Part
from quantize.arch.gemma2 import FOUR_NORMS
from quantize.arch.gemma3 import Gemma3
from quantize.arch.parameters import Parameters, positive
from quantize.config import Config
from quantize.model import Weight
from quantize.rows import Rows
from quantize.tensors import Tensor
from quantize.tokenizer import VocabStyle

_FULL = "full_attention"
_SLIDING = "sliding_attention"
_PERIOD = 6
_STILL = 1e30
_FACTOR = "partial_rotary_factor"
_ROPE = MappingProxyType(
    {
        _SLIDING: {"rope_type": "default", "rope_theta": 10000.0},
        _FULL: {"rope_type": "proportional", _FACTOR: 0.25, "rope_theta": 1000000.0},
    }
)
# Lengths as the tables name them, and what they are in layers that see everything.
_WIDER = {"q": "q_full", "kv": "kv_full", "head": "head_full"}
_BORROWED = ("self_attn.k_proj", "self_attn.v_proj", "self_attn.k_norm")
_OF_EACH_LAYER = MappingProxyType(
    {
        "per_layer_input_gate": Part("inp_gate", "per_layer embd"),
        "per_layer_projection": Part("proj", "embd per_layer"),
        "post_per_layer_input_norm": Part("post_norm", "embd"),
    }
)
_EXPERTS = MappingProxyType(
    {
        "router.proj": Part("ffn_gate_inp", "expert embd"),
        "experts.gate_up_proj": Part("ffn_gate_up_exps", "expert 2*ff_exp embd"),
        "experts.down_proj": Part("ffn_down_exps", "expert embd ff_exp"),
        "post_feedforward_layernorm_1": Part("post_ffw_norm_1", "embd"),
        "post_feedforward_layernorm_2": Part("post_ffw_norm_2", "embd"),
        "pre_feedforward_layernorm_2": Part("pre_ffw_norm_2", "embd"),
    }
)
_SCALES = MappingProxyType(
    {
        "router.scale": Part("ffn_gate_inp.scale", "embd", optional=True),
        "router.per_expert_scale": Part("ffn_down_exps.scale", "expert", optional=True),
    }
)
_TOP_OF_EACH_LAYER = MappingProxyType(
    {
        "model.embed_tokens_per_layer": Part("per_layer_token_embd", "vocab_per_layer layers"),
        "model.per_layer_model_projection": Part("per_layer_model_proj", "layers embd"),
        "model.per_layer_projection_norm": Part("per_layer_proj_norm", "per_layer"),
    }
)


class Gemma4(Gemma3):
    class_names = ("Gemma4ForConditionalGeneration", "Gemma4ForCausalLM")
    architecture = "gemma4"
    vocabulary = VocabStyle.GEMMA4
    top = MappingProxyType(
        {
            **EMBEDDING,
            **{name: replace(part, optional=True) for name, part in _TOP_OF_EACH_LAYER.items()},
        }
    )
    layer = MappingProxyType(
        {
            **FOUR_NORMS,
            **ATTENTION,
            **HEAD_NORMS,
            **FEED_FORWARD,
            "layer_scalar": Part("layer_output_scale", "1"),
            **_OF_EACH_LAYER,
            **_EXPERTS,
            **_SCALES,
        }
    )
    defaults = MappingProxyType(
        {
            **Gemma3.defaults,
            "vocab_size": 262144,
            "num_hidden_layers": 30,
            "sliding_window": 512,
            "global_head_dim": 512,
            "vocab_size_per_layer_input": 262144,
            "hidden_size_per_layer_input": 256,
            "num_kv_shared_layers": 0,
        }
    )

    # Its numbers

    def find_rope(self) -> Config:
        config = self.config
        if config.get("rope_parameters") is None and config.get("rope_scaling") is None:
            config = hparams.with_values(config, {**config.values, "rope_parameters": _ROPE})
        rope = hparams.rope_parameters(config, self.default_theta, self.defaults)
        if (kind := hparams.part(rope, _FULL).get("rope_type")) != "proportional":
            raise errors.unsupported(config.path, f"rope_type {kind}")
        return rope

    @cached_property
    def kinds(self) -> list[str]:
        """Which layers see everything; the last one does."""
        if self.config.get("layer_types") is None:
            kinds = [_SLIDING if (i + 1) % _PERIOD else _FULL for i in range(self.n_layer)]
        else:
            kinds = list(parameters.layer_types(self.config))
        if len(kinds) != self.n_layer:
            raise errors.bad_value(self.config.path, "layer_types", kinds)
        return [*kinds[:-1], _FULL]

    @cached_property
    def n_borrowing(self) -> int:
        """How many of the last layers have no keys and values of their own."""
        n = self.config.number("num_kv_shared_layers")
        if not 0 <= n <= self.n_layer:
            raise errors.bad_value(self.config.path, "num_kv_shared_layers", n)
        return n

    @cached_property
    def head_full(self) -> int:
        return positive(self._of_full_layers("head_dim", "global_head_dim"), "head_dim")

    @cached_property
    def n_kv_full(self) -> int | None:
        """Heads of keys in layers that see everything, where these are others."""
        older = "num_global_key_value_heads" if self.config.get("attention_k_eq_v") else ""
        values = self._of_full_layers("num_key_value_heads", older)
        if values.get("num_key_value_heads") is None:
            return None
        return positive(values, "num_key_value_heads")

    def _of_full_layers(self, key: str, older: str) -> Config:
        """`key` as `per_layer_config` has it for a layer that sees everything, else as `older`."""
        value = self.config.get(older) if older else None
        for number, given in hparams.part(self.config, "per_layer_config").items():
            is_number = str(number).isdecimal() and int(number) < self.n_layer
            if is_number and self.kinds[int(number)] == _FULL and isinstance(given, Mapping):
                value = given.get(key, value)
        return hparams.with_values(self.config, {key: value})

    @property
    def per_layer(self) -> int:
        value = self.config.get("hidden_size_per_layer_input")
        return self.config.number("hidden_size_per_layer_input") if value is not None else 0

    @property
    def has_experts(self) -> bool:
        return bool(self.config.get("enable_moe_block"))

    def dimensions(self) -> dict[str, int]:
        sizes = {
            **super().dimensions(),
            "q_full": self.n_head * self.head_full,
            "kv_full": (self.n_kv_full or self.n_head_kv) * self.head_full,
            "head_full": self.head_full,
            "per_layer": self.per_layer,
            "layers": self.n_layer * self.per_layer,
            "vocab_per_layer": positive(self.config, "vocab_size_per_layer_input"),
            "expert": 0,
            "ff_exp": 0,
        }
        if self.has_experts:
            sizes["expert"] = positive(self.config, "num_experts")
            sizes["ff_exp"] = positive(self.config, "moe_intermediate_size")
        return sizes

    # Its keys

    def write_parameters(self, out: Parameters) -> None:
        if self.config.get("use_bidirectional_attention") == "all":
            raise errors.unsupported(out.path, "use_bidirectional_attention all")
        super().write_parameters(out)
        slides = [kind == _SLIDING for kind in self.kinds]
        out.u32("attention.shared_kv_layers", self.n_borrowing)
        out.u32("embedding_length_per_layer_input", self.per_layer)
        out.booleans("attention.sliding_window_pattern", slides)
        for name in ("key", "value"):
            out.u32(f"attention.{name}_length", self.head_full)
        for name in ("key", "value"):
            out.u32(f"attention.{name}_length_swa", self.head_dim)
        out.count_of("expert_feed_forward_length", self.config, "moe_intermediate_size")
        if self.config.get("use_double_wide_mlp"):
            n_ff = self.dimension("ff")
            n_own = self.n_layer - self.n_borrowing
            widths = [n_ff if i < n_own else 2 * n_ff for i in range(self.n_layer)]
            out.i32s("feed_forward_length", widths)
        if self.n_kv_full is not None:
            counts = [self.n_head_kv if slide else self.n_kv_full for slide in slides]
            out.i32s("attention.head_count_kv", counts)
        out.u32("rope.dimension_count", self.head_full)
        out.u32("rope.dimension_count_swa", self.head_dim)

    # Its tensors

    def find(self, name: str, tensor: Tensor) -> tuple[Part, str]:
        """With the lengths of the layer it is in."""
        part, new_name = super().find(name, tensor)
        if not new_name.startswith("blk."):
            return part, new_name
        i = int(new_name.split(".")[1])
        others = dict(_WIDER) if self.kinds[i] == _FULL else {}
        if self.config.get("use_double_wide_mlp") and self._borrows(i):
            others["ff"] = "2*ff"
        shape = " ".join(others.get(length, length) for length in part.shape.split())
        return replace(part, shape=shape), new_name

    def convert(self, name: str, tensor: Tensor) -> Iterable[Weight]:
        for weight in super().convert(name, tensor):
            if weight.name.endswith(".scale.weight"):
                weight = self.weight(weight.name.removesuffix(".weight"), tensor)
            yield weight

    def change(self, name: str, tensor: Tensor) -> Rows:
        """Unlike those of earlier Gemmas, norms are what they say."""
        del name
        return tensor.rows

    def extra_weights(self) -> Iterable[Weight]:
        factor = self.rope_full.real(_FACTOR)
        if not 0 <= factor <= 1:
            raise errors.bad_value(self.config.path, _FACTOR, factor)
        n_moving = int(self.head_full * factor / 2)
        n_still = self.head_full // 2 - n_moving
        yield self.held("rope_freqs.weight", [1.0] * n_moving + [_STILL] * n_still)

    def has(self, i_layer: int, module: str) -> bool:
        if module in _BORROWED and self._borrows(i_layer):
            return False
        if module == "self_attn.v_proj" and self.kinds[i_layer] == _FULL:
            return not self.config.get("attention_k_eq_v")
        if module in _OF_EACH_LAYER:
            return self.per_layer > 0
        return self.has_experts if module in _EXPERTS else True

    def weights(self) -> tuple[Weight, ...]:
        made = super().weights()
        names = {weight.name for weight in made}
        for source, name in self._further_names():
            if name not in names:
                raise errors.missing_tensor(self.checkpoint.folder, source)
        return made

    def _further_names(self) -> Iterable[tuple[str, str]]:
        """What some sizes need: its name in the checkpoint and in the GGUF."""
        if self.per_layer > 0:
            for module, part in _TOP_OF_EACH_LAYER.items():
                yield f"{module}.weight", f"{part.name}.weight"
        if self.has_experts:
            for i in range(self.n_layer):
                for module, part in _SCALES.items():
                    yield f"model.layers.{i}.{module}", f"blk.{i}.{part.name}"

    def _borrows(self, i_layer: int) -> bool:
        return i_layer >= self.n_layer - self.n_borrowing
