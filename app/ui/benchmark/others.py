"""Results beside each other, with a bar for how fast each one writes: variants can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.core.benchmarks import BenchRecord
from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.benchmark import wording
from app.ui.controls import ElidedLabel, label, tag
from app.ui.theme import px, theme

EDGE = 6  # pixels beside a row, for the ring around the one that has the focus


class OthersView(QWidget):
    """A heading and a row for each result."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._title = label(title, "small", "secondary", strong=True)
        self._column.addWidget(self._title)
        self._shown: tuple[object, ...] = ()
        self.rows: list[ResultRow] = []
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self._column.setSpacing(px(6))
        self._title.setContentsMargins(px(EDGE), 0, 0, 0)

    def show_records(self, records: Sequence[BenchRecord], shown: BenchRecord | None) -> None:
        """`shown` is the one whose figures stand above."""
        if self._shown == (*records, shown):
            return
        self._shown = (*records, shown)
        for row in self.rows:
            row.setParent(None)
            row.deleteLater()
        best = max((record.tg_tps for record in records), default=1.0)
        self.rows = [ResultRow(record, best, record is shown) for record in records]
        for row in self.rows:
            self._column.addWidget(row)


class ResultRow(QFrame):
    """Name and speed, the bar, and the rest in a smaller line. Tab reaches it."""

    def __init__(self, record: BenchRecord, best_tps: float, is_shown: bool) -> None:
        super().__init__()
        name = ElidedLabel(record.model)
        value = label(
            self.tr("{tps} tokens/s").format(tps=words.speed(record.tg_tps)), strong=is_shown
        )
        bar = SegmentBar(self.tr("Writes, against the fastest"))
        token = "memoryModel" if is_shown else "memoryContext"
        bar.show_segments([(record.tg_tps, token)], best_tps, value.text())
        head = QHBoxLayout()
        head.setSpacing(px(6))
        head.addWidget(name)
        if record.variant:
            head.addWidget(tag(record.variant))
        if is_shown:
            head.addWidget(label(self.tr("loaded now"), "small", "accent"))
        head.addStretch(1)
        head.addWidget(value)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(EDGE), px(3), px(EDGE), px(3))
        column.setSpacing(px(3))
        column.addLayout(head)
        column.addWidget(bar)
        column.addWidget(label(wording.details(record), "small", "secondary", wrap=True))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(f"{record.name}: {value.text()}, {wording.details(record)}")

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme().color("accentText"), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), px(6), px(6))
