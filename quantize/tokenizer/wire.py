"""Protocol buffers' wire format, just enough to read SentencePiece's file; knows no message.

Flat: a nested message is handed out as bytes, so nothing recurses. Every length is checked against
what is left. Source: protobuf's "Encoding" reference.
"""

from __future__ import annotations

from collections.abc import Iterator

_MAX_FIELD = 2**29 - 1
_FIXED_BYTES = {1: 8, 5: 4}


class WireError(ValueError):
    """The bytes are not a message."""


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of each field in `data`, in order. Raises WireError.

    The value is a whole number of a varint, or the bytes of a fixed or length-delimited field.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = (data[at], at + 1) if data[at] < 0x80 else _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number <= _MAX_FIELD:
            raise WireError(f"field number {number} before byte {at}")
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        else:
            length = _FIXED_BYTES.get(kind, -1)
        if not 0 <= length <= end - at:
            raise WireError(f"wire type {kind}, {length} bytes, at {at} of {end}")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError(f"ends within a number at {at}")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise WireError(f"a number of more than ten bytes before {at}")
