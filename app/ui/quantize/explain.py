"""What quantizing is, for people who have never heard of it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.controls import Hairline, Surface, label
from app.ui.theme import px, theme

_MAX_PX = 760


class Explain(Surface):
    """Hidden until it is asked for."""

    def __init__(self) -> None:
        super().__init__("sidebar")
        self._texts = QWidget()
        self._column = QVBoxLayout(self._texts)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._row = QHBoxLayout()
        self._row.addWidget(self._texts, 1_000)
        self._row.addStretch(1)
        texts = (
            self.tr(
                "A model is billions of numbers, published with 16 bits each. Quantizing writes "
                "them with 8, 6 or 4 bits: the file and the memory it needs shrink by half or "
                "more, answers come faster, and a little accuracy is lost."
            ),
            self.tr(
                "The letters name the method, the figure its bits: Q8_0 loses almost nothing, "
                "Q4_K_M is the usual choice, below that the loss grows quickly. Numbers that "
                "matter more keep more bits, so the average lies a little higher."
            ),
            self.tr(
                "An importance matrix says which numbers matter. It is measured here by reading a "
                "text with the model, takes a while, and makes small files noticeably better."
            ),
        )
        for text in texts:
            self._column.addWidget(label(text, tone="secondary", wrap=True))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(self._row)
        outer.addWidget(Hairline())
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    def _place(self) -> None:
        self._row.setContentsMargins(px(24), px(16), px(24), px(16))
        self._column.setSpacing(px(8))
        self._texts.setMaximumWidth(px(_MAX_PX))
