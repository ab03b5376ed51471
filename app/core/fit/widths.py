"""How wide the steps of a model's graph are, read off its tensors' shapes.

Shapes are the same for a kind of step in every family, while keys have a name of their own in some.
Names as in llama.cpp at 0c1e57098, src/llama-arch.cpp.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from app.core.fit.shape import Work
from quantize.gguf_header import TensorInfo

Shapes = Mapping[str, tuple[int, ...]]
_NONE = (0, 0, 0)
_ROTATED = 64  # of a latent key


def widths_of(tensors: Iterable[TensorInfo]) -> Work:
    """What `tensors` make of one pass."""
    widest = _widest(tensors)
    queries = widest["attn_output.weight"][0]
    return Work(
        queries=queries,
        q_rows=widest["attn_q.weight"][1] or queries,
        n_ff=widest["ffn_down.weight"][0],
        n_ff_expert=widest["ffn_down_exps.weight"][0],
        mixed=widest["ssm_conv1d.weight"][1] or widest["shortconv.in_proj.weight"][1],
        inner=widest["ssm_out.weight"][0],
        projected=widest["ssm_in.weight"][1],
        latent=_latent(widest["attn_k_b.weight"]),
        per_layer=widest["per_layer_token_embd.weight"][0],
        has_streams=widest["altup_proj.weight"] != _NONE,
    )


def _widest(tensors: Iterable[TensorInfo]) -> Shapes:
    """By a tensor's name without its block: the largest of each dimension, three at least."""
    found: dict[str, tuple[int, ...]] = defaultdict(lambda: _NONE)
    for tensor in tensors:
        name = tensor.name
        if name.startswith("blk."):
            name = name.split(".", 2)[-1]
        shape = (*tensor.shape, *_NONE)[:3]
        found[name] = tuple(map(max, found[name], shape))
    return found


def _latent(k_b: tuple[int, ...]) -> int:
    """Of `attn_k_b` (plain head, latent vector, heads): the queries as they come, their plain part,
    folded into the latent space and put together with the rotated part; and what is read there."""
    plain, latent, n_head = k_b
    if not n_head:
        return 0
    return n_head * ((plain + _ROTATED) + plain + (latent + _ROTATED) + latent)
