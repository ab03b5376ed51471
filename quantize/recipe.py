"""Which tensor gets which type and what the file's metadata become, as llama.cpp would have it.

Its rules (which layers get more bits, what happens to columns that do not fill a block, how the
options interact) change from release to release; a second copy of them would drift. So types and
order come from llama.cpp's own dry run (`dry_run`); here they meet the weights, and whatever it
would let pass but cannot be done is refused.

Source: llama.cpp at 0c1e57098, src/llama-quant.cpp (llama_model_quantize_impl).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quantize import native
from quantize.dry_run import Decision, decide
from quantize.errors import UnsupportedError
from quantize.gguf_writer import ALIGNMENT
from quantize.job import Recipe
from quantize.messages import QT_TRANSLATE_NOOP, Message
from quantize.model import MetadataValue, Model, Typed, Weight
from quantize.options import NOT_FOR_WEIGHTS, override_value
from quantize.types import FileType, GgmlType, GgufType

_QUANT_VERSION = 2  # GGML_QNT_VERSION in ggml/include/ggml.h
_SPLIT_KEYS = ("split.no", "split.count", "split.tensors.count")
_BLOCK = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of `weight`, which the file calls `name` (another where layers were pruned).

    `wanted` is the type that the recipe asked for where the tensor cannot take it, for `reason`.
    """

    weight: Weight
    name: str
    type: GgmlType
    wanted: str
    reason: Message | None
    requires_imatrix: bool


def choose_types(
    model: Model, file_type: FileType, recipe: Recipe, has_imatrix: bool, work_dir: Path
) -> tuple[Choice, ...]:
    """The choice for every tensor that stays, in the order llama.cpp writes them.

    Raises UnsupportedError where llama.cpp cannot use the model or the options, OutputError where
    `work_dir` takes no file.
    """
    _check_pruned(model, recipe)
    weights = {weight.name: weight for weight in model.weights}
    choices = tuple(
        _choice(weights[decision.source_name], decision, file_type)
        for decision in decide(model, file_type, recipe, has_imatrix, work_dir)
    )
    for choice in choices:
        _check_possible(model.path, choice)
    return choices


def output_metadata(model: Model, file_type: FileType, recipe: Recipe) -> dict[str, MetadataValue]:
    """All keys in the order llama.cpp writes them: the model's, the two of every quantized file,
    the overrides, and the number of layers where some were pruned. Raises UnsupportedError."""
    values: dict[str, MetadataValue] = {
        key: value for key, value in model.metadata.items() if _is_kept(key, value)
    }
    _set(values, "general.quantization_version", Typed(GgufType.UINT32, _QUANT_VERSION))
    _set(values, "general.file_type", Typed(GgufType.UINT32, int(file_type)))
    for override in recipe.override_kv:
        _set(values, override.key, override_value(model.path, override))
    if recipe.prune_layers:
        left = len(_blocks(model)) - len(set(recipe.prune_layers))
        _set(values, f"{model.architecture}.block_count", Typed(GgufType.UINT32, left))
    return values


def _is_kept(key: str, value: MetadataValue) -> bool:
    """Not what was true of the source's files only. llama.cpp copies another alignment, though it
    aligns to 32 bytes, and cannot read the result."""
    if key == "general.alignment":
        return isinstance(value, Typed) and value.value == ALIGNMENT
    return key not in _SPLIT_KEYS


def _set(values: dict[str, MetadataValue], key: str, value: Typed) -> None:
    """As gguf_set_val: an existing key goes, the new one comes last."""
    values.pop(key, None)
    values[key] = value


def _blocks(model: Model) -> Sequence[int]:
    found = (_BLOCK.search(weight.name) for weight in model.weights)
    return sorted({int(match[1]) for match in found if match})


def _check_pruned(model: Model, recipe: Recipe) -> None:
    blocks = _blocks(model)
    for layer in recipe.prune_layers:
        if layer not in blocks:
            text = _NO_LAYER.fill(layer=layer, last=max(blocks, default=0))
            raise UnsupportedError(model.path, text)
    if recipe.prune_layers and len(set(recipe.prune_layers)) >= len(blocks):
        raise UnsupportedError(model.path, _ALL_PRUNED)


def _choice(weight: Weight, decision: Decision, file_type: FileType) -> Choice:
    wanted, reason = "", None
    if decision.fallback is not None:
        wanted = decision.fallback.wanted.name
        n_cols, block = decision.fallback.n_cols, decision.fallback.block
        reason = _FELL_BACK.fill(n_cols=n_cols, block=block, type=wanted)
    needs_matrix = _needs_matrix(decision.name, decision.type, file_type)
    return Choice(weight, decision.name, decision.type, wanted, reason, needs_matrix)


def _needs_matrix(name: str, type_: GgmlType, file_type: FileType) -> bool:
    """llama.cpp's own rule, which its dry run tells for the whole file only; and where it does not
    ask for a matrix but its encoder aborts without one.

    Source: tensor_requires_imatrix in src/llama-quant.cpp, ggml_quantize_requires_imatrix.
    """
    if native.requires_importance(type_):
        return True
    if name in ("token_embd.weight", "per_layer_token_embd.weight", "output.weight"):
        return False
    if type_ is GgmlType.Q2_K:
        return file_type is FileType.Q2_K_S
    return type_ in _BLIND_TYPES


_BLIND_TYPES = frozenset(
    (
        *(GgmlType.IQ3_XXS, GgmlType.IQ2_XXS, GgmlType.IQ2_XS, GgmlType.IQ2_S),
        *(GgmlType.IQ1_M, GgmlType.IQ1_S),
    )
)


def _check_possible(path: Path, choice: Choice) -> None:
    """Raises UnsupportedError for what llama.cpp's dry run lets pass and its quantizers abort on:
    types that an option names are not fitted to the rows, and not every type can be read."""
    n_cols, block = choice.weight.shape[0], choice.type.block_size
    if n_cols % block:
        text = _DOES_NOT_FIT.fill(tensor=choice.name, type=choice.type.name)
        reason = _FELL_BACK.fill(n_cols=n_cols, block=block, type=choice.type.name)
        raise UnsupportedError(path, text, reason)
    source_type = choice.weight.type
    if choice.type is not source_type and source_type in NOT_FOR_WEIGHTS:
        text = _NO_WAY_BACK.fill(tensor=choice.weight.name, type=source_type.name)
        raise UnsupportedError(path, text)


_NO_LAYER = QT_TRANSLATE_NOOP("recipe", "There is no layer {layer}: the last one is {last}.")
_ALL_PRUNED = QT_TRANSLATE_NOOP("recipe", "At least one layer has to stay.")
_FELL_BACK = QT_TRANSLATE_NOOP(
    "recipe", "Its rows of {n_cols} numbers do not fill blocks of {block}, as {type} needs."
)
_DOES_NOT_FIT = QT_TRANSLATE_NOOP("recipe", "{tensor} cannot be stored as {type}.")
_NO_WAY_BACK = QT_TRANSLATE_NOOP("recipe", "{tensor} is stored as {type}, which is no weight's.")
