"""GGUF files as they are written: the header's bytes, and a file that appears whole or not at all.

A file under construction has a name of its own beside its final one and is locked by its maker, so
that what a killed process left behind can be told from what another one is writing. Knows nothing
of models. Source: ggml/src/gguf.cpp (gguf_write_to_buf) at llama.cpp 0c1e57098.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from quantize.durable import fsync_folder, lock_open_file
from quantize.errors import OutputError
from quantize.messages import QT_TRANSLATE_NOOP, Message
from quantize.model import MetadataValue, Scalar, Typed, TypedArray
from quantize.types import SCALAR_CODES, GgmlType, GgufType

ALIGNMENT = 32
PARTIAL_SUFFIX = ".partial"
_VERSION = 3


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """Where a tensor goes: `shape` in ggml's order, `offset` from the start of the data section."""

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int
    n_bytes: int


def lay_out(
    tensors: Iterable[tuple[str, tuple[int, ...], GgmlType]],
) -> tuple[TensorLayout, ...]:
    """Name, shape and type of each tensor become places, one after the other, padded."""
    layouts = []
    offset = 0
    for name, shape, type_ in tensors:
        n_bytes = tensor_bytes(shape, type_)
        layouts.append(TensorLayout(name, shape, type_, offset, n_bytes))
        offset += padded(n_bytes)
    return tuple(layouts)


def tensor_bytes(shape: Sequence[int], type_: GgmlType) -> int:
    n_elements = 1
    for n in shape:
        n_elements *= n
    return n_elements // type_.block_size * type_.type_size


def padded(n_bytes: int) -> int:
    return (n_bytes + ALIGNMENT - 1) & -ALIGNMENT


def header_bytes(metadata: Mapping[str, MetadataValue], tensors: Sequence[TensorLayout]) -> bytes:
    """Everything before the data section, padded to its start."""
    parts = [b"GGUF", struct.pack("<IQQ", _VERSION, len(tensors), len(metadata))]
    parts += [_string(key) + _value(value) for key, value in metadata.items()]
    parts += [_tensor_info(tensor) for tensor in tensors]
    header = b"".join(parts)
    return header + bytes(padded(len(header)) - len(header))


def _string(text: Scalar | bytes) -> bytes:
    data = text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(data)) + data


def _value(value: MetadataValue) -> bytes:
    if isinstance(value, Typed):
        return struct.pack("<I", value.type) + _scalar(value.type, value.value)
    head = struct.pack("<IIQ", GgufType.ARRAY, value.type, value.count)
    return head + (value.raw or _elements(value))


def _elements(array: TypedArray) -> bytes:
    if array.type is GgufType.STRING:
        return b"".join(_string(item) for item in array.values)
    return struct.pack(f"<{array.count}{SCALAR_CODES[array.type]}", *array.values)


def _scalar(type_: GgufType, value: Scalar | bytes) -> bytes:
    if type_ is GgufType.STRING:
        return _string(value)
    return struct.pack(f"<{SCALAR_CODES[type_]}", value)


def _tensor_info(tensor: TensorLayout) -> bytes:
    shape = struct.pack(f"<I{len(tensor.shape)}q", len(tensor.shape), *tensor.shape)
    return _string(tensor.name) + shape + struct.pack("<IQ", tensor.type, tensor.offset)


class OutputFile:
    """A file being written: `write` in order, then `finish` once, or `discard`.

    Raises OutputError where the disk is full, the file exists, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._partial = path.with_name(path.name + PARTIAL_SUFFIX)
        refuse_existing(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftover(path)
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self._partial, flags, 0o666)
        except OSError as error:
            raise cannot_write(path, error) from error
        lock_open_file(self._descriptor)

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        view = memoryview(data).cast("B")
        self._digest.update(view)
        self.size_bytes += len(view)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise cannot_write(self.path, error) from error

    @property
    def partial_path(self) -> Path:
        """Where its bytes are until `finish`."""
        return self._partial

    @property
    def sha256(self) -> str:
        """Of what has been written so far, in hexadecimal."""
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Make it durable and give it its name. Nothing is left under any name where this fails."""
        try:
            os.fsync(self._descriptor)
            refuse_existing(self.path)
            if sys.platform == "win32":
                os.close(self._descriptor)
                self._descriptor = -1
            self._partial.rename(self.path)
            fsync_folder(self.path.parent)
        except OSError as error:
            self.discard()
            raise cannot_write(self.path, error) from error
        except OutputError:
            self.discard()
            raise
        self._close()

    def discard(self) -> None:
        """Leave nothing. Does nothing after `finish`."""
        if self._descriptor >= 0:
            self._close()
            with suppress(OSError):
                self._partial.unlink()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def refuse_existing(path: Path) -> None:
    """Raises OutputError where `path` is there already, if only as a dangling link."""
    if os.path.lexists(path):
        raise OutputError(path, EXISTS.fill(name=path.name), EXISTS_HINT)


def remove_leftover(path: Path) -> bool:
    """Delete what a killed process left of `path`; whether there was something.

    Raises OutputError where a living process is still writing it.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        descriptor = os.open(partial, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        if not lock_open_file(descriptor):
            raise OutputError(path, _IN_USE.fill(name=path.name), _IN_USE_HINT)
        if sys.platform != "win32":
            partial.unlink()
    finally:
        os.close(descriptor)
    if sys.platform == "win32":
        partial.unlink()
    return True


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The system's refusal as a sentence."""
    text, hint = _REFUSALS.get(error.errno or 0, (_CANNOT, _CANNOT_HINT))
    return OutputError(path, text.fill(name=path.name), hint, str(error))


EXISTS = QT_TRANSLATE_NOOP("output", "{name} is there already.")
EXISTS_HINT = QT_TRANSLATE_NOOP("output", "Delete or rename it first, or choose another folder.")
_IN_USE = QT_TRANSLATE_NOOP("output", "{name} is being written by another run.")
_IN_USE_HINT = QT_TRANSLATE_NOOP("output", "Wait until that is done, or choose another folder.")
_CANNOT = QT_TRANSLATE_NOOP("output", "{name} cannot be written.")
_CANNOT_HINT = QT_TRANSLATE_NOOP("output", "Check that the disk it is on is connected.")
_FULL: tuple[Message, Message] = (
    QT_TRANSLATE_NOOP("output", "The disk is full: {name} could not be finished."),
    QT_TRANSLATE_NOOP(
        "output", "Free some space or choose another folder; nothing was left behind."
    ),
)
_NOT_ALLOWED: tuple[Message, Message] = (
    QT_TRANSLATE_NOOP("output", "You are not allowed to write {name} there."),
    QT_TRANSLATE_NOOP("output", "Choose another folder, or change its permissions."),
)
_REFUSALS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC: _FULL,
    errno.EFBIG: (
        QT_TRANSLATE_NOOP("output", "{name} is larger than the file system allows."),
        QT_TRANSLATE_NOOP("output", "Choose a folder on another disk (FAT32 ends at 4 GB)."),
    ),
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: _NOT_ALLOWED,
}
