"""The three parts of the chat page side by side; where it is narrow the outer two lie over it."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from app.ui.controls import Hairline, Surface
from app.ui.theme import px, theme


class SidePanel:
    """One outer part: whether it is wanted when there is room, and open when there is none."""

    def __init__(self, widget: QWidget, width_px: int, *, at_left: bool) -> None:
        self.widget, self.width_px, self.at_left = widget, width_px, at_left
        self.is_wanted = True
        self.is_docked = True
        self.is_open = False
        self.overlay = Surface("sidebar")
        row = QHBoxLayout(self.overlay)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        line = Hairline(Qt.Orientation.Vertical)
        row.addWidget(line)
        self._row = row
        self.overlay.hide()

    @property
    def is_shown(self) -> bool:
        return self.is_wanted if self.is_docked else self.is_open

    def undock(self) -> None:
        """Move from the splitter into the overlay."""
        self._row.insertWidget(0 if self.at_left else 1, self.widget, 1)
        self.widget.show()


class Panels(QWidget):
    """`left` and `right` beside `middle`. `changed` says that one was shown or hidden."""

    changed = Signal()

    def __init__(self, left: SidePanel, middle: QWidget, right: SidePanel) -> None:
        super().__init__()
        self.left, self.right = left, right
        self._middle = middle
        self._is_plain = False
        self._splitter = QSplitter()
        self._splitter.setHandleWidth(1)
        self._splitter.setChildrenCollapsible(False)
        for widget in (left.widget, middle, right.widget):
            self._splitter.addWidget(widget)
        self._splitter.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._splitter)
        self._outside = _Outside(self)
        self._outside.pressed.connect(self.close_overlays)
        for panel in (left, right):
            panel.overlay.setParent(self)
        theme().changed.connect(self._arrange)
        self._arrange()

    def set_plain(self, plain: bool) -> None:
        """Show the middle alone, as at the first start."""
        if plain != self._is_plain:
            self._is_plain = plain
            self._arrange()

    def set_room(self, *, left_fits: bool, right_fits: bool) -> None:
        """Whether there is room for the outer parts beside the middle."""
        fits = ((self.left, left_fits), (self.right, right_fits))
        if all(panel.is_docked == fit for panel, fit in fits):
            return
        for panel, fit in fits:
            panel.is_docked, panel.is_open = fit, False
        self._arrange()

    def toggle(self, panel: SidePanel) -> None:
        if panel.is_docked:
            panel.is_wanted = not panel.is_wanted
        else:
            opening = not panel.is_open
            self.left.is_open = self.right.is_open = False
            panel.is_open = opening
        self._arrange()

    def close_overlays(self) -> bool:
        """Whether there was one to close."""
        was_open = any(p.is_open and not p.is_docked for p in (self.left, self.right))
        self.left.is_open = self.right.is_open = False
        if was_open:
            self._arrange()
        return was_open

    def is_shown(self, panel: SidePanel) -> bool:
        return panel.is_shown and not self._is_plain

    def _arrange(self) -> None:
        self._splitter.blockSignals(True)
        for panel in (self.left, self.right):
            self._dock(panel) if panel.is_docked else panel.undock()
            panel.overlay.setVisible(not panel.is_docked and self.is_shown(panel))
        self._splitter.blockSignals(False)
        middle = max(px(320), self.width() - px(self.left.width_px + self.right.width_px))
        sizes = {
            self.left.widget: px(self.left.width_px),
            self.right.widget: px(self.right.width_px),
        }
        count = self._splitter.count()
        widgets = [self._splitter.widget(number) for number in range(count)]
        self._splitter.setSizes([sizes.get(widget, middle) for widget in widgets])
        self._place_overlays()
        self.changed.emit()

    def _dock(self, panel: SidePanel) -> None:
        if self._splitter.indexOf(panel.widget) < 0:
            self._splitter.insertWidget(
                0 if panel.at_left else self._splitter.count(), panel.widget
            )
            self._splitter.setStretchFactor(self._splitter.indexOf(self._middle), 1)
        panel.widget.setVisible(self.is_shown(panel))

    def _place_overlays(self) -> None:
        is_open = False
        for panel in (self.left, self.right):
            width = min(px(panel.width_px), self.width() - px(40))
            x = 0 if panel.at_left else self.width() - width
            panel.overlay.setGeometry(QRect(x, 0, width, self.height()))
            is_open = is_open or panel.overlay.isVisibleTo(self)
        self._outside.setGeometry(self.rect())
        self._outside.setVisible(is_open)
        self._outside.raise_()
        for panel in (self.left, self.right):
            panel.overlay.raise_()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_overlays()


class _Outside(QWidget):
    """Lies under an open overlay; a press on it closes the overlay."""

    pressed = Signal()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()
