"""Models of a real one's shape without its weights: for plans, which read next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize.model import MetadataValue, Model, Typed, TypedArray, Weight
from quantize.rows import F32Array
from quantize.types import GgmlType, GgufType


@dataclass(frozen=True)
class Zeros:
    """Rows of any size that take no memory."""

    n_rows: int
    n_cols: int

    @property
    def source_bytes(self) -> int:
        return 2 * self.n_rows * self.n_cols

    def read(self, start: int, stop: int) -> F32Array:
        return np.zeros((stop - start, self.n_cols), np.float32)


@dataclass(frozen=True)
class Shape:
    """A llama's. `n_head_kv` heads of keys and values are `n_embd_kv` wide together."""

    n_layer: int
    n_embd: int
    n_ff: int
    n_vocab: int
    n_head: int
    n_head_kv: int

    @property
    def n_embd_kv(self) -> int:
        return self.n_embd // self.n_head * self.n_head_kv


LLAMA_8B = Shape(32, 4096, 14336, 128256, 32, 8)
LLAMA_70B = Shape(80, 8192, 28672, 128256, 64, 8)
SMALL = Shape(2, 288, 768, 320, 6, 1)  # 288 numbers fill no block of 256, 768 three


def shaped(shape: Shape, *, with_words: bool = False) -> Model:
    """A BF16 llama; `with_words`: with a vocabulary in its metadata."""
    weights = tuple(
        Weight(name, GgmlType.F32 if len(size) == 1 else GgmlType.BF16, size, _rows(size), name)
        for name, size in _sizes(shape).items()
    )
    return Model(
        path=Path("/nowhere/Shaped"),
        name="Shaped",
        metadata=_metadata(shape) | (_words(shape) if with_words else {}),
        weights=weights,
        source_type="BF16",
        source_bytes=sum(weight.n_bytes for weight in weights),
    )


def _rows(size: tuple[int, ...]) -> Zeros:
    return Zeros(size[1] if len(size) > 1 else 1, size[0])


def _sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    wide, ff, kv = shape.n_embd, shape.n_ff, shape.n_embd_kv
    sizes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (wide, shape.n_vocab),
        "output.weight": (wide, shape.n_vocab),
        "output_norm.weight": (wide,),
    }
    for i in range(shape.n_layer):
        layer: dict[str, tuple[int, ...]] = {
            "attn_norm": (wide,),
            "attn_q": (wide, wide),
            "attn_k": (wide, kv),
            "attn_v": (wide, kv),
            "attn_output": (wide, wide),
            "ffn_norm": (wide,),
            "ffn_gate": (wide, ff),
            "ffn_up": (wide, ff),
            "ffn_down": (ff, wide),
        }
        sizes |= {f"blk.{i}.{name}.weight": size for name, size in layer.items()}
    return sizes


def _metadata(shape: Shape) -> dict[str, MetadataValue]:
    numbers = {
        "block_count": shape.n_layer,
        "context_length": 8192,
        "embedding_length": shape.n_embd,
        "feed_forward_length": shape.n_ff,
        "attention.head_count": shape.n_head,
        "attention.head_count_kv": shape.n_head_kv,
        "rope.dimension_count": shape.n_embd // shape.n_head,
        "vocab_size": shape.n_vocab,
    }
    return {
        "general.architecture": Typed(GgufType.STRING, "llama"),
        "general.name": Typed(GgufType.STRING, "Shaped"),
        **{f"llama.{key}": Typed(GgufType.UINT32, value) for key, value in numbers.items()},
        "llama.attention.layer_norm_rms_epsilon": Typed(GgufType.FLOAT32, 1e-5),
    }


def _words(shape: Shape) -> dict[str, MetadataValue]:
    words = [f"word{i}" for i in range(shape.n_vocab)]
    merges = [f"w{i} {i}" for i in range(2 * shape.n_vocab)]
    return {
        "tokenizer.ggml.model": Typed(GgufType.STRING, "gpt2"),
        "tokenizer.ggml.tokens": TypedArray(GgufType.STRING, len(words), words),
        "tokenizer.ggml.token_type": TypedArray(GgufType.INT32, len(words), [1] * len(words)),
        "tokenizer.ggml.merges": TypedArray(GgufType.STRING, len(merges), merges),
    }
