"""What the ticked files come to, and the buttons that make or save them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.core.selection import totals
from app.ui import words
from app.ui.controls import ElidedLabel, Surface, button, label, set_icon, set_text
from app.ui.quantize.draft import Draft
from app.ui.theme import px, theme

_STACKED_PX = 760


class Figure(QWidget):
    """A bold figure over what it means."""

    def __init__(self) -> None:
        super().__init__()
        self._value = label("", strong=True)
        self._meaning = ElidedLabel()
        self._meaning.setProperty("step", "small")
        self._meaning.setProperty("tone", "secondary")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self._value)
        column.addWidget(self._meaning)

    @property
    def texts(self) -> tuple[str, str]:
        return self._value.text(), self._meaning.text()

    def show_words(self, value: str, meaning: str) -> None:
        set_text(self._value, value)
        set_text(self._meaning, meaning)
        self.setVisible(bool(value))


class Footer(Surface):
    make_requested = Signal()
    save_requested = Signal()

    def __init__(self, draft: Draft) -> None:
        super().__init__("content")
        self._draft = draft
        self.files, self.time, self.memory = Figure(), Figure(), Figure()
        self.save_button = button(self.tr("Save the plan…"))
        self.make_button = button(self.tr("Make files"), "primary")
        self.save_button.clicked.connect(self.save_requested)
        self.make_button.clicked.connect(self.make_requested)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._figures, self._buttons = QHBoxLayout(), QHBoxLayout()
        for figure in (self.files, self.time, self.memory):
            self._figures.addWidget(figure)
        self._figures.addStretch(1)
        self._buttons.addStretch(1)
        self._buttons.addWidget(self.save_button)
        self._buttons.addWidget(self.make_button)
        self._row.addLayout(self._figures, 1)
        self._row.addLayout(self._buttons)
        draft.changed.connect(self.refresh)
        theme().changed.connect(self._place)
        self._place()
        self.refresh()

    def refresh(self) -> None:
        n = len(self._draft.chosen)
        ready = n > 0 and not self._draft.is_planning
        self._show_figures()
        text = self.tr("Make {n} files") if n != 1 else self.tr("Make {n} file")
        self.make_button.setText(text.format(n=words.count(n)) if n else self.tr("Make files"))
        self.make_button.setEnabled(
            ready and totals(self._draft.plan, self._draft.chosen).fits_disk
        )
        self.save_button.setEnabled(ready)

    def _show_figures(self) -> None:
        plan, chosen = self._draft.plan, self._draft.chosen
        if plan is None or not chosen:
            nothing = self.tr("No files") if plan is not None else ""
            self.files.show_words(nothing, self.tr("Tick the files you want"))
            self.time.show_words("", "")
            self.memory.show_words("", "")
            return
        sums = totals(plan, chosen)
        n = self.tr("{n} files, {size}") if sums.n_files != 1 else self.tr("{n} file, {size}")
        free = words.size(plan.disk_free_bytes)
        where = (
            self.tr("on disk, of {free} free")
            if sums.fits_disk
            else self.tr("too much: {free} free on disk")
        )
        size = words.size(sums.size_bytes)
        self.files.show_words(
            n.format(n=words.count(sums.n_files), size=size), where.format(free=free)
        )
        with_matrix = plan.imatrix_seconds > 0
        meaning = self.tr("predicted, with the matrix") if with_matrix else self.tr("predicted")
        self.time.show_words(words.duration(sums.seconds) if sums.seconds else "", meaning)
        self.memory.show_words(words.size(plan.peak_memory_bytes), self.tr("of memory at most"))

    def _place(self) -> None:
        stacked = self.width() < px(_STACKED_PX)
        directions = QBoxLayout.Direction
        self._row.setDirection(directions.TopToBottom if stacked else directions.LeftToRight)
        self._row.setContentsMargins(px(24), px(12), px(24), px(12))
        self._row.setSpacing(px(12))
        self._figures.setSpacing(px(32))
        self._buttons.setSpacing(px(16))
        set_icon(self.make_button, "quantize", "onAccent")

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._place()
