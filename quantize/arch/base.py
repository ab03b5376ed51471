"""A family of models: which tensors of a checkpoint become which of a GGUF, and which keys it gets.

`Family` does what most families share; a file per family says what differs, mostly as tables. A
tensor that no table knows is an error, and so is a missing one: nothing is left out silently.
Knows neither files nor the types that weights are quantized to.

Source: llama.cpp at 0c1e57098, conversion/base.py (ModelBase.prepare_tensors, filter_tensors,
TextModel), gguf-py/gguf/tensor_mapping.py.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from quantize.arch import errors, hparams, parameters
from quantize.arch.parameters import Parameters, positive
from quantize.arch.rounding import rounded, to_f16
from quantize.checkpoint import Checkpoint
from quantize.config import Config
from quantize.messages import QT_TRANSLATE_NOOP, Message
from quantize.model import Weight
from quantize.rows import F32Array, Held, Mapped, RawRows, RawStacked, Rows, Stacked
from quantize.tensors import Tensor
from quantize.tokenizer import VocabStyle
from quantize.types import GgmlType

_PLAIN_TYPES = (GgmlType.F32, GgmlType.F16, GgmlType.BF16)
_LAYER = re.compile(r"model\.layers\.(\d{1,9})\.(.+)")
_EXPERT = re.compile(r"(.*\.experts)\.(\d{1,9})\.(.+)")
_SUFFIXES = (".weight", ".bias")


@dataclass(frozen=True, slots=True)
class Part:
    """What one module becomes. `name`: its GGUF name, without "blk.N." and ".weight".

    `shape`: its weight's dimensions by their names in `Family.dimensions`, outermost first, as
    "q embd"; a bias has the first of them. "?" is any length. `optional`: may be missing.
    """

    name: str
    shape: str
    optional: bool = False


EMBEDDING = {
    "model.embed_tokens": Part("token_embd", "vocab embd"),
    "model.norm": Part("output_norm", "embd"),
}
ATTENTION = {
    "self_attn.q_proj": Part("attn_q", "q embd"),
    "self_attn.k_proj": Part("attn_k", "kv embd"),
    "self_attn.v_proj": Part("attn_v", "kv embd"),
    "self_attn.o_proj": Part("attn_output", "embd q"),
}
FEED_FORWARD = {
    "mlp.gate_proj": Part("ffn_gate", "ff embd"),
    "mlp.up_proj": Part("ffn_up", "ff embd"),
    "mlp.down_proj": Part("ffn_down", "embd ff"),
}
NORMS = {
    "input_layernorm": Part("attn_norm", "embd"),
    "post_attention_layernorm": Part("ffn_norm", "embd"),
}
HEAD_NORMS = {
    "self_attn.q_norm": Part("attn_q_norm", "head"),
    "self_attn.k_norm": Part("attn_k_norm", "head"),
}
DENSE = MappingProxyType({**NORMS, **ATTENTION, **FEED_FORWARD})

# Tensors that are F32 whatever their shape, by the end of their GGUF name.
_ALWAYS_F32 = (
    "_norm.weight",
    ".ffn_gate_inp.weight",
    ".ffn_gate_inp_shexp.weight",
    ".ssm_conv1d.weight",
    ".shortconv.conv.weight",
)
# What the converter leaves out of a text model: parts that see and hear, and buffers.
_NOT_TEXT_PREFIXES = (
    "mlp",
    "vit.",
    "vpm.",
    "siglip2.",
    "conformer.",
    "merger.",
    "resampler.",
    "sound_encoder.",
    "sound_projection.",
    "speech_embeddings.",
)
_NOT_TEXT = (
    "visual.",
    "vision.",
    "audio.",
    "talker.",
    "vision_",
    "audio_",
    "token2wav.",
    "code2wav.",
    "projector.",
    "pre_mm_projector_norm",
    "image_newline",
    "view_seperator",
    "patch_embed",
    "patch_merger.",
    "patch_merge_mlp.",
    "model.connector.",
)
_BUFFERS = (".attention.masked_bias", ".attention.bias", ".rotary_emb.inv_freq")
_TEXT_ONLY = QT_TRANSLATE_NOOP(
    "arch", "Only the model of text is converted: what lets it see or hear is left out."
)
# How names begin in a checkpoint of the model without its head.
_WITHOUT_HEAD = ("layers.", "embed_tokens.", "norm.")


class Family:
    """One checkpoint seen as a model of this family. Families override tables and methods.

    `defaults` are the values that transformers' config class has for keys which config.json may
    leave out (those that are read here); `default_theta` None stands for a family that it does not
    know. `derives_head_dim`: whether that class computes `head_dim`.
    """

    class_names: ClassVar[tuple[str, ...]] = ()  # config.json's `architectures`; (): any
    architecture: ClassVar[str]  # general.architecture
    vocabulary: ClassVar[VocabStyle] = VocabStyle.GPT2
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    default_theta: ClassVar[float | None] = 10000.0
    derives_head_dim: ClassVar[bool] = False
    top: ClassVar[Mapping[str, Part]] = MappingProxyType(EMBEDDING)
    layer: ClassVar[Mapping[str, Part]] = DENSE
    experts: ClassVar[Mapping[str, Part]] = MappingProxyType({})  # "mlp.experts.gate_proj": one's

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.config = self.complete(hparams.completed(checkpoint.config, self.defaults))
        self.rope = self.find_rope()

    # Its numbers

    def complete(self, config: Config) -> Config:
        """What transformers' config class computes from its other values."""
        values = dict(config.values)
        if values.get("num_key_value_heads") is None and "num_attention_heads" in values:
            values["num_key_value_heads"] = values["num_attention_heads"]
        if self.derives_head_dim and values.get("head_dim") is None:
            n_head = positive(config, *parameters.HEADS)
            values["head_dim"] = positive(config, *parameters.EMBEDDING) // n_head
        return hparams.with_values(config, values)

    def find_rope(self) -> Config:
        return hparams.rope_parameters(self.config, self.default_theta, self.defaults)

    @property
    def rope_full(self) -> Config:
        """What holds for layers with full attention."""
        return hparams.of_full_attention(self.rope)

    @cached_property
    def n_layer(self) -> int:
        n_layer = positive(self.config, *parameters.LAYERS)
        if n_layer > len(self.checkpoint.tensors):
            name = f"model.layers.{n_layer - 1}.*"
            raise errors.missing_tensor(self.checkpoint.folder, name)
        return n_layer

    @cached_property
    def n_head(self) -> int:
        return positive(self.config, *parameters.HEADS)

    @cached_property
    def n_head_kv(self) -> int:
        return positive(self.config, *parameters.HEADS_KV)

    @cached_property
    def n_embd(self) -> int:
        return positive(self.config, *parameters.EMBEDDING)

    @cached_property
    def head_dim(self) -> int:
        if self.config.get("head_dim") is not None:
            return positive(self.config, "head_dim")
        if self.n_embd < self.n_head:
            raise errors.bad_value(self.config.path, parameters.HEADS[0], self.n_head)
        return self.n_embd // self.n_head

    def dimensions(self) -> dict[str, int]:
        """The lengths that shapes are made of, by the names `Part.shape` has."""
        return {
            "vocab": positive(self.config, "vocab_size"),
            "embd": self.n_embd,
            "ff": positive(self.config, *parameters.FEED_FORWARD),
            "q": self.n_head * self.head_dim,
            "kv": self.n_head_kv * self.head_dim,
            "head": self.head_dim,
        }

    @cached_property
    def _dimensions(self) -> dict[str, int]:
        return self.dimensions()

    @property
    def is_tied(self) -> bool:
        """Whether the output matrix is the embedding matrix."""
        return bool(self.config.get("tie_word_embeddings", default=True))

    # Its keys

    def write_first(self, out: Parameters) -> None:
        """Keys that the converter sets while it reads tensors: they precede `general.type`."""

    def write_parameters(self, out: Parameters) -> None:
        """The family's keys in the converter's order; `general.file_type` is not among them."""
        parameters.write_standard(out, self.config, self.rope, self.n_layer)

    # Its tensors

    def plain_name(self, name: str) -> str | None:
        """`name` as the tables spell it; None for what a text model does without."""
        if _is_not_text(name) or name.endswith(_BUFFERS):
            return None
        plain = name.replace("language_model.", "")
        return f"model.{plain}" if plain.startswith(_WITHOUT_HEAD) else plain

    def weights(self) -> tuple[Weight, ...]:
        """All of the model's tensors, in the checkpoint's order. Raises QuantizeError."""
        made: dict[str, Weight] = {}
        experts: dict[tuple[str, str], dict[int, Tensor]] = {}
        for name, tensor in self.checkpoint.tensors.items():
            plain = self.plain_name(name)
            if plain is None:
                continue
            if self.experts and (found := _EXPERT.fullmatch(plain)):
                members = experts.setdefault((found[1], found[3]), {})
                self._add_member(members, int(found[2]), tensor)
                continue
            self._add(made, self.convert(plain, tensor))
        for (prefix, rest), members in experts.items():
            self._add(made, [self._stack(f"{prefix}.{rest}", members)])
        self._add(made, self.extra_weights())
        self._check_complete(made)
        return tuple(made.values())

    def convert(self, name: str, tensor: Tensor) -> Iterable[Weight]:
        """What one tensor becomes; `name` is its plain name."""
        part, new_name = self.find(name, tensor)
        self.check_shape(tensor, tensor.shape, part, new_name)
        yield self.weight(new_name, tensor, self.change(name, tensor))

    def change(self, name: str, tensor: Tensor) -> Rows:
        """The tensor's numbers in the order, and with the values, that llama.cpp wants."""
        del name
        return tensor.rows

    def extra_weights(self) -> Iterable[Weight]:
        """Tensors that no tensor of the checkpoint becomes."""
        return ()

    def warnings(self) -> tuple[Message, ...]:
        """What a person should know before the work begins."""
        is_left_out = any(_is_not_text(name) for name in self.checkpoint.tensors)
        return (_TEXT_ONLY,) if is_left_out else ()

    # Helpers for families

    def find(self, name: str, tensor: Tensor) -> tuple[Part, str]:
        """What the tables say about `name`, and its GGUF name. Raises UnsupportedError."""
        module, suffix = _split_suffix(name)
        if part := {**self.top, **self._output}.get(module):
            return part, part.name + suffix
        found = _LAYER.fullmatch(module)
        part = self._in_layers.get(found[2]) if found else None
        if found and part and int(found[1]) < self.n_layer:
            return part, f"blk.{int(found[1])}.{part.name}{suffix}"
        raise errors.unknown_tensor(
            self.checkpoint.folder, tensor.origin, self.checkpoint.config.model_type
        )

    def weight(
        self,
        name: str,
        tensor: Tensor,
        rows: Rows | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> Weight:
        """A weight made of `tensor`; `rows` and `shape` (torch's order) where they are others."""
        shape = tensor.shape if shape is None else shape
        rows = tensor.rows if rows is None else rows
        type_ = self.stored_type(name, shape, tensor.type)
        if type_ in _PLAIN_TYPES and type_ != tensor.type:
            rows = rounded(rows, type_)
        return Weight(name, type_, tuple(reversed(shape)) or (1,), rows, tensor.origin)

    def held(self, name: str, values: Iterable[float]) -> Weight:
        """A vector of the family's own making, float32."""
        array = np.fromiter(values, np.float32)
        return Weight(name, GgmlType.F32, array.shape, Held(array[np.newaxis]), name)

    def stored_type(self, name: str, shape: tuple[int, ...], type_: GgmlType) -> GgmlType:
        """What the converter stores a tensor of `type_` as."""
        if len(shape) <= 1 or name.endswith(_ALWAYS_F32) or not name.endswith(".weight"):
            return GgmlType.F32
        return self.main_type if type_ in _PLAIN_TYPES else type_

    @cached_property
    def main_type(self) -> GgmlType:
        """What the matrices are stored as: the source's type, or a 16-bit one where it has none."""
        named = {type_.name: type_ for type_ in _PLAIN_TYPES}
        if self.checkpoint.source_type in named:
            return named[self.checkpoint.source_type]
        n_elements: Counter[GgmlType] = Counter()
        for tensor in self.checkpoint.tensors.values():
            if len(tensor.shape) > 1 and tensor.type in (GgmlType.F16, GgmlType.BF16):
                n_elements[tensor.type] += math.prod(tensor.shape)
        return n_elements.most_common(1)[0][0] if n_elements else GgmlType.F16

    def check_shape(
        self, tensor: Tensor, shape: tuple[int, ...], part: Part, new_name: str
    ) -> None:
        """Raises CheckpointError where `shape` is not what config.json says."""
        names = part.shape.split()
        if new_name.endswith(".bias"):
            names = names[:1] if len(names) < 3 else names[:2]
        wanted = tuple(
            have if name == "?" else self.dimension(name)
            for name, have in zip(names, (*shape, *(0,) * len(names)), strict=False)
        )
        if shape != wanted:
            raise errors.wrong_shape(self.checkpoint.folder, tensor.origin, shape, wanted)

    def dimension(self, name: str) -> int:
        """A dimension's length; "2*ff" is twice that of "ff", "q+kv" the sum of two."""
        return sum(
            math.prod(int(f) if f.isdigit() else self._dimensions[f] for f in term.split("*"))
            for term in name.split("+")
        )

    # Inside

    @cached_property
    def _in_layers(self) -> Mapping[str, Part]:
        return {**self.layer, **self.experts}

    @cached_property
    def _output(self) -> Mapping[str, Part]:
        return {"lm_head": Part("output", "vocab embd", optional=not self.needs_output)}

    @property
    def needs_output(self) -> bool:
        names = self.config.architectures
        return not self.is_tied and any("For" in name for name in names)

    def needs_bias(self, module: str) -> bool:
        """Whether config.json promises that `module` of every layer has a bias."""
        if module.startswith("self_attn.") and module.endswith("_proj"):
            return self.config.get("attention_bias") is True
        return module.startswith("mlp.") and self.config.get("mlp_bias") is True

    def _add(self, made: dict[str, Weight], weights: Iterable[Weight]) -> None:
        for weight in weights:
            if weight.name in made:
                raise errors.double_tensor(self.checkpoint.folder, weight.origin, weight.name)
            made[weight.name] = weight

    def _add_member(self, members: dict[int, Tensor], index: int, tensor: Tensor) -> None:
        if index in members or index >= self.dimension("expert"):
            raise errors.unknown_tensor(
                self.checkpoint.folder, tensor.origin, self.checkpoint.config.model_type
            )
        members[index] = tensor

    def _stack(self, name: str, members: Mapping[int, Tensor]) -> Weight:
        """One weight of all experts. Raises CheckpointError where one is missing."""
        first = next(iter(members.values()))
        part, new_name = self.find(name, first)
        n_expert = self.dimension("expert")
        for index in range(n_expert):
            if index not in members:
                missing = name.replace(".experts.", f".experts.{index}.")
                raise errors.missing_tensor(self.checkpoint.folder, missing)
            self.check_shape(members[index], members[index].shape, part, new_name)
        shape = (n_expert, *first.shape)
        rows = stacked([self.typed(members[i], new_name, shape) for i in range(n_expert)])
        type_ = self.stored_type(new_name, shape, first.type)
        return Weight(new_name, type_, tuple(reversed(shape)), rows, first.origin)

    def typed(self, tensor: Tensor, new_name: str, shape: tuple[int, ...]) -> Rows:
        """The tensor's rows with its numbers as the stored type holds them."""
        return self.weight(new_name, tensor, None, shape).rows

    def _check_complete(self, made: Mapping[str, Weight]) -> None:
        for module, part in {**self.top, **self._output}.items():
            if not part.optional and f"{part.name}.weight" not in made:
                raise errors.missing_tensor(self.checkpoint.folder, f"{module}.weight")
        for module, suffix in self._needed_in_layers():
            new_name = self._in_layers[module].name + suffix
            for i in range(self.n_layer):
                if self.has(i, module) and f"blk.{i}.{new_name}" not in made:
                    name = f"model.layers.{i}.{module}{suffix}"
                    raise errors.missing_tensor(self.checkpoint.folder, name)

    def has(self, i_layer: int, module: str) -> bool:
        """Whether layer `i_layer` has `module` at all, in families whose layers differ."""
        del i_layer, module
        return True

    def _needed_in_layers(self) -> Iterator[tuple[str, str]]:
        for module, part in self._in_layers.items():
            if not part.optional:
                yield module, ".weight"
            if self.needs_bias(module):
                yield module, ".bias"


def _is_not_text(name: str) -> bool:
    return name.startswith(_NOT_TEXT_PREFIXES) or any(part in name for part in _NOT_TEXT)


def _split_suffix(name: str) -> tuple[str, str]:
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ".weight"


def stacked(parts: list[Rows]) -> Rows:
    """The rows of all `parts`, one after the other; as blocks where all are blocks."""
    raw = [part for part in parts if isinstance(part, RawRows)]
    return RawStacked(tuple(raw)) if len(raw) == len(parts) else Stacked(tuple(parts))


def plus_one(tensor: Tensor) -> Rows:
    """The tensor's numbers plus one, computed as its type computes: halves stay halves."""
    if tensor.type == GgmlType.F16:
        return Mapped(tensor.rows, _f16_plus_one)
    return Mapped(tensor.rows, _plus_one)


def _plus_one(values: F32Array) -> F32Array:
    return values + np.float32(1)


def _f16_plus_one(values: F32Array) -> F32Array:
    return to_f16(values + np.float32(1))
