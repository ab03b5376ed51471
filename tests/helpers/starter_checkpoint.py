"""A real checkpoint for tests: the starter model's weights and tokenizer in Hugging Face's layout.

The starter is a GGUF of quantized weights; here they are made into BF16 safetensors again, with
config.json, tokenizer.json and the chat template, as its makers published them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize import native
from quantize.gguf_header import ArrayRef, GgufHeader, TensorInfo, read_header

_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def write_starter_checkpoint(gguf: Path, folder: Path) -> Path:
    """Make the folder from the starter's GGUF; 270 MB in one safetensors file."""
    header = read_header(gguf)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(_config(header)))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(header)))
    (folder / "tokenizer_config.json").write_text(json.dumps(_tokenizer_config(header)))
    _write_weights(header, folder / "model.safetensors")
    return folder


def _config(header: GgufHeader) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": header.number("llama.embedding_length"),
        "intermediate_size": header.number("llama.feed_forward_length"),
        "num_hidden_layers": header.number("llama.block_count"),
        "num_attention_heads": header.number("llama.attention.head_count"),
        "num_key_value_heads": header.number("llama.attention.head_count_kv"),
        "vocab_size": header.number("llama.vocab_size"),
        "max_position_embeddings": header.n_ctx_train,
        "rope_theta": 100000,
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }


def _tokenizer(header: GgufHeader) -> dict[str, Any]:
    tokens = _array(header, "tokenizer.ggml.tokens")
    kinds = _array(header, "tokenizer.ggml.token_type")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": i, "content": token, "special": True, **flags}
        for i, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == 3
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {**byte_level, "use_regex": True},
            ],
        },
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": _array(header, "tokenizer.ggml.merges"),
        },
    }


def _tokenizer_config(header: GgufHeader) -> dict[str, Any]:
    return {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|im_end|>",
        "chat_template": header.chat_template,
        "model_max_length": 8192,
    }


def _array(header: GgufHeader, key: str) -> list[Any]:
    value = header.metadata[key]
    assert isinstance(value, ArrayRef)
    return value.read()


def _write_weights(header: GgufHeader, path: Path) -> None:
    names = {tensor.name: _hf_name(tensor.name) for tensor in header.tensors}
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in header.tensors:
        size = 2 * tensor.n_elements
        shape = list(reversed(tensor.shape))
        entries[names[tensor.name]] = {
            "dtype": "BF16",
            "shape": shape,
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in header.tensors:
            file.write(_bf16(_weights(header, tensor)).tobytes())


def _hf_name(name: str) -> str:
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{_NAMES[parts[2]]}.weight"
    return f"{_NAMES[parts[0]]}.weight"


def _weights(header: GgufHeader, tensor: TensorInfo) -> npt.NDArray[np.float32]:
    """The tensor as Hugging Face orders its rows: llama.cpp's rotary pairs taken apart again."""
    with header.path.open("rb") as file:
        file.seek(header.data_offset + tensor.offset)
        data = file.read(tensor.n_bytes)
    n_cols = tensor.shape[0]
    rows = native.dequantize_rows(tensor.type, data, tensor.n_elements // n_cols, n_cols)
    for part, key in ((".attn_q.", "head_count"), (".attn_k.", "head_count_kv")):
        if part in tensor.name:
            n_head = header.number(f"llama.attention.{key}")
            pairs = rows.reshape(n_head, -1, 2, n_cols)
            return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(rows.shape)
    return rows


def _bf16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Rounded to nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
