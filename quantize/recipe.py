"""Which tensor gets which type: llama.cpp itself decides, in a dry run over a header-only file.

Its rules (which layers get more bits, what happens to columns that do not fill a block, how the
options interact) change from release to release; a second copy of them would drift. So the model's
header is written with its data left out (a sparse file of the right size), llama_model_quantize
runs over it with `dry_run`, and what it logs about each tensor is read. What cannot be read, or
does not cover every tensor, is a bug here and raises AssertionError rather than a wrong file.

Rejected: llama_quant_compute_types, which says the same without a log, is C++ and not exported
under a stable name.

Source: llama.cpp at 0c1e57098, src/llama-quant.cpp (llama_model_quantize_impl); the order of
tensors: src/llama-model-loader.h (weight_name_comparer).
"""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantize import native
from quantize.errors import UnsupportedError
from quantize.gguf_writer import header_bytes, lay_out
from quantize.job import KvOverride, Recipe
from quantize.libllama import lib
from quantize.messages import QT_TRANSLATE_NOOP, Message
from quantize.model import MetadataValue, Model, Typed, Weight
from quantize.types import FileType, GgmlType, GgufType

_QUANT_VERSION = 2  # GGML_QNT_VERSION in ggml/include/ggml.h
_NO_TYPE = 43  # GGML_TYPE_COUNT
_KV_CAPACITY = 128  # llama_model_kv_override.key and .val_str
_SPLIT_KEYS = ("split.no", "split.count", "split.tensors.count")
_BLOCK = re.compile(r"blk\.(\d+)\.")
_TENSOR = re.compile(
    r"\[ *\d+/ *\d+\] +(\S+) +- \[[^]]*\], type = +(\S+), size = [^(\n]*(?:\((\S+)\))?"
)
_FALLBACK = re.compile(
    r"warning: (\S+) +- ncols +(\d+) not divisible by +(\d+) \(required for type +(\S+)\)"
)
_TYPES_BY_NAME = {type_.name.lower(): type_ for type_ in GgmlType}
_lock = threading.Lock()


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

    Raises UnsupportedError where llama.cpp cannot use the model or the options.
    """
    kept = _kept_weights(model, recipe)
    log = _dry_run(model, file_type, recipe, has_imatrix, work_dir)
    types, fallbacks = _read_log(log)
    if list(types) != [name for name, _ in kept]:
        raise AssertionError(f"llama.cpp named {list(types)}, expected {kept}")
    return tuple(
        _choice(weight, name, types[name], fallbacks.get(name), file_type) for name, weight in kept
    )


def output_metadata(model: Model, file_type: FileType, recipe: Recipe) -> dict[str, MetadataValue]:
    """All keys in the order llama.cpp writes them: the model's, the two of every quantized file,
    the overrides, and the number of layers where some were pruned."""
    values: dict[str, MetadataValue] = {
        key: value for key, value in model.metadata.items() if key not in _SPLIT_KEYS
    }
    _set(values, "general.quantization_version", Typed(GgufType.UINT32, _QUANT_VERSION))
    _set(values, "general.file_type", Typed(GgufType.UINT32, int(file_type)))
    for override in recipe.override_kv:
        _set(values, override.key, _override_value(model.path, override))
    if recipe.prune_layers:
        n_blocks = len({_block(weight.name) for weight in model.weights} - {None})
        left = Typed(GgufType.UINT32, n_blocks - len(set(recipe.prune_layers)))
        _set(values, f"{model.architecture}.block_count", left)
    return values


def _set(values: dict[str, MetadataValue], key: str, value: Typed) -> None:
    """As gguf_set_val: an existing key goes, the new one comes last."""
    values.pop(key, None)
    values[key] = value


def _block(name: str) -> int | None:
    found = _BLOCK.match(name)
    return int(found[1]) if found else None


def _kept_weights(model: Model, recipe: Recipe) -> list[tuple[str, Weight]]:
    """New name and weight, in llama.cpp's order; pruned layers are left out, later ones move up."""
    ordered = sorted(model.weights, key=lambda weight: _order(weight.name))
    blocks = sorted({b for weight in ordered if (b := _block(weight.name)) is not None})
    _check_pruned(model.path, recipe.prune_layers, blocks)
    left = [block for block in blocks if block not in recipe.prune_layers]
    moved = {block: i for i, block in enumerate(left)} if recipe.prune_layers else {}
    kept = []
    for weight in ordered:
        block = _block(weight.name)
        if block is None or block not in recipe.prune_layers:
            kept.append((_renamed(weight.name, block, moved), weight))
    return kept


def _order(name: str) -> tuple[int, str]:
    block = _block(name)
    return (-1 if block is None else block, name)


def _renamed(name: str, block: int | None, moved: Mapping[int, int]) -> str:
    if block is None or not moved:
        return name
    return _BLOCK.sub(f"blk.{moved[block]}.", name, count=1)


