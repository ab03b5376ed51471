"""The scroll area around the column: scroll bar, keys, the way back to the end."""

from __future__ import annotations

import time

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from app.ui.transcript.column import Column
from app.ui.transcript.jump import JumpButton
from app.ui.transcript.message import MessageView, discard
from app.ui.transcript.row import Row

IDLE_SLICE_S = 0.003
NEAR_END = 24


class ScrolledColumn(QAbstractScrollArea):
    """Shows a column of rows. Follows its end while that is in sight."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._column = Column(self.viewport(), self._make_view)
        self._follows = True
        self._is_syncing = False
        self._idle_timer = self._single_shot(self._on_idle)
        self._jump = self._make_jump_button()

    def _make_view(self, row: Row) -> MessageView:
        raise NotImplementedError

    def _single_shot(self, slot: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(slot)
        return timer

    def _px(self, pixels: int) -> int:
        return self._column.look.px(pixels)

    def scroll_to_end(self) -> None:
        self._follows = True
        self._settle()

    def reveal(self, widget: QWidget, rect: QRect) -> None:
        """Scroll as little as it takes to see `rect` of `widget`."""
        top = widget.mapTo(self.viewport(), rect.topLeft()).y()
        bottom = widget.mapTo(self.viewport(), rect.bottomLeft()).y()
        bar, room = self.verticalScrollBar(), self.viewport().height()
        if top < 0:
            bar.setValue(bar.value() + top - self._px(8))
        elif bottom > room:
            bar.setValue(bar.value() + bottom - room + self._px(8))

    def _scroll_to(self, row: Row) -> None:
        """Scroll as little as it takes to see `row`, or its beginning if it is high."""
        top, height = self._column.top_of(row), self._column.height_of(row)
        room = self.viewport().height()
        if top < self._column.scroll or height > room:
            self.verticalScrollBar().setValue(top)
        elif top + height > self._column.scroll + room:
            self.verticalScrollBar().setValue(top + height - room)
        self._settle()

    # Layout

    def _settle(self, deadline: float = 0) -> None:
        """Bring the widgets in line with the rows. Hidden, that can wait."""
        if self._is_syncing or not self.viewport().isVisible():
            return
        self._is_syncing = True
        try:
            if self._column.settle(deadline, self._follows):
                self._idle_timer.start(0)
            bar = self.verticalScrollBar()
            bar.setPageStep(self.viewport().height())
            bar.setSingleStep(self._px(22))
            bar.setRange(0, self._column.max_scroll)
            bar.setValue(self._column.scroll)
        finally:
            self._is_syncing = False
        self._show_jump_button()

    def _on_idle(self) -> None:
        """Make a little more of what is just out of sight."""
        self._settle(time.perf_counter() + IDLE_SLICE_S)

    def _make_jump_button(self) -> JumpButton:
        """A child of the viewport: over its sibling it would keep Qt from scrolling pixels."""
        button = JumpButton(self.viewport(), self._column.look)
        button.clicked.connect(self.scroll_to_end)
        button.hide()
        return button

    def _renew_jump_button(self) -> None:
        discard(self._jump)
        self._jump = self._make_jump_button()

    def _show_jump_button(self) -> None:
        away = self._column.max_scroll - self._column.scroll > NEAR_END
        self._jump.setVisible(away)
        if away:
            size, area, gap = self._jump.sizeHint(), self.viewport().rect(), self._px(16)
            x, y = area.width() - size.width() - gap, area.height() - size.height() - gap
            self._jump.setGeometry(x, y, size.width(), size.height())
            self._jump.raise_()

    # Events

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        if self._is_syncing:
            return
        self._column.scroll = self.verticalScrollBar().value()
        self._follows = self._column.max_scroll - self._column.scroll <= NEAR_END
        self._settle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._column.take_width()
        self._settle()
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._column.take_width()
        self._settle()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        if event.key() == Qt.Key.Key_Home:
            bar.setValue(0)
        elif event.key() == Qt.Key.Key_End:
            self.scroll_to_end()
        elif event.key() == Qt.Key.Key_Space:
            bar.setValue(bar.value() + bar.pageStep() - self._px(44))
        else:
            super().keyPressEvent(event)
