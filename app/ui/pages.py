"""The frame of the pages beside Chat: a heading and a column that scrolls."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.ui.controls import Centered, IconLabel, Surface, label
from app.ui.theme import px, theme

_COLUMN_PX = 720


class ScrollPage(QScrollArea):
    """A page with a title and `column`, in which the rest is put."""

    def __init__(self, title: str) -> None:
        super().__init__()
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.addWidget(label(title, "title"))
        inner = Surface("content")
        outer = QVBoxLayout(inner)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(Centered(content, _COLUMN_PX))
        outer.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self.column.setContentsMargins(0, px(24), 0, px(24))
        self.column.setSpacing(px(16))


class EmptyPage(QWidget):
    """A page that has nothing to show yet, and says so."""

    def __init__(self, icon: str, title: str, sentence: str) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(1)
        for widget in (
            IconLabel(icon, "textSecondary", 24),
            label(title, strong=True),
            label(sentence, "small", "secondary", wrap=True),
        ):
            widget.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(widget)
        self.note = label("", "small", "secondary", wrap=True)
        self.note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.note.hide()
        column.addWidget(self.note)
        column.addStretch(1)

    def show_note(self, text: str) -> None:
        """What already waits here."""
        self.note.setText(text)
        self.note.show()
