"""A model's numbers as llama.cpp reads them: one for all layers, or one for each.

Files are strangers': a value that is missing, of another kind or out of all bounds counts as not
there, and never raises here.
"""

from __future__ import annotations

from collections.abc import Mapping

from quantize.gguf_header import ArrayRef
from quantize.types import GgufType

MAX_LAYERS = 1024  # llama.cpp's own limit is 512
_MAX_COUNT = 2**40
_NOT_NUMBERS = (GgufType.STRING, GgufType.FLOAT32, GgufType.FLOAT64)


class Keys:
    """The values under a model's architecture: "block_count" and the like.

    An array is a tuple, or left in its file. Raises GgufError where that can no longer be read.
    """

    def __init__(self, architecture: str, values: Mapping[str, object]) -> None:
        self.architecture = architecture
        self._values = values
        self._arrays: dict[str, tuple[int, ...]] = {}
        self.n_layers = min(self.number("block_count"), MAX_LAYERS)

    def has(self, name: str) -> bool:
        return self._key(name) in self._values

    def number(self, name: str, default: int = 0) -> int:
        """A count; of an array its first element."""
        value = self._values.get(self._key(name))
        if isinstance(value, (ArrayRef, tuple)):
            return next(iter(self.array(name)), default)
        return _count(value) if _is_whole(value) else default

    def array(self, name: str) -> tuple[int, ...]:
        """An array's elements, none where it is no array of whole numbers or flags."""
        if name not in self._arrays:
            self._arrays[name] = tuple(map(_count, _elements(self._values.get(self._key(name)))))
        return self._arrays[name]

    def per_layer(self, name: str, default: int = 0) -> tuple[int, ...]:
        """One number for each layer: the array's, or the same for all."""
        values = self.array(name)
        if values:
            return (*values[: self.n_layers], *(0 for _ in range(self.n_layers - len(values))))
        return (self.number(name, default),) * self.n_layers

    def _key(self, name: str) -> str:
        return f"{self.architecture}.{name}"


def _elements(value: object) -> tuple[object, ...]:
    if isinstance(value, ArrayRef):
        is_short = value.count <= 4 * MAX_LAYERS and value.type not in _NOT_NUMBERS
        value = tuple(value.read()) if is_short else ()
    is_array = isinstance(value, tuple) and all(isinstance(item, int) for item in value)
    return value if is_array and isinstance(value, tuple) else ()


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: object) -> int:
    return min(max(int(value), 0), _MAX_COUNT) if isinstance(value, int) else 0
