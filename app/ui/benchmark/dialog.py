"""The benchmark of the loaded model: running, its figures, and other results beside them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.jobs.benchmark import BenchmarkState
from app.ui import style
from app.ui.bars import SegmentBar
from app.ui.benchmark import wording
from app.ui.benchmark.choosing import earlier_of, fastest_first, latest_of
from app.ui.benchmark.others import EDGE, OthersView
from app.ui.benchmark.result import ResultView
from app.ui.controls import ElidedLabel, Hairline, Surface, button, label, set_text, tag
from app.ui.theme import px, theme
from app.ui.trouble import TroubleCard


class BenchmarkDialog(QDialog):
    """Beside the window, which stays of use. `show_state` fills it."""

    start_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Benchmark"))
        self._name = ElidedLabel()
        self._name.setProperty("step", "title")
        self._variant = tag("")
        self.running = RunningStrip()
        self.running.cancelled.connect(self.cancel_requested)
        self.trouble = TroubleCard("tight")
        self._empty = label(self.tr("Not measured yet."), "small", "secondary", wrap=True)
        self.result = ResultView()
        self.others = OthersView(self.tr("On this computer, the fastest first"))
        self.earlier = OthersView(self.tr("The same model before"))
        self.start_button = button(self.tr("Measure"), "primary")
        self.start_button.clicked.connect(self.start_requested)
        self.close_button = button(self.tr("Close"))
        self.close_button.clicked.connect(self.accept)
        self._head = QHBoxLayout()
        self._lay_out()
        theme().changed.connect(self._restyle)
        self._restyle()
        room = parent.window().size()
        self.resize(min(px(600), room.width()), min(px(680), room.height()))

    def _lay_out(self) -> None:
        inner = Surface("content")
        self._column = QVBoxLayout(inner)
        head = self._head
        head.addWidget(self._name)
        head.addWidget(self._variant)
        head.addStretch(1)
        self._column.addLayout(head)
        for widget in (self.running, self.trouble, self._empty, self.result):
            self._column.addWidget(widget)
        for view in (self.others, self.earlier):
            line = Hairline()
            view.line = line
            self._column.addWidget(line)
            self._column.addWidget(view)
        self._column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inner)
        self._foot = QHBoxLayout()
        self._foot.addWidget(label(self.tr("Measured here."), "small", "tertiary", wrap=True), 1)
        self._foot.addWidget(self.start_button)
        self._foot.addWidget(self.close_button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(area, 1)
        outer.addWidget(Hairline())
        outer.addLayout(self._foot)

    def _restyle(self) -> None:
        self.setStyleSheet(style.sheet())
        side = px(24 - EDGE)
        self._column.setContentsMargins(side, px(20), side, px(16))
        self._head.setContentsMargins(px(EDGE), 0, px(EDGE), 0)
        self._empty.setContentsMargins(px(EDGE), 0, px(EDGE), 0)
        self._column.setSpacing(px(12))
        self._foot.setContentsMargins(px(24), px(12), px(24), px(12))
        self._foot.setSpacing(px(8))

    def show_state(self, state: BenchmarkState, can_start: bool) -> None:
        records = state.records or ()
        record = latest_of(state.loaded, records)
        self._show_model(state)
        self.running.show_state(state)
        self.start_button.setEnabled(can_start)
        self.start_button.setText(self.tr("Measure again") if record else self.tr("Measure"))
        self._show_error(state)
        self._empty.setVisible(record is None and not state.is_running and state.error is None)
        self.result.setVisible(record is not None)
        if record is not None:
            self.result.show_record(record)
        self._show_rows(self.others, fastest_first(records), record)
        self._show_rows(self.earlier, earlier_of(record, records)[:_MOST_EARLIER], None)

    def _show_model(self, state: BenchmarkState) -> None:
        loaded = state.loaded
        set_text(self._name, loaded.name if loaded else self.tr("No model is loaded"))
        set_text(self._variant, loaded.variant if loaded else "")
        self._variant.setVisible(bool(loaded and loaded.variant))

    def _show_error(self, state: BenchmarkState) -> None:
        if state.error is None:
            self.trouble.hide()
        else:
            self.trouble.show_error(state.error)

    def _show_rows(self, view: OthersView, records: tuple, shown: object) -> None:
        view.show_records(records, shown)
        view.setVisible(bool(records))
        view.line.setVisible(bool(records))


_MOST_EARLIER = 5


class RunningStrip(QWidget):
    """How far it is, how long it takes, and the way out."""

    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.bar = SegmentBar(self.tr("Progress of the benchmark"))
        self._words = label("", "small", "secondary", wrap=True)
        self.cancel_button = button(self.tr("Cancel"), small=True)
        self.cancel_button.clicked.connect(self.cancelled)
        row = QHBoxLayout()
        row.addWidget(self._words, 1)
        row.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(EDGE), 0, px(EDGE), 0)
        column.addWidget(self.bar)
        column.addLayout(row)
        self.hide()

    def show_state(self, state: BenchmarkState) -> None:
        self.setVisible(state.is_running)
        share = state.progress.share if state.progress else 0.0
        text = wording.step(state.progress)
        self.bar.show_segments([(share, "memoryModel")], 1, text)
        set_text(self._words, text)
