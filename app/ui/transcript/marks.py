"""What a text document cannot draw itself, noted while it is written. Positions are characters."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.ui.transcript.tables import TableMark

DISC, CIRCLE, TO_DO, DONE = "disc", "circle", "to do", "done"


@dataclass(slots=True)
class Marks:
    """Chips behind code, shaded paragraphs, bars beside quotes, rules, list marks, tables.

    `chips` and `codes` are (start, end), `quotes` (start, end, levels), `items` (start, mark).
    """

    chips: list[tuple[int, int]] = field(default_factory=list)
    codes: list[tuple[int, int]] = field(default_factory=list)
    quotes: list[tuple[int, int, int]] = field(default_factory=list)
    items: list[tuple[int, str]] = field(default_factory=list)
    rules: list[int] = field(default_factory=list)
    tables: list[TableMark] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (
            self.chips or self.codes or self.quotes or self.items or self.rules or self.tables
        )

    def take(self, other: Marks) -> None:
        """Become like `other`, without sharing anything with it."""
        for name in self.__slots__:
            getattr(self, name)[:] = getattr(other, name)
