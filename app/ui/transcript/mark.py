"""Where the model's memory begins, as the transcript is told it, and what may be asked for there.

Plain data: the widgets are in `memorymark.py` and `summarycard.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Actions(Protocol):
    """What the buttons ask for."""

    def summarise(self) -> None: ...
    def cancel_summary(self) -> None: ...
    def dismiss_summary(self) -> None: ...
    def save_summary(self, text: str) -> None: ...
    def remove_summary(self) -> None: ...
    def relayout(self) -> None: ...


@dataclass(slots=True)
class MarkState:
    """What the user did with the card, however often its widget is made anew."""

    is_open: bool = False
    draft: str | None = None  # while the summary is edited


@dataclass(frozen=True, slots=True)
class Mark:
    """`line`: where memory begins, "" where only the card is shown. The card shows a summary being
    written (`is_running`), what kept it from being finished (`is_trouble`), or the summary that is
    in force, with `title` and `note` above `text`. `offer`: what the button below the line says.
    """

    line: str = ""
    offer: str = ""
    title: str = ""
    note: str = ""
    text: str = ""
    is_running: bool = False
    is_trouble: bool = False
    can_edit: bool = True
    state: MarkState = field(default_factory=MarkState, compare=False)

    @property
    def shape(self) -> tuple[object, ...]:
        """What its height hangs on; the text of a running summary scrolls in its place."""
        text = "" if self.is_running else self.text
        return self.line, self.offer, self.title, self.note, text, self.is_running, self.is_trouble
