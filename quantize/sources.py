"""From a path to a model: a folder of original weights, or a GGUF.

A family of models that no file of `arch` knows is handed to the official converter where it is
installed, and its GGUF is read instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from quantize import arch, official
from quantize.checkpoint import open_checkpoint
from quantize.gguf_source import open_gguf
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.model import Model


def open_source(path: Path, work_dir: Path, stop: Callable[[], bool]) -> Model:
    """The model at `path`. Raises QuantizeError, Cancelled.

    `work_dir` takes what the official converter writes; it must outlive the model.
    """
    if path.is_file() and not path.name.endswith(".safetensors"):
        return open_gguf(path)
    folder = path.parent if path.is_file() else path
    checkpoint = open_checkpoint(folder)
    if arch.is_known(checkpoint.config) or not official.available():
        return arch.convert(checkpoint)
    converted = open_gguf(official.convert(folder, work_dir, stop))
    note = _BY_OFFICIAL.fill(family=checkpoint.config.model_type)
    return replace(
        converted,
        path=path,
        name=folder.name,
        source_type=checkpoint.source_type,
        source_bytes=checkpoint.source_bytes,
        warnings=(*converted.warnings, note),
    )


_BY_OFFICIAL = QT_TRANSLATE_NOOP(
    "quantize", "Nibble does not know “{family}” models itself; the official converter was used."
)
