"""The inspector's measured figures: memory, context, speed. Nothing here is estimated."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout

from app.engine.protocol import Loaded
from app.jobs.engine import Phase
from app.ui import words
from app.ui.bars import Legend, SegmentBar
from app.ui.controls import label, set_text
from app.ui.figures import Figures
from app.ui.section import Section

translate = QCoreApplication.translate


class MemorySection(Section):
    """What the loaded model takes, on the scale of the memory that was free before it came."""

    def __init__(self) -> None:
        super().__init__(translate("MemorySection", "Memory"))
        self._free_bytes = 0
        self._loaded: Loaded | None = None
        self._scale = label("", "small", "secondary")
        self.set_right(self._scale)
        self._total = label("…", "small", strong=True)
        line = QHBoxLayout()
        line.addWidget(label(self.tr("Actual"), "small", "secondary"))
        line.addStretch(1)
        line.addWidget(self._total)
        self.bar = SegmentBar(self.tr("Memory the model takes"))
        self._legend = Legend()
        for token in ("memoryModel", "memoryContext", "memoryWork"):
            self._legend.add(token)
        self._legend.finish()
        self.column.addLayout(line)
        self.column.addWidget(self.bar)
        self.column.addWidget(self._legend)
        self._show()

    def show_free(self, free_bytes: int) -> None:
        """What was free when the loading began."""
        self._free_bytes = free_bytes
        self._show()

    def show_figures(self, figures: Figures) -> None:
        if figures.loaded is not self._loaded:
            self._loaded = figures.loaded
            self._show()

    def _show(self) -> None:
        if self._loaded is None:
            self._show_none()
            return
        memory = self._loaded.memory
        parts = (memory.weights_bytes, memory.kv_bytes, memory.compute_bytes)
        total = sum(parts)
        free = max(self._free_bytes, total)
        scale = self.tr("of {size} that was free").format(size=words.size(free, 1))
        self._scale.setText(scale if self._free_bytes else "")
        self._total.setText(words.size(total))
        self.bar.show_segments(
            list(zip(parts, ("memoryModel", "memoryContext", "memoryWork"), strict=True)),
            free,
            self.tr("{taken} of {free}").format(taken=words.size(total), free=words.size(free, 1)),
        )
        for number, text in enumerate(self._legend_texts(parts)):
            self._legend.set_text(number, text)

    def _legend_texts(self, parts: tuple[int, int, int]) -> tuple[str, str, str]:
        model, context, work = (words.part_of(part, sum(parts)) for part in parts)
        return (
            self.tr("Model {n}").format(n=model),
            self.tr("Context {n}").format(n=context),
            self.tr("Work {n}").format(n=work),
        )

    def _show_none(self) -> None:
        self._scale.setText("")
        self._total.setText("…")
        self.bar.show_segments([], 1, self.tr("No model is loaded"))
        for number, text in enumerate((self.tr("Model"), self.tr("Context"), self.tr("Work"))):
            self._legend.set_text(number, text)


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
