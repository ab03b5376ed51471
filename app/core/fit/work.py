"""Bytes of working memory: what one pass through the graph needs at its widest point.

ggml reuses the memory of tensors that nobody needs any more, so the buffer is as large as the
tensors alive at the same time are at the worst moment. Which these are was found by holding sums
of widths against llama.cpp's own figures for sixty geometries, as tests/native/test_fit_buffers.py
does again: they differ by a few megabytes at most, above rather than below.

Source: llama.cpp at 0c1e57098, ggml/src/ggml-alloc.c, src/llama-graph.cpp, ggml/src/ggml-cpu/
ggml-cpu.c (ggml_graph_plan).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core import running
from app.core.fit.cache import Setup, n_cells
from app.core.fit.shape import Layer, ModelShape

_F32 = 4
_INDICES = 6  # of each token: its number, its positions, where its keys go
_LATENT_SLACK = 1.04  # scores over a compressed cache leave gaps that nothing fits into
_MIXER_BYTES = 4096  # of a recurrent layer, beside what grows with the tokens


@dataclass(frozen=True, slots=True)
class Part:
    """What of the graph a device computes."""

    has_layers: bool
    has_output: bool
    has_input: bool = False

    @property
    def is_used(self) -> bool:
        return self.has_layers or self.has_output


def compute_bytes(shape: ModelShape, setup: Setup, part: Part) -> int:
    """Of the buffer of one device; the processor (`has_input`) prepares what all others read."""
    width: float = shape.work.per_layer + shape.n_embd
    if part.has_layers:
        width = max(
            _attention(shape, setup),
            _feed_forward(shape, setup),
            _experts(shape),
            _recurrent(shape, setup),
            width,
        )
        width += 2 * shape.work.per_layer
    elif not (part.has_input or part.has_output):
        return 0
    per_token = _masks(shape, setup) + width + _INDICES
    return round(_F32 * setup.n_ubatch * per_token)


def _masks(shape: ModelShape, setup: Setup) -> float:
    """Who may see whom: for all layers with a window one mask, and one for all without."""
    each = 0.5 if setup.flash_attn else 1  # halves, or whole numbers
    cells = {bool(layer.window): n_cells(layer, setup) for layer in shape.layers if layer.k_width}
    return each * sum(cells.values())


def _attention(shape: ModelShape, setup: Setup) -> float:
    """Queries, keys, values and, without flash attention, the scores of all heads."""
    work, attending = shape.work, [layer for layer in shape.layers if layer.k_width]
    if not attending:
        return 0
    keys = max(layer.k_width for layer in attending)
    width = float(3 * shape.n_embd + work.q_rows + work.queries + 2 * keys)
    if work.latent:
        width = 4 * shape.n_embd + work.latent
    if _is_mixed(attending):
        width += 2 * keys
    if work.per_layer:
        width += 2 * shape.n_embd
    if work.has_streams:
        width += 4 * shape.n_embd
    if work.n_ff_expert:
        width += shape.n_embd
    if not setup.flash_attn:
        scores = shape.n_head * max(n_cells(layer, setup) for layer in attending)
        width += scores * (_LATENT_SLACK if work.latent else 1)
    return width


def _is_mixed(attending: list[Layer]) -> bool:
    """Whether some layers have a window and some have none."""
    return len({bool(layer.window) for layer in attending}) > 1


def _feed_forward(shape: ModelShape, setup: Setup) -> int:
    work = shape.work
    if not work.n_ff:
        return 0
    width = 3 * work.n_ff + 3 * shape.n_embd + work.queries
    if not setup.flash_attn:
        width += work.queries + 2 * max((layer.k_width for layer in shape.layers), default=0)
    if setup.kv_type != "f16" and work.queries != shape.n_embd:
        width += work.queries
    return width + (shape.n_embd if work.has_streams else 0)


def _experts(shape: ModelShape) -> int:
    if not shape.work.n_ff_expert:
        return 0
    each = max(3 * shape.work.n_ff_expert, 2 * shape.n_embd)
    return shape.n_expert_used * each + 4 * shape.n_embd + shape.work.queries


def _recurrent(shape: ModelShape, setup: Setup) -> float:
    work = shape.work
    if not work.mixed:
        return 0
    if not work.projected:
        return 3 * shape.n_embd + 3 * work.mixed
    width = work.projected + 2 * work.mixed + 2 * work.inner + shape.n_embd
    widest = max(shape.layers, key=lambda layer: layer.state_bytes)
    if widest.k_width:  # the same layers attend as well
        width += work.queries + 2 * widest.k_width
    return width + (widest.state_bytes + _MIXER_BYTES) / _F32 / setup.n_ubatch


def output_bytes(shape: ModelShape) -> int:
    """The scores of the tokens of one pass, which the processor reads."""
    is_recurrent = any(layer.state_bytes for layer in shape.layers)
    n = running.n_outputs_for(shape.n_vocab, shape.weights_bytes, is_recurrent=is_recurrent)
    return _F32 * shape.n_vocab * n


def scratch_bytes(shape: ModelShape, setup: Setup) -> int:
    """What the processor's kernels convert their input to, one step at a time.

    Without flash attention the scores of all heads, in halves; else the widest vector that a
    quantized matrix is multiplied with.
    """
    work = shape.work
    widest = 1.2 * max(work.n_ff, work.n_ff_expert * shape.n_expert_used, shape.n_embd)
    if not setup.flash_attn:
        cells = (n_cells(layer, setup) for layer in shape.layers if layer.k_width)
        widest = max(widest, 2.0 * shape.n_head * max(cells, default=0))
    return round(setup.n_ubatch * widest)
