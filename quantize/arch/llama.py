"""Llama 2 and 3, and what is built like them: TinyLlama, SmolLM2, Yi and many more.

Hugging Face keeps the halves of each attention head one after the other, llama.cpp interleaves
them, so the rows of the query and key matrices are reordered. Llama 3.1's stretched positions
become a tensor of factors.

Source: llama.cpp at 0c1e57098, conversion/llama.py (LlamaModel); transformers 5.23.0,
models/llama/configuration_llama.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from quantize.arch import errors
from quantize.arch.base import Family
from quantize.arch.parameters import Parameters, write_standard
from quantize.config import Config
from quantize.model import Weight
from quantize.rows import F32Array, Gathered, Mapped, Rows
from quantize.tensors import Tensor
from quantize.tokenizer import VocabStyle


class Llama(Family):
    class_names: ClassVar[tuple[str, ...]] = (
        "LlamaForCausalLM",
        "LLaMAForCausalLM",
        "LlamaModel",
    )
    architecture = "llama"
    vocabulary = VocabStyle.LLAMA
    derives_head_dim = True
    permutes: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "vocab_size": 32000,
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": False,
        }
    )

    def write_parameters(self, out: Parameters) -> None:
        write_standard(out, self.config, self.rope, self.n_layer)
        out.count_of("vocab_size", self.config, "vocab_size")
        out.u32("rope.dimension_count", self.head_dim)

    def change(self, name: str, tensor: Tensor) -> Rows:
        if self.permutes and name.endswith(("q_proj.weight", "q_proj.bias")):
            return self.interleave(tensor, self.n_head)
        if self.permutes and name.endswith(("k_proj.weight", "k_proj.bias")):
            return self.interleave(tensor, self.n_head_kv)
        return tensor.rows

    def interleave(self, tensor: Tensor, n_head: int) -> Rows:
        """A matrix, or a bias, with the halves of each of its `n_head` heads interleaved."""
        if tensor.shape[0] % (2 * n_head):
            raise errors.bad_value(self.config.path, "num_attention_heads", n_head)
        index = interleaved(tensor.shape[0], n_head)
        if len(tensor.shape) > 1:
            return Gathered(tensor.rows, index)

        def in_order(values: F32Array) -> F32Array:
            return np.ascontiguousarray(values[:, index])

        return Mapped(tensor.rows, in_order)

    def extra_weights(self) -> Iterable[Weight]:
        if self.rope_full.get("rope_type") is None:
            return
        if self.rope_full.text("rope_type").lower() == "llama3":
            yield self.held("rope_freqs.weight", llama3_factors(self.rope_full, self.head_dim))


def interleaved(n_rows: int, n_head: int) -> npt.NDArray[np.int64]:
    """Where each row comes from: (n_rows,) int64; `n_rows` is a multiple of 2 * `n_head`."""
    index = np.arange(n_rows, dtype=np.int64)
    return index.reshape(n_head, 2, n_rows // n_head // 2).swapaxes(1, 2).reshape(-1)


def llama3_factors(rope: Config, head_dim: int) -> list[float]:
    """By what each of the `head_dim` / 2 frequencies is divided. Raises CheckpointError.

    In float32 and in torch's steps, where a number over a tensor is the number times the inverse.
    """
    values = Config(rope.folder, {**_LLAMA3_DEFAULTS, **rope.values}, rope.root)
    factor, length = _positive(values, "factor"), _positive(values, _LENGTH)
    low, high = _positive(values, "low_freq_factor"), _positive(values, "high_freq_factor")
    if high <= low:
        raise errors.bad_value(values.path, "high_freq_factor", high)
    one = np.float32(1)
    wavelengths = one / _frequencies(_positive(values, "rope_theta"), head_dim)
    wavelengths *= np.float32(2 * math.pi)
    with np.errstate(all="ignore"):  # where it does not count
        smooth = one / wavelengths * np.float32(length) - np.float32(low)
        smooth /= np.float32(high - low)
        factors = one / ((one - smooth) / np.float32(factor) + smooth)
    factors[wavelengths > np.float32(length / low)] = factor
    factors[wavelengths < np.float32(length / high)] = 1
    return [float(value) for value in factors]


def _frequencies(base: float, head_dim: int) -> F32Array:
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    powers = np.float64(np.float32(base)) ** exponents.astype(np.float64)
    return np.float32(1) / powers.astype(np.float32)


_LENGTH = "original_max_position_embeddings"
_LLAMA3_DEFAULTS = {
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    _LENGTH: 8192,
}


def _positive(values: Config, key: str) -> float:
    value = values.real(key)
    if not 1e-6 < value < 1e15:
        raise errors.bad_value(values.path, key, value)
    return value
