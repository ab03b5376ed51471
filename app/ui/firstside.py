"""The side of the first start: what this computer is, so that one knows what to expect of it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout

from app.ui.controls import Hairline, Surface
from app.ui.hardwarecard import HardwareCard
from app.ui.theme import px, theme

_SIDE_PX = 432


class FirstStartSide(Surface):
    """Holds the hardware card until the window is too narrow for it."""

    def __init__(self, card: HardwareCard) -> None:
        super().__init__("sidebar")
        inner = Surface("none")
        self._column = QVBoxLayout(inner)
        self._column.addWidget(card)
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

    def take_back(self, card: HardwareCard) -> None:
        self._column.insertWidget(0, card)
