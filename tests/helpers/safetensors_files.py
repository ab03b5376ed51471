"""safetensors files and folders for tests, written byte by byte and on purpose without `quantize`.

`write_safetensors` and `write_checkpoint` make sound ones, `ATTACKS` hostile headers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

INDEX = "model.safetensors.index.json"
_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bool": "BOOL",
    **{f"{kind}{bits}": f"{kind[0].upper()}{bits}" for kind in ("int", "uint") for bits in (8, 16)},
    **{
        f"{kind}{bits}": f"{kind[0].upper()}{bits}" for kind in ("int", "uint") for bits in (32, 64)
    },
}


@dataclass(frozen=True)
class Raw:
    """A tensor of a type that numpy lacks: its name in the format, its shape, its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


Value = npt.NDArray[Any] | Raw


def raw(value: Value) -> Raw:
    if isinstance(value, Raw):
        return value
    return Raw(_DTYPES[value.dtype.name], value.shape, value.tobytes())


def bf16(values: npt.ArrayLike) -> Raw:
    """`values`, cut off (not rounded) to bfloat16."""
    array = np.asarray(values, np.float32)
    return Raw("BF16", array.shape, (array.view(np.uint32) >> 16).astype("<u2").tobytes())


def fp8(codes: npt.ArrayLike, dtype: str = "F8_E4M3") -> Raw:
    array = np.asarray(codes, np.uint8)
    return Raw(dtype, array.shape, array.tobytes())


def safetensors_bytes(
    tensors: Mapping[str, Value], metadata: Mapping[str, str] | None = None
) -> bytes:
    entries: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    data = b""
    for name, value in tensors.items():
        tensor = raw(value)
        entries[name] = entry(tensor.dtype, tensor.shape, len(data), len(data) + len(tensor.data))
        data += tensor.data
    return with_header(entries, data)


