"""Checkpoints in memory: a config and tensors by name, no file of weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.checkpoint import Checkpoint
from quantize.config import read_config
from quantize.rows import Held
from quantize.tensors import Tensor
from quantize.types import GgmlType

DTYPES = {"F32": GgmlType.F32, "F16": GgmlType.F16, "BF16": GgmlType.BF16}


def tensor(name: str, values: npt.ArrayLike, dtype: str = "BF16") -> Tensor:
    """`values` must be what `dtype` can hold."""
    array = np.asarray(values, np.float32)
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    return Tensor(name, array.shape, DTYPES[dtype], Held(rows), f"model.safetensors: {name}")


def blank(line: str) -> Tensor:
    """A tensor of small whole numbers, from "NAME DTYPE ROWSxCOLUMNS"."""
    name, dtype, dimensions = line.split()
    shape = tuple(int(n) for n in dimensions.split("x"))
    values = np.arange(math.prod(shape), dtype=np.float32).reshape(shape) % 128
    return tensor(name, values, dtype)


def checkpoint(
    folder: Path, config: Mapping[str, Any], tensors: list[Tensor], source_type: str = "BF16"
) -> Checkpoint:
    """Writes config.json into `folder`, where nothing else has to be."""
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return Checkpoint(
        folder=folder,
        config=read_config(folder),
        tensors={tensor.name: tensor for tensor in tensors},
        source_type=source_type,
        source_bytes=sum(4 * math.prod(tensor.shape) for tensor in tensors),
    )


LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 16,
    "max_position_embeddings": 32,
    "tie_word_embeddings": False,
}
_LLAMA_LAYER = {
    "input_layernorm": "8",
    "post_attention_layernorm": "8",
    "self_attn.q_proj": "8x8",
    "self_attn.k_proj": "4x8",
    "self_attn.v_proj": "4x8",
    "self_attn.o_proj": "8x8",
    "mlp.gate_proj": "12x8",
    "mlp.up_proj": "12x8",
    "mlp.down_proj": "8x12",
}


def llama_tensors(dtype: str = "BF16") -> list[Tensor]:
    """All that `LLAMA` describes."""
    lines = [
        f"model.embed_tokens.weight {dtype} 16x8",
        f"model.norm.weight {dtype} 8",
        f"lm_head.weight {dtype} 16x8",
    ]
    for i in range(2):
        lines += [
            f"model.layers.{i}.{module}.weight {dtype} {shape}"
            for module, shape in _LLAMA_LAYER.items()
        ]
    return [blank(line) for line in lines]
