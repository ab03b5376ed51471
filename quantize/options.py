"""A recipe's options as llama.cpp's structs.

Checks first whatever llama.cpp would not refuse but abort on, cut off or misunderstand. Knows
nothing of models.

Source: llama.cpp at 0c1e57098, include/llama.h (llama_model_quantize_params).
"""

from __future__ import annotations

import ctypes
import math
import re
from pathlib import Path
from typing import Any

from quantize.errors import UnsupportedError
from quantize.job import KvOverride, Recipe
from quantize.libllama import lib
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.model import Typed
from quantize.types import FileType, GgmlType, GgufType

_NO_TYPE = 43  # GGML_TYPE_COUNT
_KV_CAPACITY = 128  # llama_model_kv_override.key and .val_str
_MAX_PATTERN = 1000
TYPES_BY_NAME = {type_.name.lower(): type_ for type_ in GgmlType}
# Types without a quantizer or, in a source, without a way back to float32.
NOT_FOR_WEIGHTS = frozenset(
    (
        *(GgmlType.I8, GgmlType.I16, GgmlType.I32, GgmlType.I64, GgmlType.F64),
        *(GgmlType.Q8_1, GgmlType.Q8_K),
    )
)


class DryRunParams:
    """llama_model_quantize_params, and all that it points to for as long as it lives.

    Raises UnsupportedError for options that cannot be; `path` is named in it.
    """

    def __init__(self, path: Path, file_type: FileType, recipe: Recipe, has_imatrix: bool) -> None:
        self._path = path
        self._alive: list[Any] = []
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
        entries = [
            lib.llama_model_tensor_override(
                _pattern(self._path, option.pattern), int(ggml_type(self._path, option.type))
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
        layers = sorted(set(recipe.prune_layers))
        self._layers = (ctypes.c_int32 * (len(layers) + 1))(*layers, -1)
        return self._layers

    def _any_matrix(self) -> Any:
        """One entry that no tensor has: the rules only ask whether there is a matrix."""
        ones = (ctypes.c_float * 1)(1.0)
        self._alive.append(ones)
        entry = lib.llama_model_imatrix_data(b"none", ones, 1)
        return self._terminated(lib.llama_model_imatrix_data, [entry])

    def _terminated(self, kind: Any, entries: list[Any]) -> Any:
        array = (kind * (len(entries) + 1))(*entries, kind())
        self._alive.append((array, entries))
        return array


def ggml_type(path: Path, name: str) -> GgmlType:
    """The tensor type of that name, upper or lower case. Raises UnsupportedError."""
    type_ = TYPES_BY_NAME.get(name.lower())
    if type_ is None or type_ in NOT_FOR_WEIGHTS:
        known = ", ".join(t.name for t in GgmlType if t not in NOT_FOR_WEIGHTS)
        raise UnsupportedError(path, _NO_SUCH_TYPE.fill(name=name), _KNOWN_TYPES.fill(known=known))
    return type_


def override_value(path: Path, override: KvOverride) -> Typed:
    """As llama.cpp writes it: whole numbers without sign, as UINT32. Raises UnsupportedError."""
    value = None
    if _is_settable(override.key):
        try:
            value = _PARSERS[override.type](override.value)
        except (KeyError, ValueError):
            value = None
    if value is None:
        text = _BAD_OVERRIDE.fill(key=override.key, value=override.value, type=override.type)
        raise UnsupportedError(path, text, _BAD_OVERRIDE_HINT)
    return value


def _is_settable(key: str) -> bool:
    """Not the alignment: llama.cpp writes the key, but goes on with 32 bytes."""
    return 0 < len(_utf8(key)) < _KV_CAPACITY and key.isprintable() and key != "general.alignment"


def _int(text: str) -> Typed:
    number = abs(int(text))
    if number >= 2**32:
        raise ValueError(text)
    return Typed(GgufType.UINT32, number)


def _float(text: str) -> Typed:
    number = ctypes.c_float(float(text)).value
    if not math.isfinite(number):
        raise ValueError(text)
    return Typed(GgufType.FLOAT32, number)


def _bool(text: str) -> Typed:
    return Typed(GgufType.BOOL, {"true": True, "false": False}[text])


def _str(text: str) -> Typed:
    if len(_utf8(text)) >= _KV_CAPACITY or "\0" in text:
        raise ValueError(text)
    return Typed(GgufType.STRING, text)


_PARSERS = {"int": _int, "float": _float, "bool": _bool, "str": _str}


def _kv_struct(path: Path, override: KvOverride) -> Any:
    value = override_value(path, override).value
    struct = lib.llama_model_kv_override()
    struct.key = _utf8(override.key)
    if override.type == "int":
        struct.tag = lib.LLAMA_KV_OVERRIDE_TYPE_INT
        struct.value.val_i64 = int(override.value)
    elif override.type == "float":
        struct.tag = lib.LLAMA_KV_OVERRIDE_TYPE_FLOAT
        struct.value.val_f64 = value
    elif override.type == "bool":
        struct.tag = lib.LLAMA_KV_OVERRIDE_TYPE_BOOL
        struct.value.val_bool = value
    else:
        struct.tag = lib.LLAMA_KV_OVERRIDE_TYPE_STR
        struct.value.val_str = _utf8(str(value))
    return struct


def _pattern(path: Path, pattern: str) -> bytes:
    """std::regex throws where Python's does: close enough to answer in plain words, and before one
    that is nested so deep that std::regex runs out of stack."""
    try:
        if len(pattern) > _MAX_PATTERN or "\0" in pattern:
            raise ValueError("too long, or with a zero byte")
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        text = _BAD_PATTERN.fill(pattern=pattern[:100])
        raise UnsupportedError(path, text, None, str(error)) from error
    return _utf8(pattern)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_NO_SUCH_TYPE = QT_TRANSLATE_NOOP("recipe", "There is no tensor type “{name}”.")
_KNOWN_TYPES = QT_TRANSLATE_NOOP("recipe", "There are: {known}.")
_BAD_PATTERN = QT_TRANSLATE_NOOP("recipe", "“{pattern}” is not a regular expression.")
_BAD_OVERRIDE = QT_TRANSLATE_NOOP("recipe", "{key} cannot be set to “{value}” as {type}.")
_BAD_OVERRIDE_HINT = QT_TRANSLATE_NOOP(
    "recipe", "For example: --override-kv tokenizer.ggml.add_bos_token=bool:false"
)
