"""A GGUF header as a ModelShape: where its tensors go and what its layers keep."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from app.core.fit.keeping import Kept, kept_by_layers, n_guessing
from app.core.fit.keys import MAX_LAYERS, Keys
from app.core.fit.shape import Layer, ModelShape
from app.core.fit.widths import widths_of
from quantize.gguf_header import ArrayRef, GgufHeader, TensorInfo

_BLOCK = re.compile(r"blk\.(\d+)\.")
_INPUT = ("token_embd.", "per_layer_token_embd.", "position_embd.", "token_types.")
_EXPERTS = ("_exps.", "_chexps.")
_EMBEDDING, _HEAD = "token_embd.weight", "output.weight"
_ROWS_TOGETHER = 8  # matrices are rewritten in groups of rows


@dataclass(slots=True)
class _Sorted:
    """Tensors by where they go. What belongs to no block, but for embeddings and head, is small:
    it goes with the last layer."""

    blocks: list[list[TensorInfo]]
    inputs: list[TensorInfo] = field(default_factory=list)
    head: list[TensorInfo] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How much text a file's tokens and merges are; 0 where it has none."""

    n_tokens: int = 0
    n_merges: int = 0
    n_bytes: int = 0


def shape_of(
    header: GgufHeader, mmproj_bytes: int = 0, parts: Sequence[GgufHeader] = ()
) -> ModelShape:
    """The model of `header`; `parts` are the headers of a split model's other files.

    Raises GgufError where the file can no longer be read.
    """
    shape = shape_of_tensors(
        Keys(header.architecture, header.metadata),
        [tensor for part in (header, *parts) for tensor in part.tensors],
        _vocabulary(header),
    )
    return replace(
        shape,
        variant=header.variant,
        n_ctx_train=header.n_ctx_train,
        mmproj_bytes=mmproj_bytes,
        file_bytes=sum(part.file_size_bytes for part in (header, *parts)),
    )


def shape_of_tensors(
    keys: Keys, tensors: Sequence[TensorInfo], vocabulary: Vocabulary
) -> ModelShape:
    """Of a model that is known by its numbers and tensors; what only a file has is left out."""
    where = _sort_out(tensors, keys.n_layers - n_guessing(keys))
    share = _used_share(keys)
    embedding = next((t for t in where.inputs if t.name == _EMBEDDING), None)
    used = [*where.inputs, *where.head, *(t for block in where.blocks for t in block)]
    n_params = sum(tensor.n_elements for tensor in used)
    resting = sum(t.n_elements for t in used if _is_expert(t)) * (1 - share)
    return ModelShape(
        architecture=keys.architecture,
        variant="",
        layers=_layers(keys, where.blocks, share),
        input_bytes=_bytes(where.inputs),
        output_bytes=_bytes(where.head or ([embedding] if embedding else [])),
        is_tied=not where.head,
        n_params=n_params,
        n_params_active=n_params - round(resting),
        n_vocab=_n_rows(embedding) or vocabulary.n_tokens,
        n_embd=keys.number("embedding_length") or _n_columns(embedding),
        n_head=max(keys.per_layer("attention.head_count"), default=0),
        n_ff=max(keys.per_layer("feed_forward_length"), default=0),
        n_expert=keys.number("expert_count"),
        n_expert_used=keys.number("expert_used_count"),
        n_ctx_train=keys.number("context_length"),
        vocab_bytes=vocabulary.n_bytes,
        n_merges=vocabulary.n_merges,
        n_guessing=n_guessing(keys),
        work=widths_of(used),
    )


def _layers(keys: Keys, blocks: list[list[TensorInfo]], share: float) -> tuple[Layer, ...]:
    """Without a word on how many layers there are, they keep what their projections make."""
    kept = kept_by_layers(keys) if keys.n_layers else map(_kept_by_tensors, blocks)
    return tuple(_layer(block, keeps, share) for block, keeps in zip(blocks, kept, strict=True))


def _kept_by_tensors(tensors: list[TensorInfo]) -> Kept:
    rows = {t.name.split(".", 2)[-1]: _n_rows(t) for t in tensors}
    return Kept(rows.get("attn_k.weight", 0), rows.get("attn_v.weight", 0))


def _sort_out(tensors: Iterable[TensorInfo], n_layers: int) -> _Sorted:
    """Tensors of layers beyond `n_layers`, which guess further tokens, are left out.

    `n_layers` 0: as many as there are blocks.
    """
    numbered = [(_BLOCK.match(tensor.name), tensor) for tensor in tensors]
    if not n_layers:
        numbers = (int(block[1]) for block, _ in numbered if block)
        n_layers = min(max(numbers, default=0) + 1, MAX_LAYERS)
    result = _Sorted([[] for _ in range(n_layers)])
    for block, tensor in numbered:
        if block:
            if int(block[1]) < n_layers:
                result.blocks[int(block[1])].append(tensor)
        elif tensor.name.startswith(_INPUT):
            result.inputs.append(tensor)
        elif tensor.name == _HEAD:
            result.head.append(tensor)
        else:
            result.blocks[-1].append(tensor)
    return result


def _layer(tensors: list[TensorInfo], kept: Kept, share: float) -> Layer:
    total = _bytes(tensors)
    experts = _bytes(tensor for tensor in tensors if _is_expert(tensor))
    return Layer(
        weight_bytes=total,
        active_bytes=total - round(experts * (1 - share)),
        k_width=kept.k_width,
        v_width=kept.v_width,
        window=kept.window,
        state_bytes=kept.state_bytes,
        matrices=_matrices(tensors),
    )


def _is_expert(tensor: TensorInfo) -> bool:
    return any(mark in tensor.name for mark in _EXPERTS)


def _matrices(tensors: Iterable[TensorInfo]) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for tensor in tensors:
        if len(tensor.shape) > 1 and tensor.shape[1] % _ROWS_TOGETHER == 0:
            found[tensor.type.name] += tensor.n_bytes
    return tuple(sorted(found.items()))


def _used_share(keys: Keys) -> float:
    """Of the experts, the share that one token goes through."""
    n_expert, n_used = keys.number("expert_count"), keys.number("expert_used_count")
    return min(1.0, n_used / n_expert) if n_expert else 1.0


def _bytes(tensors: Iterable[TensorInfo]) -> int:
    return sum(tensor.n_bytes for tensor in tensors)


def _n_rows(tensor: TensorInfo | None) -> int:
    return tensor.shape[1] if tensor is not None and len(tensor.shape) > 1 else 0


def _n_columns(tensor: TensorInfo | None) -> int:
    return tensor.shape[0] if tensor is not None and tensor.shape else 0


def _vocabulary(header: GgufHeader) -> Vocabulary:
    tokens, merges = (
        header.metadata.get(f"tokenizer.ggml.{name}") for name in ("tokens", "merges")
    )
    arrays = [array for array in (tokens, merges) if isinstance(array, ArrayRef)]
    return Vocabulary(
        n_tokens=tokens.count if isinstance(tokens, ArrayRef) else 0,
        n_merges=merges.count if isinstance(merges, ArrayRef) else 0,
        n_bytes=sum(array.size_bytes for array in arrays),
    )
