"""What a GGUF file says about itself, read from a file that nobody vouches for.

PyPI's `gguf` reader trusts every count in the file (43 bytes make it loop for ever), and llama.cpp
aborts the process where it stumbles, so a file is judged here before the engine sees it. Every
count is checked against what is left of the file before anything is allocated or looped over.
Rejected: GGUF version 1 and big-endian files, arrays of arrays, double keys and tensor names,
removed and unknown tensor types, tensors that do not lie one after the other, and a file that ends
before its last tensor does.

Arrays stay in the file until someone asks (`ArrayRef.read`): a vocabulary is most of a header and
of no use to a list of models.

Source: llama.cpp at 0c1e57098, ggml/src/gguf.cpp (gguf_init_from_reader): the same rules. Refused
though llama.cpp takes it: tensors without elements, names that are not UTF-8, and counts and sizes
that no model comes near.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from quantize import gguf_errors
from quantize.gguf_reader import FileSource, HeaderSource, Reader, decode_strings
from quantize.types import REMOVED_TYPES, SCALAR_CODES, FileType, GgmlType, GgufType

Scalar = str | int | float | bool

_MAX_STRING_BYTES = 4 * 1024**2
_MAX_KEY_BYTES = 65_535
_MAX_NAME_BYTES = 63  # GGML_MAX_NAME with its NUL
_MAX_KEYS = 65_536
_MAX_TENSORS = 65_536
_MAX_DIMS = 4
_INT64_MAX = 2**63 - 1

_U32 = struct.Struct("<I")
_ARRAY = struct.Struct("<IQ")  # element type, count
_COUNTS = struct.Struct("<QQ")  # tensors, key-value pairs
_SHAPES = tuple(struct.Struct(f"<{n}q") for n in range(_MAX_DIMS + 1))
_TYPE_AND_OFFSET = struct.Struct("<IQ")


@dataclass(frozen=True, slots=True)
class ArrayRef:
    """An array left in the file: `count` values of `type`, `size_bytes` from byte `offset` on."""

    source: HeaderSource
    type: GgufType
    count: int
    offset: int
    size_bytes: int

    def read_raw(self) -> bytes:
        """The elements as the file stores them. Raises GgufError."""
        with self.source.reading() as reader:
            reader.skip(self.offset)
            return reader.take(self.size_bytes)

    def read(self) -> list[Scalar]:
        """The values. Text that is not UTF-8 gets replacement characters. Raises GgufError."""
        data = self.read_raw()
        if self.type is not GgufType.STRING:
            return list(struct.unpack(f"<{self.count}{SCALAR_CODES[self.type]}", data))
        try:
            return [*decode_strings(data, self.count)]
        except (struct.error, OverflowError) as error:
            raise gguf_errors.damaged(self.source.path, "changed since it was checked") from error


Value = Scalar | ArrayRef


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor. `shape` is in ggml's order, ne[0] (the row length) first.

    `offset` counts bytes from the start of the data section.
    """

    name: str
    type: GgmlType
    shape: tuple[int, ...]
    offset: int
    n_bytes: int

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """A header that was checked against the size of its file. Missing facts are "" or 0.

    `value_types` has the type each value of `metadata` is stored as, for those who copy them.
    """

    path: Path
    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[TensorInfo, ...]
    alignment: int
    data_offset: int
    file_size_bytes: int
    value_types: Mapping[str, GgufType]

    def text(self, key: str) -> str:
        """The value of `key` where it is text, else ""."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        """The value of `key` where it is a whole number."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    @property
    def architecture(self) -> str:
        return _label(self.text("general.architecture"))

    @property
    def name(self) -> str:
        """The model's name for people, as its maker wrote it."""
        return _label(self.text("general.name"))

    @property
    def variant(self) -> str:
        """ "Q4_K_M" and the like: as the file says, else the type of most of its weights."""
        file_type = self.number("general.file_type", default=-1)
        if file_type in _FILE_NAMES:
            return _FILE_NAMES[file_type]
        weights: Counter[GgmlType] = Counter()
        for tensor in self.tensors:
            weights[tensor.type] += tensor.n_elements
        return weights.most_common(1)[0][0].name if weights else ""

    @property
    def n_params(self) -> int:
        return sum(tensor.n_elements for tensor in self.tensors)

    @property
    def n_ctx_train(self) -> int:
        return max(0, self.number(f"{self.architecture}.context_length"))

    @property
    def chat_template(self) -> str:
        return self.text("tokenizer.chat_template")

    @property
    def tensor_bytes(self) -> int:
        return sum(tensor.n_bytes for tensor in self.tensors)

    @property
    def bpw(self) -> float:
        """Bits per weight over all tensors, as llama.cpp counts them; 0 without tensors."""
        return self.tensor_bytes * 8 / self.n_params if self.tensors else 0.0

    @property
    def split_count(self) -> int:
        """How many files the model is spread over; the others are not looked for."""
        return max(1, self.number("split.count"))