def entry(dtype: str, shape: Sequence[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def with_header(header: object, data: bytes = b"") -> bytes:
    """A file with `header`: text as it is, anything else as JSON, padded as writers do."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def write_safetensors(
    path: Path, tensors: Mapping[str, Value], metadata: Mapping[str, str] | None = None
) -> Path:
    path.write_bytes(safetensors_bytes(tensors, metadata))
    return path


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def write_checkpoint(
    folder: Path,
    tensors: Mapping[str, Value],
    config: Mapping[str, Any] | None = None,
    n_shards: int = 1,
) -> Path:
    """A folder with config.json and the weights, with an index where there are several files."""
    write_config(folder, config or {"model_type": "llama", "architectures": ["LlamaForCausalLM"]})
    if n_shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})
        return folder
    where = {name: shard_name(i % n_shards, n_shards) for i, name in enumerate(tensors)}
    for shard in dict.fromkeys(where.values()):
        part = {name: tensors[name] for name in tensors if where[name] == shard}
        write_safetensors(folder / shard, part, {"format": "pt"})
    write_index(folder, where)
    return folder


def write_index(folder: Path, where: object) -> None:
    text = json.dumps({"metadata": {"total_size": 0}, "weight_map": where})
    (folder / INDEX).write_text(text, encoding="utf-8")


def shard_name(i: int, n: int) -> str:
    return f"model-{i + 1:05}-of-{n:05}.safetensors"


def write_sparse(path: Path, tensors: Mapping[str, tuple[str, Sequence[int], int]]) -> None:
    """A file with a header for `tensors` (type, shape, size in bytes) and a hole for the data."""
    entries = {}
    end = 0
    for name, (dtype, shape, n_bytes) in tensors.items():
        entries[name] = entry(dtype, shape, end, end + n_bytes)
        end += n_bytes
    head = with_header(entries)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + end)


# Hostile headers: each function returns the bytes of a file


def header_of_2_64_bytes() -> bytes:
    return struct.pack("<Q", 2**64 - 1) + b"{}" + bytes(64)


def header_over_100_mb() -> bytes:
    return struct.pack("<Q", 100_000_001) + b"{}" + bytes(64)


def header_past_the_end() -> bytes:
    return struct.pack("<Q", 1000) + b"{}"


def header_of_no_bytes() -> bytes:
    return struct.pack("<Q", 0) + b"{}"


def header_not_utf8() -> bytes:
    return with_header(b'{"a\xff": 1}')


def header_not_closed() -> bytes:
    return with_header(b'{"a": {"dtype": "F32"')


def header_nested_deeply() -> bytes:
    return with_header(b'{"a":' + b"[" * 100_000)


def header_of_many_items() -> bytes:
    return with_header(b'{"a":[' + b"[]," * 3_000_000 + b"1]}")


def number_of_5000_digits() -> bytes:
    return with_header(b'{"a": ' + b"9" * 5000 + b"}")


def double_name() -> bytes:
    one = b'"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    return with_header(b"{" + one + b"," + one + b"}", bytes(4))


def double_key_in_an_entry() -> bytes:
    text = b'{"a": {"dtype": "F32", "dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    return with_header(text, bytes(4))


def metadata_of_numbers() -> bytes:
    return with_header({"__metadata__": {"a": 1}})


def metadata_not_an_object() -> bytes:
    return with_header({"__metadata__": "pt"})


def entry_not_an_object() -> bytes:
    return with_header({"a": [1, 2]})


def entry_lacks_its_shape() -> bytes:
    return with_header({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4))


def entry_says_more() -> bytes:
    return with_header({"a": {**entry("F32", [1], 0, 4), "more": 1}}, bytes(4))


def dtype_not_text() -> bytes:
    return with_header({"a": {**entry("F32", [1], 0, 4), "dtype": 32}}, bytes(4))


def shape_not_a_list() -> bytes:
    return with_header({"a": {**entry("F32", [1], 0, 4), "shape": 1}}, bytes(4))


def shape_of_true() -> bytes:
    return with_header({"a": {**entry("F32", [1], 0, 4), "shape": [True]}}, bytes(4))


def shape_of_a_fraction() -> bytes:
    return with_header({"a": {**entry("F32", [1], 0, 4), "shape": [1.0]}}, bytes(4))


def shape_below_zero() -> bytes:
    return with_header({"a": entry("F32", [-1, -1], 0, 4)}, bytes(4))


def shape_of_nan() -> bytes:
    text = b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}'
    return with_header(text, bytes(4))


def elements_overflow() -> bytes:
    """2**64 elements: 0 in 64 bits."""
    return with_header({"a": entry("F32", [2**32, 2**32], 0, 0)})


def bytes_overflow() -> bytes:
    """2**62 elements of 4 bytes: 0 in 64 bits."""
    return with_header({"a": entry("F32", [2**31, 2**31], 0, 0)})


def a_thousand_dimensions() -> bytes:
    return with_header({"a": entry("F32", [1] * 1000, 0, 4)}, bytes(4))


def half_a_byte() -> bytes:
    return with_header({"a": entry("F4", [3], 0, 1)}, bytes(1))


def three_offsets() -> bytes:
    return with_header({"a": {**entry("F32", [1], 0, 4), "data_offsets": [0, 4, 4]}}, bytes(4))


def offsets_turned_round() -> bytes:
    return with_header({"a": entry("F32", [1], 4, 0)}, bytes(4))


def offset_of_2_63() -> bytes:
    return with_header({"a": entry("F32", [1], 2**63, 2**63 + 4)}, bytes(4))


def range_does_not_fit_the_shape() -> bytes:
    return with_header({"a": entry("F32", [2], 0, 4)}, bytes(4))


def tensors_overlap() -> bytes:
    both = {"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}
    return with_header(both, bytes(12))


def two_tensors_in_one_place() -> bytes:
    both = {"a": entry("F32", [1], 0, 4), "b": entry("I32", [1], 0, 4)}
    return with_header(both, bytes(4))


def hole_between_tensors() -> bytes:
    both = {"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}
    return with_header(both, bytes(12))


def bytes_at_the_end() -> bytes:
    return with_header({"a": entry("F32", [1], 0, 4)}, bytes(8))


def name_with_half_a_character() -> bytes:
    text = b'{"\\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    return with_header(text, bytes(4))


ATTACKS: tuple[Callable[[], bytes], ...] = (
    header_of_2_64_bytes,
    header_over_100_mb,
    header_past_the_end,
    header_of_no_bytes,
    header_not_utf8,
    header_not_closed,
    header_nested_deeply,
    header_of_many_items,
    number_of_5000_digits,
    double_name,
    double_key_in_an_entry,
    metadata_of_numbers,
    metadata_not_an_object,
    entry_not_an_object,
    entry_lacks_its_shape,
    entry_says_more,
    dtype_not_text,
    shape_not_a_list,
    shape_of_true,
    shape_of_a_fraction,
    shape_below_zero,
    shape_of_nan,
    elements_overflow,
    bytes_overflow,
    a_thousand_dimensions,
    half_a_byte,
    three_offsets,
    offsets_turned_round,
    offset_of_2_63,
    range_does_not_fit_the_shape,
    tensors_overlap,
    two_tensors_in_one_place,
    hole_between_tensors,
    bytes_at_the_end,
    name_with_half_a_character,
)
