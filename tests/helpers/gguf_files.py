"""GGUF files for tests, written byte by byte and on purpose without `quantize`.

`write_gguf` makes sound files, `ATTACKS` hostile ones. Types are the format's own numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

F32, Q4_0, Q4_K = 0, 2, 12
UINT8, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64 = (
    *(0, 4, 5, 6, 7),
    *(8, 9, 10, 11, 12),
)
_CODES = {
    UINT8: "B",
    UINT32: "I",
    INT32: "i",
    FLOAT32: "f",
    BOOL: "?",
    UINT64: "Q",
    INT64: "q",
    FLOAT64: "d",
}


@dataclass(frozen=True)
class Tensor:
    """`shape` in ggml's order; `data` is written as it is."""

    name: str
    type_id: int
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class Typed:
    """A metadata value (or the elements of a list) with a type that Python's does not tell."""

    type_id: int
    value: object


def write_gguf(
    path: Path, metadata: Mapping[str, object], tensors: Sequence[Tensor] = (), version: int = 3
) -> Path:
    """A sound GGUF. int becomes UINT32 (INT32 below 0, UINT64 where needed), float FLOAT32."""
    path.write_bytes(gguf_bytes(metadata, tensors, version))
    return path


def gguf_bytes(
    metadata: Mapping[str, object], tensors: Sequence[Tensor] = (), version: int = 3
) -> bytes:
    alignment = metadata.get("general.alignment", 32)
    assert isinstance(alignment, int)
    head = preamble(len(tensors), len(metadata), version)
    head += b"".join(key_value(key, value) for key, value in metadata.items())
    data = b""
    for tensor in tensors:
        head += tensor_info(tensor.name, tensor.shape, tensor.type_id, len(data))
        data += _padded(tensor.data, alignment)
    return _padded(head, alignment) + data


def preamble(n_tensors: int, n_keys: int, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys)


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def key_value(key: str | bytes, value: object) -> bytes:
    type_id, data = _value(value)
    return text(key) + struct.pack("<I", type_id) + data


def tensor_info(
    name: str | bytes, shape: Sequence[int], type_id: int, offset: int, n_dims: int | None = None
) -> bytes:
    dims = struct.pack(f"<{len(shape)}q", *shape)
    n = len(shape) if n_dims is None else n_dims
    return text(name) + struct.pack("<I", n) + dims + struct.pack("<IQ", type_id, offset)


def _value(value: object) -> tuple[int, bytes]:
    if isinstance(value, Typed):
        return _typed(value.type_id, value.value)
    if isinstance(value, (list, tuple)):
        return _typed(_type_of(value[0]) if value else STRING, value)
    return _typed(_type_of(value), value)


def _typed(type_id: int, value: object) -> tuple[int, bytes]:
    if isinstance(value, (list, tuple)):
        items = b"".join(_one(type_id, item) for item in value)
        return ARRAY, struct.pack("<IQ", type_id, len(value)) + items
    return type_id, _one(type_id, value)


def _one(type_id: int, value: object) -> bytes:
    if type_id == STRING:
        assert isinstance(value, (str, bytes))
        return text(value)
    return struct.pack("<" + _CODES[type_id], value)


def _type_of(value: object) -> int:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT32 if value < 0 else UINT32 if value < 2**32 else UINT64
    return FLOAT32 if isinstance(value, float) else STRING


def _padded(data: bytes, alignment: int) -> bytes:
    return data + b"\0" * (-len(data) % alignment)


# Sound files


METADATA: Mapping[str, object] = {
    "general.architecture": "llama",
    "general.name": "Tiny Test",
    "general.file_type": 2,
    "llama.context_length": 512,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.ggml.tokens": ["<s>", "a", "Ġb", ""],
    "tokenizer.ggml.token_type": Typed(INT32, [3, 1, 1, 1]),
    "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
}
TENSORS = (
    Tensor("blk.0.attn_q.weight", Q4_0, (32, 3), bytes(range(54))),
    Tensor("output_norm.weight", F32, (5,), bytes(20)),
    Tensor("token_embd.weight", F32, (8, 4), bytes(128)),
)


def valid_model(path: Path) -> Path:
    """A sound header and three tensors; no engine could run it."""
    return write_gguf(path, METADATA, TENSORS)


def unknown_architecture(path: Path) -> Path:
    """Sound in every byte, of a kind that llama.cpp has no code for."""
    return write_gguf(path, {**METADATA, "general.architecture": "nibble-unknown"}, TENSORS)


def split_model(folder: Path, count: int = 3, **changes: object) -> list[Path]:
    """`count` parts with one tensor each; the first has the metadata, as gguf-split writes it."""
    paths = []
    for number in range(count):
        facts = {"split.no": number, "split.count": count, "split.tensors.count": count}
        metadata = {**(METADATA if number == 0 else {}), **facts, **changes}
        path = folder / f"m-Q8_0-{number + 1:05}-of-{count:05}.gguf"
        tensor = Tensor(f"blk.{number}.t", F32, (8,), bytes(32))
        paths.append(write_gguf(path, metadata, [tensor]))
    return paths


