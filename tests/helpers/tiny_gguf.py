"""Small random models as F32 or BF16 GGUFs, and llama.cpp's own quantizer to hold ours against."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from quantize.libllama import lib
from tests.helpers.gguf_files import F32, Tensor, write_gguf

N_EMBD, N_FF, N_KV, N_VOCAB, N_LAYER, N_EXPERT = 256, 320, 64, 288, 3, 8


def write_tiny(
    path: Path,
    *,
    experts: bool = False,
    seed: int = 0,
    extra: Mapping[str, tuple[int, ...]] | None = None,
) -> Path:
    """A llama of three layers: rows of 320 numbers fill no block of 256, four heads share one."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "output.weight": (N_EMBD, N_VOCAB),
        "output_norm.weight": (N_EMBD,),
        "token_embd.weight": (N_EMBD, N_VOCAB),
    }
    for i in range(N_LAYER):
        shapes |= {f"blk.{i}.{name}": shape for name, shape in _layer(experts).items()}
    shapes |= extra or {}
    tensors = [
        Tensor(name, F32, shape, random.normal(0, 0.1, shape).astype("<f4").tobytes())
        for name, shape in shapes.items()
    ]
    return write_gguf(path, _metadata(experts), tensors)


def _layer(experts: bool) -> dict[str, tuple[int, ...]]:
    stack = (N_EXPERT,) if experts else ()
    suffix = "_exps" if experts else ""
    shapes: dict[str, tuple[int, ...]] = {
        "attn_k.weight": (N_EMBD, N_KV),
        "attn_norm.weight": (N_EMBD,),
        "attn_output.weight": (N_EMBD, N_EMBD),
        "attn_q.weight": (N_EMBD, N_EMBD),
        "attn_v.weight": (N_EMBD, N_KV),
        f"ffn_down{suffix}.weight": (N_FF, N_EMBD, *stack),
        f"ffn_gate{suffix}.weight": (N_EMBD, N_FF, *stack),
        "ffn_norm.weight": (N_EMBD,),
        f"ffn_up{suffix}.weight": (N_EMBD, N_FF, *stack),
    }
    return shapes | ({"ffn_gate_inp.weight": (N_EMBD, N_EXPERT)} if experts else {})


def _metadata(experts: bool) -> dict[str, object]:
    values: dict[str, object] = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "llama.block_count": N_LAYER,
        "llama.context_length": 128,
        "llama.embedding_length": N_EMBD,
        "llama.feed_forward_length": N_FF,
        "llama.attention.head_count": 16,
        "llama.attention.head_count_kv": 4,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": 16,
        "llama.vocab_size": N_VOCAB,
        "general.file_type": 0,
    }
    if experts:
        values |= {"llama.expert_count": N_EXPERT, "llama.expert_used_count": 2}
    return values


@dataclass
class Options:
    """Fields of llama_model_quantize_params; `imatrix`: flat float32 values by tensor."""

    values: Mapping[str, Any] = field(default_factory=dict)
    imatrix: Mapping[str, np.ndarray] = field(default_factory=dict)


def quantize_by_llama(source: Path, out: Path, ftype: int, options: Options | None = None) -> None:
    """llama_model_quantize, in this process."""
    options = options or Options()
    params = lib.llama_model_quantize_default_params()
    params.ftype = ftype
    params.nthread = 2
    for name, value in options.values.items():
        setattr(params, name, value)
    if options.imatrix:
        params.imatrix = _matrix(options.imatrix)
    quiet = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(quiet, None)
    failed = lib.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params))
    lib.llama_log_set(lib.llama_log_callback(), None)
    assert not failed


def _matrix(values: Mapping[str, np.ndarray]) -> Any:
    entries = []
    for name, array in values.items():
        data = np.ascontiguousarray(array, np.float32)
        pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        pointer._array = data  # kept alive
        entries.append(lib.llama_model_imatrix_data(name.encode(), pointer, data.size))
    _kept.append(entries)
    return (lib.llama_model_imatrix_data * (len(entries) + 1))(
        *entries, lib.llama_model_imatrix_data()
    )


_kept: list[Any] = []


def random_matrix(source: Path, seed: int = 1) -> dict[str, np.ndarray]:
    """Mean squares for every weight of a block, as if measured: flat, (n_mat * n_cols,)."""
    from quantize.gguf_header import read_header

    random = np.random.default_rng(seed)
    found = {}
    for tensor in read_header(source).tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) > 1:
            n_mat = tensor.shape[2] if len(tensor.shape) > 2 else 1
            found[tensor.name] = random.uniform(0.01, 2, n_mat * tensor.shape[0]).astype("f4")
    return found
