"""What a model is predicted to take, against what is free: a bar, its figures and its legend."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.fit import MemoryPlan
from app.ui import words
from app.ui.bars import Legend, SegmentBar
from app.ui.controls import label, set_text
from app.ui.theme import px, theme, tokens

_TOKENS = ("memoryModel", "memoryContext", "memoryWork")


class FitBar(SegmentBar):
    """The whole bar is what is free; a marker stands at its end."""

    def sizeHint(self) -> QSize:
        return QSize(px(80), px(20))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(40), px(20))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = tokens()["memoryBar"]
        over, width = px(look["freeMarkerOverhang"]), look["freeMarkerWidth"]
        painter = QPainter(self)
        self.paint_segments(painter, QRectF(self.rect()).adjusted(0, over, 0, -over))
        painter.setClipping(False)
        marker = QRectF(self.width() - width, 0, width, self.height())
        painter.fillRect(marker, theme().color("text"))


class PredictedMemory(QWidget):
    """The plan of a model that is not loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = FitBar(self.tr("Predicted memory"))
        self._total = label("", "small", strong=True)
        self._legend = Legend()
        for token in _TOKENS:
            self._legend.add(token)
        self._legend.finish()
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Predicted memory"), "small", "secondary"))
        head.addStretch(1)
        head.addWidget(self._total)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(head)
        self._column.addWidget(self.bar)
        self._column.addWidget(self._legend)
        theme().changed.connect(self._place)
        self._place()

    @property
    def text(self) -> str:
        return self._total.text()

    def show_plan(self, plan: MemoryPlan) -> None:
        parts = (
            plan.weights_bytes + plan.mmproj_bytes,
            plan.kv_bytes,
            plan.compute_bytes + plan.host_bytes,
        )
        total, free = plan.total_bytes, max(plan.free_bytes, 1)
        text = self.tr("{total} of the {free} that are free").format(
            total=words.part_of(total, free), free=words.size(free, 1)
        )
        set_text(self._total, text)
        self.bar.show_segments(list(zip(parts, _TOKENS, strict=True)), free, text)
        names = (self.tr("Model {n}"), self.tr("Context {n}"), self.tr("Work {n}"))
        for number, (name, part) in enumerate(zip(names, parts, strict=True)):
            self._legend.set_text(number, name.format(n=words.part_of(part, total)))

    def _place(self) -> None:
        self._column.setSpacing(px(4))