def cut(source: Path, target: Path, fraction: float) -> Path:
    """The first `fraction` of `source`, as an interrupted copy leaves it."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * fraction)])
    return target


# Hostile files: each function returns the bytes of one


def claims_2_63_strings() -> bytes:
    return preamble(0, 1) + text("a") + struct.pack("<IIQ", ARRAY, STRING, 2**63)


def claims_2_61_numbers() -> bytes:
    """The size in bytes, 2**64, is 0 in 64 bits."""
    return preamble(0, 1) + text("a") + struct.pack("<IIQ", ARRAY, UINT64, 2**61) + bytes(64)


def claims_2_64_keys() -> bytes:
    return preamble(0, 2**64 - 1) + bytes(4096)


def claims_2_64_tensors() -> bytes:
    return preamble(2**64 - 1, 0) + bytes(4096)


def key_of_2_64_bytes() -> bytes:
    return preamble(0, 1) + struct.pack("<Q", 2**64 - 1) + bytes(64)


def key_of_65_536_bytes() -> bytes:
    return preamble(0, 1) + key_value("k" * 65_536, 1)


def string_in_array_of_2_64_bytes() -> bytes:
    """The walk over the strings would end before it began, were it done in 64 bits."""
    lengths = struct.pack("<3Q", 0, 2**64 - 8, 0)
    return preamble(0, 1) + text("a") + struct.pack("<IIQ", ARRAY, STRING, 3) + lengths


def empty_strings_past_the_end() -> bytes:
    return preamble(0, 1) + text("a") + struct.pack("<IIQ", ARRAY, STRING, 100) + bytes(792)


def array_in_array() -> bytes:
    return preamble(0, 1) + text("a") + struct.pack("<IIQ", ARRAY, ARRAY, 1) * 2000 + bytes(64)


def unknown_value_type() -> bytes:
    return preamble(0, 1) + text("a") + struct.pack("<I", 13) + bytes(64)


def double_key() -> bytes:
    return preamble(0, 2) + key_value("a", 1) * 2


def empty_key() -> bytes:
    return preamble(0, 1) + key_value("", 1)


def key_not_utf8() -> bytes:
    return preamble(0, 1) + key_value(b"\xff\xfe", 1)


def alignment_not_a_power_of_two() -> bytes:
    return gguf_bytes({"general.alignment": 24}, TENSORS)


def alignment_zero() -> bytes:
    return preamble(1, 1) + key_value("general.alignment", 0) + bytes(4096)


def alignment_as_text() -> bytes:
    return preamble(0, 1) + key_value("general.alignment", "32")


def double_tensor() -> bytes:
    return gguf_bytes({}, (TENSORS[0], TENSORS[0]))


def tensor_name_too_long() -> bytes:
    return gguf_bytes({}, (Tensor("n" * 64, F32, (1,), bytes(4)),))


def five_dimensions() -> bytes:
    return preamble(1, 0) + tensor_info("t", (1, 1, 1, 1, 1), F32, 0) + bytes(4096)


def four_billion_dimensions() -> bytes:
    return preamble(1, 0) + tensor_info("t", (1,), F32, 0, n_dims=2**32 - 1) + bytes(4096)


def dimension_zero() -> bytes:
    return preamble(1, 0) + tensor_info("t", (32, 0), F32, 0) + bytes(4096)


def dimension_below_zero() -> bytes:
    return preamble(1, 0) + tensor_info("t", (32, -1), F32, 0) + bytes(4096)


def elements_overflow() -> bytes:
    """2**64 elements: 0 in 64 bits."""
    return preamble(1, 0) + tensor_info("t", (2**32, 2**32), F32, 0) + bytes(4096)


def bytes_overflow() -> bytes:
    """2**62 elements of 4 bytes: the elements can be counted in 64 bits, the bytes cannot."""
    return preamble(1, 0) + tensor_info("t", (2**31, 2**31), F32, 0) + bytes(4096)


def row_not_whole_blocks() -> bytes:
    return gguf_bytes({}, (Tensor("t", Q4_K, (128, 2), bytes(144)),))


def offset_outside() -> bytes:
    return preamble(1, 0) + tensor_info("t", (8,), F32, 2**63) + bytes(4096)


def offset_not_aligned() -> bytes:
    infos = tensor_info("s", (8,), F32, 0) + tensor_info("t", (8,), F32, 33)
    return preamble(2, 0) + infos + bytes(4096)


def tensors_overlap() -> bytes:
    infos = tensor_info("s", (64,), F32, 0) + tensor_info("t", (64,), F32, 32)
    return preamble(2, 0) + infos + bytes(4096)


ATTACKS: tuple[Callable[[], bytes], ...] = (
    claims_2_63_strings,
    claims_2_61_numbers,
    claims_2_64_keys,
    claims_2_64_tensors,
    key_of_2_64_bytes,
    key_of_65_536_bytes,
    string_in_array_of_2_64_bytes,
    empty_strings_past_the_end,
    array_in_array,
    unknown_value_type,
    double_key,
    empty_key,
    key_not_utf8,
    alignment_not_a_power_of_two,
    alignment_zero,
    alignment_as_text,
    double_tensor,
    tensor_name_too_long,
    five_dimensions,
    four_billion_dimensions,
    dimension_zero,
    dimension_below_zero,
    elements_overflow,
    bytes_overflow,
    row_not_whole_blocks,
    offset_outside,
    offset_not_aligned,
    tensors_overlap,
)
