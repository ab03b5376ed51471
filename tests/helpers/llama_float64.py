"""A tiny llama whose importance matrix is computed here a second time, in float64 numpy.

Random F32 weights as a GGUF that llama.cpp runs (one token per byte of text), and a forward pass
of its own: what llama.cpp does must come out of the papers' formulas, not out of `quantize`.

Source: RMSNorm (arXiv 1910.07467), RoPE over neighbouring pairs (2104.09864), grouped heads
(2305.13245), SwiGLU (2002.05202); experts: softmax, the best two, weighed to 1 (2401.04088).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.helpers.gguf_files import F32, FLOAT32, INT32, Tensor, Typed, write_gguf

F64 = npt.NDArray[np.float64]
BOS, FIRST_BYTE = 1, 3
_N_VOCAB = FIRST_BYTE + 256
_EPSILON = 1e-5


@dataclass(frozen=True)
class Shape:
    """`n_expert` 0: one feed-forward network per layer."""

    n_embd: int = 64
    n_ff: int = 96
    n_head: int = 4
    n_head_kv: int = 2
    n_layer: int = 2
    n_expert: int = 0
    n_used: int = 2

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head


@dataclass(frozen=True)
class Tiny:
    """`weights[name]`: (n_expert,) n_out, n_in, float64 of the file's float32."""

    path: Path
    shape: Shape
    weights: Mapping[str, F64]


def write_tiny_llama(path: Path, shape: Shape, seed: int = 0) -> Tiny:
    random = np.random.default_rng(seed)
    tensors, weights = [], {}
    for name, dims in _shapes(shape).items():
        is_norm = "norm" in name
        values = random.normal(1.0 if is_norm else 0.0, 0.3 if is_norm else 0.12, dims[::-1])
        stored = values.astype("<f4")
        tensors.append(Tensor(name, F32, dims, stored.tobytes()))
        weights[name] = stored.astype(np.float64)
    write_gguf(path, _metadata(shape), tensors)
    return Tiny(path, shape, weights)


def tokens_of(text: str) -> list[int]:
    """As the file's tokenizer: the beginning, then one token per byte; a blank is a “▁”."""
    return [BOS, *(FIRST_BYTE + byte for byte in text.replace(" ", "▁").encode())]


def _shapes(s: Shape) -> dict[str, tuple[int, ...]]:
    """In ggml's order of dimensions."""
    n_kv = s.n_head_kv * s.head_dim
    stack, suffix = ((s.n_expert,), "_exps") if s.n_expert else ((), "")
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm": (s.n_embd,),
        "attn_q": (s.n_embd, s.n_embd),
        "attn_k": (s.n_embd, n_kv),
        "attn_v": (s.n_embd, n_kv),
        "attn_output": (s.n_embd, s.n_embd),
        "ffn_norm": (s.n_embd,),
        f"ffn_gate{suffix}": (s.n_embd, s.n_ff, *stack),
        f"ffn_up{suffix}": (s.n_embd, s.n_ff, *stack),
        f"ffn_down{suffix}": (s.n_ff, s.n_embd, *stack),
    }
    if s.n_expert:
        layer["ffn_gate_inp"] = (s.n_embd, s.n_expert)
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (s.n_embd, _N_VOCAB)}
    for i in range(s.n_layer):
        found |= {f"blk.{i}.{name}.weight": dims for name, dims in layer.items()}
    return found | {"output_norm.weight": (s.n_embd,), "output.weight": (s.n_embd, _N_VOCAB)}


def _metadata(s: Shape) -> dict[str, object]:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    values: dict[str, object] = {
        "general.architecture": "llama",
        "general.name": "Tiny Llama",
        "general.file_type": 0,
        "llama.block_count": s.n_layer,
        "llama.context_length": 512,
        "llama.embedding_length": s.n_embd,
        "llama.feed_forward_length": s.n_ff,
        "llama.attention.head_count": s.n_head,
        "llama.attention.head_count_kv": s.n_head_kv,
        "llama.attention.layer_norm_rms_epsilon": _EPSILON,
        "llama.rope.dimension_count": s.head_dim,
        "llama.vocab_size": _N_VOCAB,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": Typed(FLOAT32, [0.0] * _N_VOCAB),
        "tokenizer.ggml.token_type": Typed(INT32, [2, 3, 3] + [6] * 256),
        "tokenizer.ggml.bos_token_id": BOS,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": False,
    }
    if s.n_expert:
        values |= {"llama.expert_count": s.n_expert, "llama.expert_used_count": s.n_used}
    return values


