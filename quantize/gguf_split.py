"""A model that is spread over several GGUFs ("…-00001-of-00003.gguf") seen as one.

The first part has the metadata, every part its own share of the tensors. What is read here is for
knowing the whole model (its size, its parameters); positions in the parts' files are lost.

Source: llama.cpp at 0c1e57098, src/llama-model-loader.cpp and tools/gguf-split.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from quantize import gguf_errors
from quantize.errors import GgufError
from quantize.gguf_header import GgufHeader, read_header
from quantize.messages import QT_TRANSLATE_NOOP

SPLIT_NAME = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
MAX_PARTS = 999

_GET_ALL = QT_TRANSLATE_NOOP(
    "gguf", "Keep all parts of the model in one folder, under the names they came with."
)


def part_paths(path: Path) -> tuple[Path, ...]:
    """The files of the model that `path` is a part of, in order; `path` alone for any other."""
    found = SPLIT_NAME.search(path.name)
    count = int(found[2]) if found else 1
    if found is None or not 1 <= int(found[1]) <= count <= MAX_PARTS:
        return (path,)
    stem = path.name[: found.start()]
    suffix = path.name[-len(".gguf") :]
    return tuple(
        path.with_name(f"{stem}-{number:05}-of-{found[2]}{suffix}")
        for number in range(1, count + 1)
    )


def read_model(path: Path) -> GgufHeader:
    """The header of the whole model that `path` is, or is a part of. Raises GgufError."""
    header = read_header(path)
    if header.split_count == 1:
        return header
    return join_parts([read_header(part) for part in part_paths(path)])


def join_parts(headers: Sequence[GgufHeader]) -> GgufHeader:
    """The first header with the tensors of all, in order. Offsets of tensors mean nothing in it.

    Raises GgufError unless `headers` are all parts of one model, in order.
    """
    first = headers[0]
    if len(headers) == 1 and first.split_count == 1:
        return first
    for number, header in enumerate(headers):
        _check_part(header, number, len(headers))
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    _check_whole(first, Counter(tensor.name for tensor in tensors))
    size = sum(header.file_size_bytes for header in headers)
    return replace(first, tensors=tensors, file_size_bytes=size)


def _check_part(header: GgufHeader, number: int, count: int) -> None:
    """`number` counts from 0, as the files do."""
    if header.split_count != count:
        text = QT_TRANSLATE_NOOP("gguf", "{name} is one of {count} parts, and {have} are here.")
        filled = text.fill(name=header.path.name, count=header.split_count, have=count)
        raise GgufError(header.path, filled, _GET_ALL)
    if header.number("split.no") != number:
        detail = f"part {header.number('split.no')} where part {number} should be"
        raise gguf_errors.damaged(header.path, detail)


def _check_whole(first: GgufHeader, names: Counter[str]) -> None:
    total = first.number("split.tensors.count", default=names.total())
    double = [name for name, count in names.items() if count > 1]
    if total != names.total() or double:
        detail = f"{names.total()} tensors of {total}, double: {double[:3]}"
        raise gguf_errors.damaged(first.path, detail)
