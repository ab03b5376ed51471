"""The side of the first start: what this computer is, and what it could run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.ui.controls import Hairline, Surface
from app.ui.hardwarecard import HardwareCard
from app.ui.theme import px, theme

if TYPE_CHECKING:
    from app.ui.bettercard import BetterCard

_SIDE_PX = 432


class SideCards(QWidget):
    """The hardware card above the recommendation; they stand at the side or in the column."""

    def __init__(self) -> None:
        super().__init__()
        self.hardware = HardwareCard()
        self.better: BetterCard | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.hardware)
        theme().changed.connect(self._place)
        self._place()

    def make_better(self) -> BetterCard:
        """Imported and made when there is something to recommend: the chat comes first."""
        from app.ui.bettercard import BetterCard

        self.better = BetterCard()
        self._column.addWidget(self.better)
        return self.better

    def _place(self) -> None:
        self._column.setSpacing(px(24))


class FirstStartSide(Surface):
    """Holds the cards until the window is too narrow for it."""

    def __init__(self, cards: SideCards) -> None:
        super().__init__("sidebar")
        inner = Surface("none")
        self._column = QVBoxLayout(inner)
        self._column.addWidget(cards)
        self._column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inner)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(Hairline(Qt.Orientation.Vertical))
        row.addWidget(area, 1)
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self.setFixedWidth(px(_SIDE_PX))
        self._column.setContentsMargins(px(24), px(24), px(24), px(24))

    def take_back(self, cards: SideCards) -> None:
        self._column.insertWidget(0, cards)
