"""A ModelShape without a header: from a geometry and the size of a file, for the catalogue.

Weights are spread evenly over the layers, so a plan over several devices is rougher than a
header's; the sums are as good as the geometry is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from app.core.fit.geometry import Geometry
from app.core.fit.shape import Layer, ModelShape, Work
from app.core.fit.windows import period_of, periodic

_EMBEDDING_BPW = {"F32": 32.0, "F16": 16.0, "BF16": 16.0}
_LEAST_EMBEDDING_BPW = 6.5625  # Q6_K, as llama.cpp chooses for most variants
_TEXT_BYTES = 33  # of a token and a merge, with their lengths
_STATE_BYTES = 4
_HEAD = 128  # of linear attention
_BACK = 3  # tokens that a convolution looks back on
_SIZES = re.compile(r"^(UD-)?(.*?)(_(XXS|XS|S|M|L|XL|MOE))?$")  # of "Q4_K_M": "Q4_K"


def shape_from(
    geometry: Geometry,
    architecture: str,
    variant: str,
    file_bytes: int,
    n_params: int,
    n_params_active: int,
    n_ctx_train: int,
    mmproj_bytes: int = 0,
) -> ModelShape:
    """What a file of `file_bytes` bytes and this geometry will come to."""
    g = geometry
    embedding = _embedding_bytes(g, variant, file_bytes, n_params)
    inside = max(file_bytes - _input_bytes(g, embedding) - (0 if g.is_tied else embedding), 0)
    layer_bytes = inside // max(g.n_layers, 1)
    active = _active_share(g, n_params, n_params_active)
    each_token = round(layer_bytes * active)
    matrices = ((main_type(variant), layer_bytes),)
    return ModelShape(
        architecture=architecture,
        variant=variant,
        layers=tuple(
            replace(kept, weight_bytes=layer_bytes, active_bytes=each_token, matrices=matrices)
            for kept in _kept(g, architecture)
        ),
        input_bytes=_input_bytes(g, embedding),
        output_bytes=embedding,
        is_tied=g.is_tied,
        n_params=n_params,
        n_params_active=n_params_active or n_params,
        n_vocab=g.n_vocab,
        n_embd=g.n_embd,
        n_head=g.n_head,
        n_ff=g.n_ff,
        n_expert=g.n_expert,
        n_expert_used=g.n_expert_used,
        n_ctx_train=n_ctx_train,
        vocab_bytes=g.n_vocab * _TEXT_BYTES,
        n_merges=g.n_vocab,
        mmproj_bytes=mmproj_bytes,
        file_bytes=file_bytes,
        work=_work(g, architecture),
    )


def _embedding_bytes(g: Geometry, variant: str, file_bytes: int, n_params: int) -> int:
    """Of one matrix of the vocabulary's size, in as many bits as it is usually given."""
    bpw = _EMBEDDING_BPW.get(variant)
    if bpw is None:
        mean = file_bytes * 8 / n_params if n_params else _LEAST_EMBEDDING_BPW
        bpw = max(mean, _LEAST_EMBEDDING_BPW)
    most = file_bytes if g.is_tied else file_bytes // 2
    return min(round(g.n_vocab * g.n_embd * bpw / 8), most)


def _input_bytes(g: Geometry, embedding: int) -> int:
    """With the embeddings for each layer, where there are such."""
    return embedding + round(embedding * g.per_layer * g.n_layers / max(g.n_embd, 1))


def _active_share(g: Geometry, n_params: int, n_params_active: int) -> float:
    """Of a layer's weights, what one token reads. Makers count the output head as active."""
    outside = g.n_vocab * g.n_embd
    if not g.n_expert or not outside < n_params_active < n_params:
        return 1.0
    return (n_params_active - outside) / (n_params - outside * (1 if g.is_tied else 2))


def main_type(variant: str) -> str:
    """What most of the matrices of a variant are stored as, by name."""
    found = _SIZES.match(variant)
    return found[2] if found else variant


def _kept(g: Geometry, architecture: str) -> Iterator[Layer]:
    """What each layer keeps; weights are left out."""
    for i, kind in enumerate(_kinds(g, architecture)):
        if i >= g.n_layers - g.n_shared_layers:
            yield Layer(0, 0)
        elif kind == "recurrent":
            yield Layer(0, 0, state_bytes=_state_bytes(g, architecture))
        elif g.kv_lora_rank:
            yield Layer(0, 0, k_width=g.kv_lora_rank + g.rope_dim)
        elif kind == "sliding":
            yield Layer(0, 0, g.n_head_kv * g.head_dim, g.n_head_kv * g.head_dim, g.window)
        else:
            width = (g.n_head_kv_full or g.n_head_kv) * (g.head_dim_full or g.head_dim)
            yield Layer(0, 0, width, width)


def _kinds(g: Geometry, architecture: str) -> tuple[str, ...]:
    """For each layer "full", "sliding" or "recurrent", the full ones spread as in the family."""
    other = "recurrent" if g.others_are_recurrent else "sliding" if g.window else "full"
    if other == "full" or g.n_full_layers >= g.n_layers:
        return ("full",) * g.n_layers
    if not g.n_full_layers:
        return (other,) * g.n_layers
    period, dense_first = period_of(architecture)
    slides = periodic(period or g.n_layers // g.n_full_layers, g.n_layers, dense_first)
    if slides.count(0) != g.n_full_layers:
        slides = _spread(g.n_full_layers, g.n_layers)
    return tuple(other if slide else "full" for slide in slides)


def _spread(n_full: int, n_layers: int) -> tuple[int, ...]:
    full = {(i + 1) * n_layers // n_full - 1 for i in range(n_full)}
    return tuple(int(i not in full) for i in range(n_layers))


def _convolves_only(architecture: str) -> bool:
    return architecture.startswith("lfm2")


def _state_bytes(g: Geometry, architecture: str) -> int:
    """Of a short convolution, or of a gated delta net as Qwen's are."""
    if _convolves_only(architecture):
        return _STATE_BYTES * (_BACK - 1) * g.n_embd
    inner = g.n_head * g.head_dim
    return _STATE_BYTES * (_HEAD * inner + _BACK * _mixed(g, architecture))


def _mixed(g: Geometry, architecture: str) -> int:
    """What enters the convolution: queries, keys and values, or three gates."""
    if _convolves_only(architecture):
        return 3 * g.n_embd
    return g.n_head * g.head_dim + 2 * 16 * _HEAD


def _work(g: Geometry, architecture: str) -> Work:
    queries = g.n_head * max(g.head_dim, g.head_dim_full)
    gated = g.others_are_recurrent and not _convolves_only(architecture)
    return Work(
        queries=queries,
        q_rows=2 * queries if gated else queries,
        n_ff=g.n_ff,
        n_ff_expert=g.n_ff_expert or (g.n_ff if g.n_expert else 0),
        mixed=_mixed(g, architecture) if g.others_are_recurrent else 0,
        inner=queries if gated else 0,
        latent=g.n_head * (4 * _HEAD + 2 * (g.kv_lora_rank + g.rope_dim)) if g.kv_lora_rank else 0,
        per_layer=g.per_layer * g.n_layers,
    )
