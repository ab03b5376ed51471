"""A line that opens and closes what stands below it, which is made when it is first opened."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.ui import icons
from app.ui.controls import button
from app.ui.theme import px, theme


class Fold(QWidget):
    """`make` gives the content; a mark behind the title says what is the matter inside."""

    def __init__(self, title: str, make: Callable[[], QWidget]) -> None:
        super().__init__()
        self._title, self._make = title, make
        self.content: QWidget | None = None
        self.button = button(title, "fold")
        self.button.setCheckable(True)
        self.button.toggled.connect(self._on_toggled)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        theme().changed.connect(self._restyle)
        self._restyle()

    @property
    def is_open(self) -> bool:
        return self.button.isChecked()

    def open(self) -> None:
        self.button.setChecked(True)

    def show_mark(self, mark: str) -> None:
        self.button.setText(f"{self._title} · {mark}" if mark else self._title)

    def make(self) -> QWidget:
        """The content, whether it is shown or not."""
        if self.content is None:
            self.content = self._make()
            self.content.setVisible(self.is_open)
            self._column.addWidget(self.content)
        return self.content

    def _on_toggled(self, is_open: bool) -> None:
        if is_open or self.content is not None:
            self.make().setVisible(is_open)
        self._restyle()

    def _restyle(self) -> None:
        self._column.setSpacing(px(4))
        name = "chevron-down" if self.is_open else "chevron-right"
        self.button.setIcon(icons.icon(name, size_px=px(16)))
        self.button.setIconSize(QSize(px(16), px(16)))
