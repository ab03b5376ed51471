"""The inspector's section: the last benchmark of the loaded model, and the way to a new one."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Signal

from app.jobs.benchmark import BenchmarkState
from app.ui.bars import SegmentBar
from app.ui.benchmark import wording
from app.ui.benchmark.choosing import latest_of
from app.ui.controls import button, label, set_text
from app.ui.section import Section


class BenchmarkSection(Section):
    opened = Signal()

    def __init__(self) -> None:
        super().__init__(QCoreApplication.translate("BenchmarkSection", "Benchmark"))
        self.open_button = button(self.tr("Measure…"), "link")
        self.open_button.setEnabled(False)
        self.open_button.setAccessibleName(self.tr("Benchmark of the loaded model"))
        self.open_button.clicked.connect(self.opened)
        self.set_right(self.open_button)
        self._words = label(self.tr("Not measured yet"), "small", "secondary", wrap=True)
        self.bar = SegmentBar(self.tr("Progress of the benchmark"))
        self.bar.hide()
        self.column.addWidget(self._words)
        self.column.addWidget(self.bar)

    def show_state(self, state: BenchmarkState) -> None:
        record = latest_of(state.loaded, state.records or ())
        self.open_button.setEnabled(state.loaded is not None or bool(state.records))
        can_show = state.is_running or record is not None
        text = self.tr("Show…") if can_show else self.tr("Measure…")
        if self.open_button.text() != text:
            self.open_button.setText(text)
        self.bar.setVisible(state.is_running)
        if state.is_running:
            share = state.progress.share if state.progress else 0.0
            self.bar.show_segments([(share, "memoryModel")], 1, wording.step(state.progress))
            set_text(self._words, wording.step(state.progress))
        elif record is None:
            set_text(self._words, self.tr("Not measured yet"))
        else:
            set_text(self._words, wording.short(record))