def _check_pruned(path: Path, pruned: Sequence[int], blocks: Sequence[int]) -> None:
    for layer in pruned:
        if layer not in blocks:
            text = _NO_LAYER.fill(layer=layer, last=max(blocks, default=0))
            raise UnsupportedError(path, text)
    if pruned and len(set(pruned)) >= len(blocks):
        raise UnsupportedError(path, _ALL_PRUNED)


def _choice(
    weight: Weight,
    name: str,
    type_: GgmlType,
    fallback: tuple[str, int, int] | None,
    file_type: FileType,
) -> Choice:
    wanted, reason = "", None
    if fallback is not None:
        wanted, n_cols, block = fallback
        reason = _FELL_BACK.fill(n_cols=n_cols, block=block, type=wanted)
    return Choice(weight, name, type_, wanted, reason, _needs_matrix(name, type_, file_type))


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


# --- the dry run ------------------------------------------------------------------------------


def _dry_run(
    model: Model, file_type: FileType, recipe: Recipe, has_imatrix: bool, work_dir: Path
) -> str:
    """What llama.cpp logs. Raises UnsupportedError with its own words as detail."""
    params = _Params(model.path, file_type, recipe, has_imatrix)
    with _header_only(model, work_dir) as path, _lock, _captured_log() as lines:
        out = str(path) + ".out"
        failed = lib.llama_model_quantize(
            str(path).encode(), out.encode(), ctypes.byref(params.struct)
        )
    log = "".join(lines)
    if failed:
        said = re.findall(r"failed to quantize: (.*)", log)
        raise UnsupportedError(
            model.path, _REFUSED, _REFUSED_HINT, said[-1] if said else log[-500:]
        )
    return log


@contextmanager
def _header_only(model: Model, work_dir: Path) -> Iterator[Path]:
    """A GGUF with the model's header and a hole for its data.

    The hole takes no disk on any file system with sparse files; on others (exFAT) it is filled,
    which is why `work_dir` is the system's temporary folder. The vocabulary is left out: types do
    not depend on it, and it is most of a header.
    """
    layout = lay_out((weight.name, weight.shape, weight.type) for weight in model.weights)
    values = {k: v for k, v in model.metadata.items() if not k.startswith("tokenizer.")}
    header = header_bytes(values, layout)
    handle, name = tempfile.mkstemp(suffix=".gguf", dir=work_dir)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(header)
            file.truncate(len(header) + layout[-1].offset + layout[-1].n_bytes)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Everything llama.cpp logs meanwhile, in pieces as they come."""
    lines: list[str] = []

    def keep(_level: int, text: bytes, _data: object) -> None:
        lines.append(text.decode("utf-8", "replace"))

    callback = lib.llama_log_callback(keep)
    lib.llama_log_set(callback, None)
    try:
        yield lines
    finally:
        lib.llama_log_set(lib.llama_log_callback(), None)


def _read_log(log: str) -> tuple[dict[str, GgmlType], dict[str, tuple[str, int, int]]]:
    """Type by tensor, and what the tensors that fell back were meant to be."""
    types = {}
    for name, stored, chosen in _TENSOR.findall(log):
        types[name] = _TYPES_BY_NAME[(chosen or stored).lower()]
    fallbacks = {
        name: (_TYPES_BY_NAME[wanted.lower()].name, int(n_cols), int(block))
        for name, n_cols, block, wanted in _FALLBACK.findall(log)
    }
    return types, fallbacks


class _Params:
    """llama_model_quantize_params, and all that it points to for as long as it lives."""

    def __init__(self, path: Path, file_type: FileType, recipe: Recipe, has_imatrix: bool) -> None:
        self._path = path
        self.struct = params = lib.llama_model_quantize_default_params()
        params.ftype = int(file_type)
        params.dry_run = True
        params.nthread = 1
        params.pure = recipe.pure
        params.allow_requantize = recipe.allow_requantize
        params.quantize_output_tensor = not recipe.leave_output_tensor
        params.output_tensor_type = self._type(recipe.output_tensor_type)
        params.token_embedding_type = self._type(recipe.token_embedding_type)
        params.tt_overrides = self._tensor_types(recipe)
        params.kv_overrides = self._kv_overrides(recipe)
        params.prune_layers = self._pruned(recipe)
        params.imatrix = self._any_matrix() if has_imatrix else None

    def _type(self, name: str) -> int:
        return int(ggml_type(self._path, name)) if name else _NO_TYPE

    def _tensor_types(self, recipe: Recipe) -> Any:
        if not recipe.tensor_types:
            return None
        for option in recipe.tensor_types:
            _check_pattern(self._path, option.pattern)
        entries = [
            lib.llama_model_tensor_override(
                option.pattern.encode(), int(ggml_type(self._path, option.type))
            )
            for option in recipe.tensor_types
        ]
        return self._terminated(lib.llama_model_tensor_override, entries)

    def _kv_overrides(self, recipe: Recipe) -> Any:
        if not recipe.override_kv:
            return None
        entries = [_kv_struct(self._path, override) for override in recipe.override_kv]
        return self._terminated(lib.llama_model_kv_override, entries)

    def _pruned(self, recipe: Recipe) -> Any:
        if not recipe.prune_layers:
            return None
        self._layers = (ctypes.c_int32 * (len(recipe.prune_layers) + 1))(
            *sorted(recipe.prune_layers), -1
        )
        return self._layers

    def _any_matrix(self) -> Any:
        """One entry that no tensor has: the rules only ask whether there is a matrix."""
        self._ones = (ctypes.c_float * 1)(1.0)
        entry = lib.llama_model_imatrix_data(b"none", self._ones, 1)
        return self._terminated(lib.llama_model_imatrix_data, [entry])

    def _terminated(self, kind: Any, entries: list[Any]) -> Any:
        array = (kind * (len(entries) + 1))(*entries, kind())
        self.__dict__.setdefault("_alive", []).append((array, entries))
        return array


def ggml_type(path: Path, name: str) -> GgmlType:
    """The tensor type of that name, upper or lower case. Raises UnsupportedError."""
    type_ = _TYPES_BY_NAME.get(name.lower())
    if type_ is None or type_ in _NOT_FOR_WEIGHTS:
        known = ", ".join(t.name for t in GgmlType if t not in _NOT_FOR_WEIGHTS)
        raise UnsupportedError(path, _NO_SUCH_TYPE.fill(name=name), _KNOWN_TYPES.fill(known=known))
    return type_


_NOT_FOR_WEIGHTS = frozenset(
    (
        *(GgmlType.I8, GgmlType.I16, GgmlType.I32, GgmlType.I64, GgmlType.F64),
        *(GgmlType.Q8_1, GgmlType.Q8_K),
    )
)


def _check_pattern(path: Path, pattern: str) -> None:
    """std::regex throws where Python's would: close enough to answer before llama.cpp does."""
    try:
        re.compile(pattern)
    except re.error as error:
        text = _BAD_PATTERN.fill(pattern=pattern)
        raise UnsupportedError(path, text, None, str(error)) from error


