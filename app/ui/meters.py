"""The inspector's measured figures: context and speed. Nothing here is estimated."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QGridLayout

from app.jobs.engine import Phase
from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.controls import label, set_text
from app.ui.figures import Figures
from app.ui.section import Section

translate = QCoreApplication.translate


class ContextSection(Section):
    """How much of what the model can see at once is in use."""

    def __init__(self) -> None:
        super().__init__(translate("ContextSection", "Context"))
        self._words = label("…", "small", "secondary")
        self.set_right(self._words)
        self.bar = SegmentBar(self.tr("Context in use"))
        self.column.addWidget(self.bar)

    def show_figures(self, figures: Figures) -> None:
        loaded, n_used = figures.loaded, figures.n_used
        if loaded is None or n_used is None:
            set_text(self._words, "…")
            self.bar.show_segments([], 1, self.tr("Not known yet"))
            return
        text = self.tr("{used} of {n_ctx} tokens").format(
            used=words.count(n_used), n_ctx=words.count(loaded.n_ctx)
        )
        set_text(self._words, text)
        self.bar.show_segments([(n_used, "memoryModel")], loaded.n_ctx, text)


class SpeedSection(Section):
    """How fast the last answer was written, or the present one is."""

    def __init__(self) -> None:
        super().__init__(translate("SpeedSection", "Speed"))
        self._when = label("", "small", "tertiary")
        self.set_right(self._when)
        self._speed = label("…", "title")
        self._first = label("…", "title")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(0)
        grid.addWidget(self._speed, 0, 0)
        grid.addWidget(self._first, 0, 1)
        grid.addWidget(label(self.tr("tokens per second"), "small", "secondary"), 1, 0)
        grid.addWidget(label(self.tr("to the first token"), "small", "secondary"), 1, 1)
        self.column.addLayout(grid)

    @property
    def words(self) -> tuple[str, str, str]:
        return self._speed.text(), self._first.text(), self._when.text()

    def show_figures(self, figures: Figures) -> None:
        writing = figures.state.phase is Phase.WRITING
        stats, tps = figures.stats, figures.tps
        set_text(self._speed, words.speed(tps) if tps else "…")
        first = words.seconds(stats.ttft_ms) if stats and not writing else "…"
        set_text(self._first, first)
        last = self.tr("measured, last answer") if stats else ""
        set_text(self._when, self.tr("measured, this answer") if writing else last)
        self._speed.setAccessibleName(f"{self._speed.text()} {self.tr('tokens per second')}")
        self._first.setAccessibleName(f"{self._first.text()} {self.tr('to the first token')}")