def read_header(path: Path) -> GgufHeader:
    """The header of the GGUF at `path`, checked to the last byte. Raises GgufError."""
    return read_header_from(FileSource(path))


def read_header_from(source: HeaderSource) -> GgufHeader:
    """The same from anywhere: `source` also serves the arrays that are asked for later.

    It needs to hold no more than the first `data_offset` bytes of the file, and gguf_errors'
    HEAD_BYTES. Raises GgufError, and what `source` raises.
    """
    with source.reading() as reader:
        version = _read_version(reader)
        n_tensors, n_keys = _read_counts(reader)
        metadata, value_types = _read_metadata(reader, source, n_keys)
        alignment = _alignment(reader, metadata)
        tensors = _read_tensors(reader, n_tensors)
        data_offset = _padded(reader.offset, alignment) if tensors else reader.offset
        _check_layout(reader, tensors, alignment, data_offset)
        return GgufHeader(
            path=source.path,
            version=version,
            metadata=MappingProxyType(metadata),
            tensors=tensors,
            alignment=alignment,
            data_offset=data_offset,
            file_size_bytes=reader.size_bytes,
            value_types=MappingProxyType(value_types),
        )


def _read_version(reader: Reader) -> int:
    if reader.size_bytes == 0:
        raise gguf_errors.is_empty(reader.path)
    head = reader.peek(min(reader.size_bytes, gguf_errors.HEAD_BYTES))
    if not head.startswith(b"GGUF"[: len(head)]):
        raise gguf_errors.not_gguf(reader.path, head)
    reader.skip(4)
    (version,) = reader.fields(_U32)
    if version not in (2, 3):
        raise gguf_errors.wrong_version(reader.path, version)
    return int(version)


def _read_counts(reader: Reader) -> tuple[int, int]:
    n_tensors, n_keys = reader.fields(_COUNTS)
    if n_tensors > _MAX_TENSORS or n_keys > _MAX_KEYS:
        raise gguf_errors.damaged(reader.path, f"{n_tensors} tensors and {n_keys} keys")
    return n_tensors, n_keys


def _read_metadata(
    reader: Reader, source: HeaderSource, n_keys: int
) -> tuple[dict[str, Value], dict[str, GgufType]]:
    metadata: dict[str, Value] = {}
    value_types: dict[str, GgufType] = {}
    for _ in range(n_keys):
        key = _read_name(reader, _MAX_KEY_BYTES)
        if not key or key in metadata:
            raise gguf_errors.damaged(reader.path, f"empty or double key {key!r}")
        (type_id,) = reader.fields(_U32)
        if key == "general.alignment" and type_id != GgufType.UINT32:
            raise gguf_errors.damaged(reader.path, f"alignment of value type {type_id}")
        metadata[key] = _read_value(reader, source, type_id)
        value_types[key] = GgufType(type_id)
    return metadata, value_types


def _read_value(reader: Reader, source: HeaderSource, type_id: int) -> Value:
    if type_id == GgufType.STRING:
        return reader.text(_MAX_STRING_BYTES).decode("utf-8", "replace")
    if type_id == GgufType.ARRAY:
        return _read_array(reader, source)
    value: Scalar = reader.fields(_scalar_layout(reader, type_id))[0]
    return value


