"""The inspector's measured speed. Nothing here is estimated."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QGridLayout

from app.jobs.engine import EngineState, Phase
from app.ui import words
from app.ui.answerfigures import reused
from app.ui.controls import label, set_text
from app.ui.figures import Figures
from app.ui.section import Section

translate = QCoreApplication.translate


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
        self.reused = label("", "small", "secondary", wrap=True)
        self.reused.hide()
        self.column.addWidget(self.reused)
        self._way = label("", "small", "secondary", wrap=True)
        self.column.addWidget(self._way)

    @property
    def words(self) -> tuple[str, str, str]:
        return self._speed.text(), self._first.text(), self._when.text()

    @property
    def way(self) -> str:
        return self._way.text()

    def show_figures(self, figures: Figures) -> None:
        writing = figures.state.phase is Phase.WRITING
        stats, tps = figures.stats, figures.tps
        set_text(self._speed, words.speed(tps) if tps else "…")
        first = words.seconds(stats.ttft_ms) if stats and not writing else "…"
        set_text(self._first, first)
        lines = reused(stats) if stats and not writing else ()
        set_text(self.reused, "\n".join(lines))
        self.reused.setVisible(bool(lines))
        last = self.tr("measured, last answer") if stats else ""
        set_text(self._when, self.tr("measured, this answer") if writing else last)
        self._show_way(figures.state)
        self._speed.setAccessibleName(f"{self._speed.text()} {self.tr('tokens per second')}")
        self._first.setAccessibleName(f"{self._first.text()} {self.tr('to the first token')}")

    def _show_way(self, state: EngineState) -> None:
        """How the model is run, and whether that was measured."""
        load, loaded = state.load, state.loaded
        if load is None or loaded is None:
            set_text(self._way, "")
            return
        n, on, off = loaded.n_threads, self.tr("flash attention on"), self.tr("flash attention off")
        threads = self.tr("1 thread") if n == 1 else self.tr("{n} threads").format(n=words.count(n))
        parts = [threads, on if loaded.flash_attn else off]
        if loaded.kv_type != "f16":
            parts.append(self.tr("context in {type}").format(type=loaded.kv_type))
        text = ", ".join(parts)
        if load.pass_costs:
            text = self.tr("{way} (measured)").format(way=text)
        set_text(self._way, text)