def _override_value(path: Path, override: KvOverride) -> Typed:
    """As llama.cpp writes it: whole numbers without sign, as UINT32."""
    try:
        if override.type == "int":
            number = abs(int(override.value))
            if number < 2**32:
                return Typed(GgufType.UINT32, number)
        if override.type == "float":
            return Typed(GgufType.FLOAT32, float(override.value))
        if override.type == "bool" and override.value in ("true", "false"):
            return Typed(GgufType.BOOL, override.value == "true")
        if override.type == "str" and len(override.value.encode()) < _KV_CAPACITY:
            return Typed(GgufType.STRING, override.value)
    except ValueError:
        pass
    text = _BAD_OVERRIDE.fill(key=override.key, value=override.value, type=override.type)
    raise UnsupportedError(path, text, _BAD_OVERRIDE_HINT)


def _kv_struct(path: Path, override: KvOverride) -> Any:
    value = _override_value(path, override).value
    struct = lib.llama_model_kv_override()
    if not 0 < len(override.key.encode()) < _KV_CAPACITY:
        text = _BAD_OVERRIDE.fill(key=override.key, value=override.value, type=override.type)
        raise UnsupportedError(path, text, _BAD_OVERRIDE_HINT)
    struct.key = override.key.encode()
    tags = {
        "int": lib.LLAMA_KV_OVERRIDE_TYPE_INT,
        "float": lib.LLAMA_KV_OVERRIDE_TYPE_FLOAT,
        "bool": lib.LLAMA_KV_OVERRIDE_TYPE_BOOL,
        "str": lib.LLAMA_KV_OVERRIDE_TYPE_STR,
    }
    struct.tag = tags[override.type]
    if override.type == "int":
        struct.value.val_i64 = int(override.value)
    elif override.type == "float":
        struct.value.val_f64 = value
    elif override.type == "bool":
        struct.value.val_bool = value
    else:
        struct.value.val_str = str(value).encode()
    return struct


_NO_LAYER = QT_TRANSLATE_NOOP("recipe", "There is no layer {layer}: the last one is {last}.")
_ALL_PRUNED = QT_TRANSLATE_NOOP("recipe", "At least one layer has to stay.")
_FELL_BACK = QT_TRANSLATE_NOOP(
    "recipe", "Its rows of {n_cols} numbers do not fill blocks of {block}, as {type} needs."
)
_REFUSED = QT_TRANSLATE_NOOP("recipe", "llama.cpp cannot make this file.")
_REFUSED_HINT = QT_TRANSLATE_NOOP("recipe", "Choose another type, or leave the options out.")
_NO_SUCH_TYPE = QT_TRANSLATE_NOOP("recipe", "There is no tensor type “{name}”.")
_KNOWN_TYPES = QT_TRANSLATE_NOOP("recipe", "There are: {known}.")
_BAD_PATTERN = QT_TRANSLATE_NOOP("recipe", "“{pattern}” is not a regular expression.")
_BAD_OVERRIDE = QT_TRANSLATE_NOOP("recipe", "{key} cannot be set to “{value}” as {type}.")
_BAD_OVERRIDE_HINT = QT_TRANSLATE_NOOP(
    "recipe", "For example: --override-kv tokenizer.ggml.add_bos_token=bool:false"
)
