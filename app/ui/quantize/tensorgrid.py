"""Which tensor stands in which cell of the picture of a file: blocks by kinds. No widgets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.ui.quantize.painting import bits_of
from quantize.job import PlannedTensor

_BLOCK = re.compile(r"blk\.(\d+)\.(.+?)(?:\.weight)?$")
_MAX_BLOCKS = 1000  # a file may call its tensors what it likes


@dataclass(frozen=True)
class Grid:
    """`cells` by (kind, block) hold the number of a tensor in the file's order."""

    tensors: tuple[PlannedTensor, ...] = ()
    kinds: tuple[str, ...] = ()
    n_blocks: int = 0
    cells: dict[tuple[str, int], int] = field(default_factory=dict)
    usual: str = ""  # the type that most cells have

    @property
    def types(self) -> tuple[str, ...]:
        """Those in the picture, the fewest bits first."""
        found = {self.tensors[number].type for number in self.cells.values()}
        return tuple(sorted(found, key=lambda name: (bits_of(name), name)))


def grid_of(tensors: Sequence[PlannedTensor]) -> Grid:
    """Matrices within blocks: vectors, which are never quantized, would clutter the picture."""
    cells: dict[tuple[str, int], int] = {}
    for number, tensor in enumerate(tensors):
        found = _BLOCK.match(tensor.name)
        if found and len(tensor.shape) > 1 and int(found[1]) < _MAX_BLOCKS:
            cells[found[2], int(found[1])] = number
    kinds = tuple(sorted({kind for kind, _ in cells}))
    n_blocks = max((block for _, block in cells), default=-1) + 1
    usual = Counter(tensors[number].type for number in cells.values()).most_common(1)
    return Grid(tuple(tensors), kinds, n_blocks, cells, usual[0][0] if usual else "")
