"""config.json, where a Hugging Face checkpoint says what model it is.

Answers are looked up by the keys the families use, and every wrong kind of answer is an error that
names the key. Knows no family and no defaults.

Source: llama.cpp at 0c1e57098, conversion/base.py (ModelBase.load_hparams, TextModel.__init__,
get_model_architecture): which part of a multimodal config describes the text model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from quantize import checkpoint_errors
from quantize.jsonfile import is_missing, read_json

FILE_NAME = "config.json"
_MAX_BYTES = 16 * 1024**2
_INT64 = 2**63


@dataclass(frozen=True)
class Config:
    """A config.json that is an object.

    `values` are those of the text model: `root`, overlaid with its `text_config` where it has one.
    `root` is the file as it is.
    """

    folder: Path
    values: Mapping[str, Any]
    root: Mapping[str, Any]

    @property
    def path(self) -> Path:
        return self.folder / FILE_NAME

    def get(self, *names: str, default: Any = None) -> Any:
        """The value of the first of `names` that is there, be it null."""
        return next((self.values[name] for name in names if name in self.values), default)

    def number(self, *names: str) -> int:
        """A whole number under the first of `names` that is there. Raises CheckpointError."""
        name, value = self._find(names)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
            raise checkpoint_errors.wrong_kind(self.path, name, "int", value)
        return value

    def real(self, *names: str) -> float:
        """A finite number. Raises CheckpointError."""
        name, value = self._find(names)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                if math.isfinite(value):
                    return float(value)
            except OverflowError:
                pass
        raise checkpoint_errors.wrong_kind(self.path, name, "float", value)

    def text(self, *names: str) -> str:
        """Raises CheckpointError."""
        name, value = self._find(names)
        if not isinstance(value, str):
            raise checkpoint_errors.wrong_kind(self.path, name, "str", value)
        return value

    @property
    def model_type(self) -> str:
        """The text model's, such as "llama" or "gemma3_text". Raises CheckpointError."""
        for values in (self.values, self.root):
            if isinstance(values.get("model_type"), str):
                return str(values["model_type"])
        return self.text("model_type")

    @property
    def architectures(self) -> tuple[str, ...]:
        """The class names, such as "LlamaForCausalLM": the text model's, else the file's own."""
        for values in (self.values, self.root):
            names = values.get("architectures")
            if isinstance(names, list) and names:
                return tuple(str(name) for name in names)
        return ()

    @property
    def quantization(self) -> Mapping[str, Any]:
        """`quantization_config`, empty where there is none. Raises CheckpointError."""
        for key in ("quantization_config", "compression_config"):
            value = self.values.get(key) or self.root.get(key)
            if isinstance(value, dict):
                return value
            if value:
                raise checkpoint_errors.wrong_kind(self.path, key, "object", value)
        return {}

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            if name in self.values:
                return name, self.values[name]
        raise checkpoint_errors.missing_key(self.path, "” / “".join(names))


def read_config(folder: Path) -> Config:
    """The config.json in `folder`. Raises CheckpointError."""
    path = folder / FILE_NAME
    if is_missing(path):
        raise checkpoint_errors.no_config(folder)
    root = read_json(path, _MAX_BYTES)
    if not isinstance(root, dict):
        raise checkpoint_errors.wrong_json(path, "it is not an object")
    text = _text_config(root)
    if text is not None and not isinstance(text, dict):
        raise checkpoint_errors.wrong_kind(path, "text_config", "object", text)
    values = {**root, **(text or {})}
    return Config(folder, MappingProxyType(values), MappingProxyType(root))


def _text_config(root: Mapping[str, Any]) -> Any:
    """The part that describes the text model, under the name its family chose."""
    thinker = root.get("thinker_config")
    candidates = (
        root.get("lfm"),
        root.get("language_config"),
        thinker.get("text_config") if isinstance(thinker, dict) else None,
        root.get("lm_config"),
        root.get("llm_config"),
        root.get("text_config"),
    )
    return next((part for part in candidates if part is not None), None)
