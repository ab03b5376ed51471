"""What we are compared with: the official converter, then llama.cpp's own quantizer."""

from __future__ import annotations

import ctypes
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantize.libllama import lib
from quantize.types import FileType
from tests.helpers import checkpoints
from tests.helpers.identity import PRE

_SCRIPT = Path(__file__).with_name("convert.py")


@dataclass(frozen=True)
class Oracle:
    """A Python with torch and transformers, and the folder of the official converter."""

    python: Path
    converter: Path

    def convert(
        self, jobs: list[tuple[Path, Path, str]], pre: str = PRE
    ) -> dict[str, dict[str, str]]:
        """By folder: pre_hash and error. A job: folder, GGUF to write, "bf16", "f16" or "f32"."""
        text = json.dumps([[str(part) for part in job] for job in jobs])
        result = subprocess.run(
            [self.python, _SCRIPT, self.converter, pre],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(result.stderr[-3000:])
        found: dict[str, dict[str, str]] = json.loads(result.stdout)
        return found


def quantize(
    source: Path,
    out: Path,
    type_: str,
    matrix: checkpoints.Matrix | None = None,
    requantize: bool = False,
) -> Path:
    """llama_model_quantize. Raises RuntimeError with the end of what it logged."""
    params = lib.llama_model_quantize_default_params()
    params.ftype = int(FileType[type_])
    params.nthread = 2
    params.allow_requantize = requantize
    alive = _matrix(matrix) if matrix else None
    params.imatrix = alive[0] if alive else None
    said: list[str] = []
    log = lib.llama_log_callback(
        lambda _level, text, _data: said.append(text.decode("utf-8", "replace"))
    )
    lib.llama_log_set(log, None)
    try:
        failed = lib.llama_model_quantize(
            str(source).encode(), str(out).encode(), ctypes.byref(params)
        )
    finally:
        lib.llama_log_set(lib.llama_log_callback(), None)
    if failed:
        raise RuntimeError("".join(said)[-300:])
    return out


def _matrix(matrix: checkpoints.Matrix) -> tuple[Any, list[Any]]:
    """The array that llama.cpp reads up to an entry without a name, and what it points to."""
    kept: list[Any] = []
    array = (lib.llama_model_imatrix_data * (len(matrix) + 1))()
    for entry, name in zip(array, matrix, strict=False):
        values = checkpoints.importance(matrix, name)
        kept.append(values)
        entry.name = name.encode()
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = values.size
    return array, kept
