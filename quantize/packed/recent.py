"""What was loaded last, for packed weights that cannot be read by rows.

GPTQ and AWQ store a matrix transposed, so a row of the weight is a column of the file: the packed
matrix (an eighth of the weight in float32) is read once and kept while its rows are wanted. Kept
are the two that were used last, and more only below a limit, so memory does not grow with the
model.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

MAX_BYTES = 64 * 1024**2
_ALWAYS = 2


class _Sized(Protocol):
    @property
    def n_bytes(self) -> int: ...


T = TypeVar("T", bound=_Sized)


class Recent(Generic[T]):
    """Values by name. Loads one at a time; several threads may ask for the same."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._values: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str, load: Callable[[], T]) -> T:
        with self._lock:
            value = self._values.pop(name, None)
            if value is None:
                value = load()
            self._values[name] = value
            self._shrink()
            return value

    @property
    def n_bytes(self) -> int:
        return sum(value.n_bytes for value in self._values.values())

    def _shrink(self) -> None:
        while len(self._values) > _ALWAYS and self.n_bytes > self._max_bytes:
            self._values.popitem(last=False)
