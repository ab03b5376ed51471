"""What one comparison found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quantize.gguf_header import read_header
from tests.helpers import identity


@dataclass
class Result:
    """By type, whether the tensor sections are equal; and all that differs, in words."""

    name: str
    equal: dict[str, bool] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    golden: dict[str, Any] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return all(self.equal.values()) and not self.differences

    def compare(self, type_: str, mine: Path, theirs: Path) -> None:
        """Two files of `type_`: sections, metadata and their order."""
        self.equal[type_] = identity.section(mine) == identity.section(theirs)
        if not self.equal[type_]:
            self.differences.append(f"{type_}: {first_difference(mine, theirs)}")
        expected, found = identity.metadata(theirs), identity.metadata(mine)
        for key in dict.fromkeys([*expected, *found]):
            if expected.get(key) != found.get(key):
                self._add(f"{key}: {expected.get(key)} expected, {found.get(key)} found")
        if expected == found and list(expected) != list(found):
            self._add(f"keys in another order: {list(found)} instead of {list(expected)}")
        if identity.file_type(mine) != identity.file_type(theirs):
            self._add(f"{type_}: general.file_type")

    def _add(self, line: str) -> None:
        if line not in self.differences:
            self.differences.append(line)


def first_difference(mine: Path, theirs: Path) -> str:
    """The first tensor whose place or bytes differ."""
    ours, official = read_header(mine), read_header(theirs)
    for a, b in zip(ours.tensors, official.tensors, strict=False):
        if (a.name, a.type, a.shape, a.offset) != (b.name, b.type, b.shape, b.offset):
            return f"{a.name} {a.type.name} {a.shape} is {b.name} {b.type.name} {b.shape}"
        with mine.open("rb") as file, theirs.open("rb") as other:
            file.seek(ours.data_offset + a.offset)
            other.seek(official.data_offset + b.offset)
            if file.read(a.n_bytes) != other.read(b.n_bytes):
                return f"{a.name} {a.type.name} {a.shape}: other bytes"
    return f"{len(ours.tensors)} tensors, {len(official.tensors)} official"
