"""A model's metadata boiled down to whole numbers: what running it will take depends on no more."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from quantize.model import MetadataValue, Typed, TypedArray
from quantize.types import SCALAR_CODES, GgufType

_MOST = 4096  # in one array: one for each layer, and far from a vocabulary
_WHOLE = frozenset(GgufType) - {
    *(GgufType.STRING, GgufType.ARRAY, GgufType.FLOAT32, GgufType.FLOAT64)
}
Number = int | tuple[int, ...]


def numbers_of(metadata: Mapping[str, MetadataValue]) -> tuple[tuple[str, Number], ...]:
    """Every value that is a whole number or an array of such, and of lists of text the length."""
    return tuple(_numbers(metadata))


def _numbers(metadata: Mapping[str, MetadataValue]) -> Iterator[tuple[str, Number]]:
    for key, value in metadata.items():
        if isinstance(value, Typed):
            if isinstance(value.value, int):
                yield key, int(value.value)
        elif value.type is GgufType.STRING:
            yield key, value.count
        elif value.type in _WHOLE and value.count <= _MOST:
            yield key, _elements(value)


def _elements(array: TypedArray) -> tuple[int, ...]:
    if array.raw:
        code = SCALAR_CODES[array.type]
        return tuple(map(int, struct.unpack(f"<{array.count}{code}", array.raw)))
    return tuple(int(value) for value in array.values)
