"""A column that scrolls, and the margin of what does not reach from edge to edge in it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QFrame, QLayout, QScrollArea, QVBoxLayout, QWidget

from app.ui.controls import Surface
from app.ui.theme import px, theme


class Scrolled(QScrollArea):
    """What is shown stands in `column`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        inner = Surface("content")
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


class Margin(QWidget):
    """Space around one widget; hidden when that is."""

    def __init__(self, content: QWidget, top_px: int = 16, bottom_px: int = 0) -> None:
        super().__init__()
        self._top_px, self._bottom_px = top_px, bottom_px
        self._column = QVBoxLayout(self)
        self._column.addWidget(content)
        content.installEventFilter(self)
        if content.isHidden():  # shown, it would be a window until it has a parent
            self.hide()
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self._column.setContentsMargins(px(24), px(self._top_px), px(24), px(self._bottom_px))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShowToParent:
            self.show()
        elif event.type() == QEvent.Type.HideToParent:
            self.hide()
        return False


def empty(layout: QLayout) -> None:
    """Take all widgets away; they are gone at once, not when the event loop finds time."""
    while layout.count():
        widget = layout.takeAt(0).widget()
        widget.hide()
        widget.deleteLater()
