"""The stored tensors of a checkpoint, from which every method takes the parts it knows."""

from __future__ import annotations

from quantize import checkpoint_errors
from quantize.errors import CheckpointError
from quantize.rows import Rows
from quantize.safetensors import Stored
from quantize.tensors import Tensor
from quantize.types import GgmlType


class Parts:
    """What is left of the stored tensors, and the tensors that were made of the others."""

    def __init__(self, stored: dict[str, Stored]) -> None:
        self.stored = dict(stored)
        self.tensors: dict[str, Tensor] = {}

    def named(self, ending: str) -> list[str]:
        """The names with `ending`, which may be taken while they are gone through."""
        return [name for name in self.stored if name.endswith(ending)]

    def take(self, name: str, whole: Stored) -> Stored:
        """A part that must be there, or `whole` is not usable. Raises CheckpointError."""
        found = self.stored.pop(name, None)
        if found is None:
            raise checkpoint_errors.lacks_part(whole.path, whole.name, name)
        return found

    def take_if_there(self, name: str) -> Stored | None:
        return self.stored.pop(name, None)

    def drop(self, endings: tuple[str, ...]) -> None:
        """Forget what only other engines use, such as scales of activations."""
        for name in [name for name in self.stored if name.endswith(endings)]:
            del self.stored[name]

    def add(
        self,
        name: str,
        shape: tuple[int, ...],
        rows: Rows,
        origin: Stored,
        type_: GgmlType = GgmlType.F32,
    ) -> None:
        if name in self.stored or name in self.tensors:
            raise wrong(origin, f"{name} is there already")
        self.tensors[name] = Tensor(name, shape, type_, rows, origin.origin)


def wrong(stored: Stored, detail: str) -> CheckpointError:
    return checkpoint_errors.wrong_parts(stored.path, stored.name, detail)


def check(stored: Stored, dtypes: tuple[str, ...], n_dims: int) -> None:
    """Raises CheckpointError unless `stored` has one of `dtypes`, `n_dims` and elements."""
    if stored.dtype not in dtypes or len(stored.shape) != n_dims or not stored.n_elements:
        raise wrong(stored, f"{stored.name} is {stored.dtype} of shape {stored.shape}")


FLOATS = ("F32", "F16", "BF16")
WORDS = ("I32", "U32")
INDEXES = ("I32", "I64")
