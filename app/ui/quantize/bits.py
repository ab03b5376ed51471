"""The section "Where the bits go": a choice of the file, its picture, and what the colours mean."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui import words
from app.ui.controls import button, label, set_text
from app.ui.quantize.flow import Flow
from app.ui.quantize.painting import bits_of, type_colors
from app.ui.quantize.swatches import Swatch
from app.ui.quantize.tensorgrid import Grid, grid_of
from app.ui.quantize.tensormap import TensorMap
from app.ui.segmented import Segmented
from app.ui.theme import px, theme
from quantize.job import PlannedFile


class WhereTheBitsGo(QWidget):
    tensors_requested = Signal(int)  # the number of the file

    def __init__(self) -> None:
        super().__init__()
        self._files: tuple[PlannedFile, ...] = ()
        self.choice = Segmented(self.tr("File"))
        self.map = TensorMap()
        self._sentence = label("", "small", "secondary", wrap=True)
        self._outside = label("", "small", "secondary", wrap=True)
        self._legend = Flow()
        self.table_link = button(self.tr("Show every tensor"), "link")
        self._head = QHBoxLayout()
        self._column = QVBoxLayout(self)
        self._lay_out()
        self.choice.chosen.connect(self._show)
        self.table_link.clicked.connect(lambda: self.tensors_requested.emit(self.choice.current))
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        self._head.addWidget(label(self.tr("Where the bits go"), strong=True))
        self._head.addWidget(self.choice)
        self._head.addWidget(self._sentence, 1)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(self._head)
        self._column.addWidget(self._legend)
        self._column.addWidget(self.map)
        below = QHBoxLayout()
        below.addWidget(self._outside, 1)
        below.addWidget(self.table_link)
        self._column.addLayout(below)

    def show_files(self, files: tuple[PlannedFile, ...]) -> None:
        """The last is shown first: the smallest, where there is most to see."""
        self._files = files
        current = len(files) - 1
        self.choice.show_choices([file.type for file in files], max(0, current))
        self.choice.setVisible(len(files) > 1)
        if files:
            self._show(current)

    def show_done(self, n_done: int) -> None:
        self.map.show_done(n_done)

    def _show(self, number: int) -> None:
        tensors = self._files[number].tensors
        grid = grid_of(tensors)
        self.map.show_grid(grid)
        set_text(self._sentence, self._sentence_for(self._files[number], grid))
        inside = set(grid.cells.values())
        outside = [
            f"{tensor.name.removesuffix('.weight')} {tensor.type}"
            for place, tensor in enumerate(tensors)
            if place not in inside and len(tensor.shape) > 1
        ]
        text = self.tr("Outside the blocks: {names}.").format(names=", ".join(outside))
        set_text(self._outside, text if outside else "")
        self._show_legend(grid)

    def _sentence_for(self, file: PlannedFile, grid: Grid) -> str:
        if file.n_fallback:
            text = self.tr("{n} of {total} tensors cannot take the type meant and are kept larger.")
            n, total = words.count(file.n_fallback), words.count(len(file.tensors))
            return text.format(n=n, total=total)
        more = [t for t in grid.types if bits_of(t) > bits_of(grid.usual)]
        if not more:
            n = words.decimal(bits_of(grid.usual), 1) if grid.usual else ""
            text = self.tr("All large tensors get {n} bits per weight.")
            return text.format(n=n) if grid.usual else ""
        bits = self.tr("or").join(f" {int(bits_of(t))} " for t in more).strip()
        text = self.tr("Tensors that matter more keep {more} bits; the rest get {usual}.")
        return text.format(more=bits, usual=int(bits_of(grid.usual)))

    def _show_legend(self, grid: Grid) -> None:
        self._legend.clear()
        for name in grid.types:
            color_of = lambda name=name: type_colors(grid.types)[name]  # noqa: E731
            self._legend.add(Swatch(name, color_of))
        self._legend.add(Swatch(self.tr("still to do"), None))

    def _place(self) -> None:
        self._head.setSpacing(px(16))
        self._column.setSpacing(px(12))