def _read_array(reader: Reader, source: HeaderSource) -> ArrayRef:
    type_id, count = reader.fields(_ARRAY)
    start = reader.offset
    if type_id == GgufType.STRING:
        reader.skip_strings(count)
    else:
        reader.skip(count * _scalar_layout(reader, type_id).size)
    return ArrayRef(source, GgufType(type_id), count, start, reader.offset - start)


def _scalar_layout(reader: Reader, type_id: int) -> struct.Struct:
    layout = _SCALARS_BY_ID.get(type_id)
    if layout is None:
        raise gguf_errors.damaged(reader.path, f"value type {type_id} at {reader.offset}")
    return layout


def _read_name(reader: Reader, max_bytes: int) -> str:
    name = reader.text(max_bytes)
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise gguf_errors.damaged(reader.path, f"name {name[:80]!r} is not UTF-8") from error


def _alignment(reader: Reader, metadata: Mapping[str, Value]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment.bit_count() != 1:
        raise gguf_errors.damaged(reader.path, f"alignment {alignment} is not a power of two")
    return alignment


def _read_tensors(reader: Reader, n_tensors: int) -> tuple[TensorInfo, ...]:
    tensors = tuple(_read_tensor(reader) for _ in range(n_tensors))
    names = Counter(tensor.name for tensor in tensors)
    for name, count in names.most_common(1):
        if count > 1:
            raise gguf_errors.damaged(reader.path, f"{count} tensors are called {name!r}")
    return tensors


def _read_tensor(reader: Reader) -> TensorInfo:
    name = _read_name(reader, _MAX_NAME_BYTES)
    (n_dims,) = reader.fields(_U32)
    if n_dims > _MAX_DIMS:
        raise gguf_errors.damaged(reader.path, f"tensor {name!r} has {n_dims} dimensions")
    shape = reader.fields(_SHAPES[n_dims])
    type_id, offset = reader.fields(_TYPE_AND_OFFSET)
    type_ = _tensor_type(reader, name, type_id)
    return TensorInfo(name, type_, shape, offset, _tensor_bytes(reader, name, type_, shape))


def _tensor_type(reader: Reader, name: str, type_id: int) -> GgmlType:
    if type_id in REMOVED_TYPES:
        raise gguf_errors.removed_type(reader.path, name, REMOVED_TYPES[type_id])
    type_ = _GGML_TYPES.get(type_id)
    if type_ is None:
        raise gguf_errors.unknown_type(reader.path, name, type_id)
    return type_


def _tensor_bytes(reader: Reader, name: str, type_: GgmlType, shape: tuple[int, ...]) -> int:
    n_elements = math.prod(shape)
    n_bytes = n_elements // type_.block_size * type_.type_size
    row = shape[0] if shape else 1
    if (
        min(shape, default=1) <= 0
        or row % type_.block_size
        or max(n_elements, n_bytes) > _INT64_MAX
    ):
        raise gguf_errors.damaged(reader.path, f"tensor {name!r}: {type_.name} of shape {shape}")
    return n_bytes


def _check_layout(
    reader: Reader, tensors: tuple[TensorInfo, ...], alignment: int, data_offset: int
) -> None:
    """Tensors follow each other, padded to `alignment`, and end within the file."""
    expected = end = 0
    for tensor in tensors:
        if tensor.offset != expected:
            detail = f"tensor {tensor.name!r} at {tensor.offset}, expected {expected}"
            raise gguf_errors.damaged(reader.path, detail)
        end = tensor.offset + tensor.n_bytes
        expected = _padded(end, alignment)
    if data_offset + end > reader.size_bytes:
        raise gguf_errors.ends_early(reader.path, reader.size_bytes, data_offset + end)


def _padded(n: int, alignment: int) -> int:
    return (n + alignment - 1) & -alignment


def _label(text: str) -> str:
    """One short printable line of `text`, which may hold anything."""
    return "".join(c for c in " ".join(text[:1000].split()) if c.isprintable())[:120]


_SCALARS_BY_ID = {int(type_): struct.Struct(f"<{code}") for type_, code in SCALAR_CODES.items()}
_GGML_TYPES = {int(type_): type_ for type_ in GgmlType}
_FILE_NAMES = {int(type_): type_.name for type_ in FileType}
