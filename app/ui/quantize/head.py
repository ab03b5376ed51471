"""The bar above the page: its title, what is being made, and the buttons for that."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QPushButton

from app.ui.controls import ElidedLabel, Surface, label, set_icon
from app.ui.theme import px, theme


class PageHead(Surface):
    """A title and a note at the left; buttons are added at the right."""

    def __init__(self, title: str) -> None:
        super().__init__("content")
        self.note = ElidedLabel()
        self.note.setProperty("tone", "secondary")
        self._icons: list[tuple[QPushButton, str, str]] = []
        self._row = QHBoxLayout(self)
        self._row.addWidget(label(title, "title"))
        self._row.addWidget(self.note, 1)
        theme().changed.connect(self._place)
        self._place()

    def add(self, button: QPushButton, icon: str = "", token: str = "text") -> None:
        self._row.addWidget(button)
        if icon:
            self._icons.append((button, icon, token))
        self._place()

    def change_icon(self, button: QPushButton, icon: str) -> None:
        self._icons = [
            (each, icon if each is button else name, token) for each, name, token in self._icons
        ]
        self._place()

    def _place(self) -> None:
        self.setFixedHeight(px(47))
        self._row.setContentsMargins(px(24), 0, px(24), 0)
        self._row.setSpacing(px(12))
        for button, icon, token in self._icons:
            set_icon(button, icon, token)
