"""One benchmark's figures: speeds large, the share of the memory's speed as a bar, the rest."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.core.benchmarks import BenchRecord, middle, spread
from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.benchmark import wording
from app.ui.benchmark.others import EDGE
from app.ui.controls import label, set_text
from app.ui.theme import px, theme


class ResultView(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._tiles = QGridLayout()
        self._writes = _Tile(self.tr("tokens per second, writing"))
        self._reads = _Tile(self.tr("tokens per second, reading"))
        self._share = label("", "small", "secondary")
        self._share_name = label(
            self.tr("Memory’s speed reached while writing"), "small", "secondary", wrap=True
        )
        self.bar = SegmentBar(self.tr("Memory’s speed reached while writing"))
        self._lines = _Lines()
        self._conditions = label("", "small", "secondary", wrap=True)
        self._lay_out()
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        self._tiles.addWidget(self._writes, 0, 0)
        self._tiles.addWidget(self._reads, 0, 1)
        self._tiles.setColumnStretch(0, 1)
        self._tiles.setColumnStretch(1, 1)
        head = QHBoxLayout()
        head.addWidget(self._share_name, 1)
        head.addWidget(self._share)
        self._column = QVBoxLayout(self)
        self._column.addLayout(self._tiles)
        self._column.addLayout(head)
        self._column.addWidget(self.bar)
        self._column.addWidget(self._lines)
        self._column.addWidget(self._conditions)

    def _place(self) -> None:
        self._column.setContentsMargins(px(EDGE), 0, px(EDGE), 0)
        self._column.setSpacing(px(8))
        self._tiles.setHorizontalSpacing(px(16))

    def show_record(self, record: BenchRecord) -> None:
        first = record.depths[0]
        self._writes.show_values(first.tg_tps)
        self._reads.show_values(first.pp_tps)
        self._show_share(record)
        self._lines.show_record(record)
        set_text(self._conditions, wording.conditions(record))

    def _show_share(self, record: BenchRecord) -> None:
        is_known = record.bandwidth_share is not None
        for widget in (self._share, self._share_name, self.bar):
            widget.setVisible(is_known)
        if record.bandwidth_share is not None:
            text = wording.share(record)
            set_text(self._share, text)
            self.bar.show_segments([(record.bandwidth_share, "memoryModel")], 1, text)


class _Tile(QWidget):
    """A large figure with what it is below it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._value = label("…", "title")
        self._spread = label("", "small", "tertiary")
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addWidget(self._value)
        row.addWidget(self._spread, 0, Qt.AlignmentFlag.AlignBottom)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(label(name, "small", "secondary", wrap=True))

    def show_values(self, values: Sequence[float]) -> None:
        set_text(self._value, words.speed(middle(values)))
        set_text(self._spread, f"± {words.decimal(spread(values))}" if len(values) > 1 else "")
        self._value.setAccessibleName(f"{self._value.text()} {self._name}")


class _Lines(QWidget):
    """Name and value, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self._names = (
            self.tr("First word of a short answer"),
            self.tr("First word in a long conversation"),
            self.tr("… in its next turn"),
            self.tr("… in its next turn, reopened from disk"),
            self.tr("Loading the model"),
            self.tr("Memory at most"),
        )
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(0, 1)
        self._labels = [label(name, "small", "secondary", wrap=True) for name in self._names]
        self._values = [label("…", "small", strong=True) for _ in self._names]
        for row, (name, value) in enumerate(zip(self._labels, self._values, strict=True)):
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._grid.addWidget(name, row, 0)
            self._grid.addWidget(value, row, 1)
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self._grid.setVerticalSpacing(px(4))
        self._grid.setHorizontalSpacing(px(12))

    def show_record(self, record: BenchRecord) -> None:
        texts = (
            wording.wait(record.ttft_ms),
            wording.wait(record.cold_ms),
            wording.wait(record.warm_ms),
            wording.wait(record.restored_ms),
            words.seconds(record.load_ms),
            words.size(record.peak_bytes),
        )
        for name, value, text in zip(self._names, self._values, texts, strict=True):
            set_text(value, text)
            value.setAccessibleName(f"{name}: {text}")
        if record.n_first:
            n = words.count(record.n_first)
            text = self.tr("First word after a conversation of {n} tokens").format(n=n)
            set_text(self._labels[1], text)
