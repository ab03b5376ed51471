"""A look into a model file, in the shape that the window shows. Knows no widgets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from app.core import library
from app.core.errors import ModelFileError
from quantize.errors import GgufError
from quantize.gguf_header import ArrayRef, GgufHeader, TensorInfo, Value, read_header

_N_SHOWN = 8  # of an array's values
_MAX_TEXT = 400


@dataclass(frozen=True, slots=True)
class FileFacts:
    """`composition`: bytes by tensor type. `metadata`: key, and value as it reads."""

    path: Path
    name: str
    variant: str
    architecture: str
    size_bytes: int
    n_params: int
    n_ctx_train: int
    bpw: float
    composition: dict[str, int]
    metadata: tuple[tuple[str, str], ...]
    tensors: tuple[TensorInfo, ...]
    chat_template: str


def look_inside(path: Path) -> FileFacts:
    """Raises ModelFileError."""
    try:
        header = read_header(path)
        metadata = tuple((key, _as_text(value)) for key, value in header.metadata.items())
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error
    return FileFacts(
        path=path,
        name=library.name_of(path, header),
        variant=header.variant,
        architecture=header.architecture,
        size_bytes=header.file_size_bytes,
        n_params=header.n_params,
        n_ctx_train=header.n_ctx_train,
        bpw=header.bpw,
        composition=_composition(header),
        metadata=metadata,
        tensors=header.tensors,
        chat_template=header.chat_template,
    )


def _composition(header: GgufHeader) -> dict[str, int]:
    n_bytes: Counter[str] = Counter()
    for tensor in header.tensors:
        n_bytes[tensor.type.name] += tensor.n_bytes
    return dict(n_bytes)


def _as_text(value: Value) -> str:
    if not isinstance(value, ArrayRef):
        text = " ".join(str(value).split())
        return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
    if value.count > _N_SHOWN:
        return f"[{value.type.name.lower()} × {value.count:,}]"
    return "[" + ", ".join(str(each) for each in value.read()) + "]"
