"""A row of choices of which one holds."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton

from app.ui.controls import Surface
from app.ui.theme import px, theme


class Segmented(Surface):
    """`chosen` carries the number of the choice the user took."""

    chosen = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__("segments")
        self.setAccessibleName(name)
        self._name = name
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._group.idClicked.connect(self.chosen)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(1, 1, 1, 1)
        self._row.setSpacing(0)
        theme().changed.connect(self._place)

    @property
    def current(self) -> int:
        return self._group.checkedId()

    def show_choices(self, texts: Sequence[str], current: int = 0) -> None:
        for button in self._group.buttons():
            self._group.removeButton(button)
            self._row.removeWidget(button)
            button.deleteLater()
        for number, text in enumerate(texts):
            button = QToolButton()
            button.setText(text)
            button.setAccessibleName(f"{self._name}: {text}")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setProperty("kind", "segment")
            button.setProperty("first", number == 0)
            self._group.addButton(button, number)
            self._row.addWidget(button)
        if texts:
            self._group.button(current).setChecked(True)
        self._place()

    def _place(self) -> None:
        for button in self._group.buttons():
            button.setFixedHeight(px(26))