class Reference:
    """Runs chunks; `sums[name]`: (n_mat, n_in), `counts[name]`: (n_mat,), as a matrix has them."""

    def __init__(self, tiny: Tiny) -> None:
        self._shape = tiny.shape
        self._weights = tiny.weights
        n_expert = tiny.shape.n_expert
        stacked = {n: w for n, w in tiny.weights.items() if n.startswith("blk.") and w.ndim > 1}
        self.sums = {
            n: np.zeros((w.shape[0] if w.ndim > 2 else 1, w.shape[-1])) for n, w in stacked.items()
        }
        self.counts = {n: np.zeros(n_expert if w.ndim > 2 else 1) for n, w in stacked.items()}

    def read(self, tokens: Sequence[int]) -> None:
        x = self._weights["token_embd.weight"][list(tokens)]
        for i in range(self._shape.n_layer):
            x = x + self._attend(f"blk.{i}.", self._norm(x, f"blk.{i}.attn_norm"))
            h = self._norm(x, f"blk.{i}.ffn_norm")
            x = x + (self._experts if self._shape.n_expert else self._feed)(f"blk.{i}.", h)

    def _norm(self, x: F64, name: str) -> F64:
        scale = 1 / np.sqrt(np.square(x).mean(axis=1, keepdims=True) + _EPSILON)
        return x * scale * self._weights[f"{name}.weight"]

    def _times(self, name: str, x: F64, expert: int | None = None) -> F64:
        """The product with a weight, whose input is counted."""
        full = f"{name}.weight"
        self.sums[full][expert or 0] += np.square(x).sum(axis=0)
        self.counts[full][expert or 0] += len(x)
        weight = self._weights[full]
        return x @ (weight if expert is None else weight[expert]).T

    def _attend(self, layer: str, x: F64) -> F64:
        s = self._shape
        q = _rotated(self._times(f"{layer}attn_q", x).reshape(len(x), s.n_head, -1))
        k = _rotated(self._times(f"{layer}attn_k", x).reshape(len(x), s.n_head_kv, -1))
        v = self._times(f"{layer}attn_v", x).reshape(len(x), s.n_head_kv, -1)
        group = s.n_head // s.n_head_kv
        future = np.triu(np.full((len(x), len(x)), -np.inf), 1)
        heads = [
            _softmax(q[:, h] @ k[:, h // group].T / math.sqrt(s.head_dim) + future)
            @ v[:, h // group]
            for h in range(s.n_head)
        ]
        return self._times(f"{layer}attn_output", np.concatenate(heads, axis=1))

    def _feed(self, layer: str, x: F64, expert: int | None = None) -> F64:
        suffix = "" if expert is None else "_exps"
        gate = self._times(f"{layer}ffn_gate{suffix}", x, expert)
        up = self._times(f"{layer}ffn_up{suffix}", x, expert)
        return self._times(f"{layer}ffn_down{suffix}", gate / (1 + np.exp(-gate)) * up, expert)

    def _experts(self, layer: str, x: F64) -> F64:
        odds = _softmax(self._times(f"{layer}ffn_gate_inp", x))
        chosen = np.argsort(-odds, axis=1)[:, : self._shape.n_used]
        shares = np.take_along_axis(odds, chosen, axis=1)
        shares /= shares.sum(axis=1, keepdims=True)
        out = np.zeros_like(x)
        for expert in range(self._shape.n_expert):
            rows, slots = np.nonzero(chosen == expert)
            out[rows] += shares[rows, slots, None] * self._feed(layer, x[rows], expert)
        return out


def _rotated(x: F64) -> F64:
    """Pairs (2i, 2i + 1) turned by their position times 10000^(-2i/d); x: (n, heads, d)."""
    n, _, d = x.shape
    angles = np.outer(np.arange(n), 10000.0 ** (-np.arange(0, d, 2) / d))[:, None, :]
    even, odd = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = even * np.cos(angles) - odd * np.sin(angles)
    out[..., 1::2] = even * np.sin(angles) + odd * np.cos(angles)
    return out


def _softmax(x: F64) -> F64:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
