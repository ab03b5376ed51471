"""The inspector's memory: what the loaded model was predicted to take, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.measured import Taken
from app.engine.protocol import Loaded
from app.jobs.engine import Phase
from app.ui import words
from app.ui.bars import Legend, SegmentBar
from app.ui.controls import IconLabel, label, set_text
from app.ui.figures import Figures
from app.ui.section import Section
from app.ui.theme import tokens

if TYPE_CHECKING:
    from app.jobs.predicting import Prediction

translate = QCoreApplication.translate
RIGHT_SHARE = 0.04  # a prediction that is off by less counts as right


class MemorySection(Section):
    """What the model takes, predicted and actual, on the scale of the memory that was free."""

    def __init__(self) -> None:
        super().__init__(translate("MemorySection", "Memory"))
        self._free_bytes = 0
        self._predicted: Taken | None = None
        self._loaded: Loaded | None = None
        self._scale = label("", "small", "secondary")
        self.set_right(self._scale)
        self.predicted = _Measure(self.tr("Predicted"), self.tr("Memory predicted for the model"))
        self.actual = _Measure(self.tr("Actual"), self.tr("Memory the model takes"), is_strong=True)
        self._legend = Legend()
        for token in _PARTS:
            self._legend.add(token)
        self._legend.finish()
        self._verdict = Verdict()
        for part in (self.predicted, self.actual, self._legend, self._verdict):
            self.column.addWidget(part)
        self._show()

    @property
    def verdict(self) -> str:
        """How the actual figure compares with the prediction, in words; "" while not known."""
        return self._verdict.text

    def show_free(self, free_bytes: int) -> None:
        """What was free when the loading began."""
        self._free_bytes = free_bytes
        self._show()

    def show_prediction(self, prediction: Prediction | None) -> None:
        self._predicted = prediction.taken if prediction else None
        self._show()

    def show_figures(self, figures: Figures) -> None:
        taken = None if figures.state.phase is Phase.RESTING else figures.loaded
        if taken is not self._loaded:
            self._loaded = taken
            self._show()

    def _show(self) -> None:
        actual, predicted = self._actual(), self._predicted
        most = max((each.total_bytes for each in (actual, predicted) if each), default=0)
        free = max(self._free_bytes, most)
        is_known = bool(self._free_bytes and most)
        scale = self.tr("of {size} that was free").format(size=words.size(free, 1))
        self._scale.setText(scale if is_known else "")
        self.predicted.show_taken(predicted, free)
        self.actual.show_taken(actual, free)
        self._show_legend(actual or predicted)
        self._verdict.compare(actual, predicted)

    def _actual(self) -> Taken | None:
        if self._loaded is None:
            return None
        memory = self._loaded.memory
        return Taken(memory.weights_bytes, memory.kv_bytes, memory.compute_bytes)

    def _show_legend(self, taken: Taken | None) -> None:
        names = (self.tr("Model {n}"), self.tr("Context {n}"), self.tr("Work {n}"))
        for number, name in enumerate(names):
            size = words.part_of(_parts(taken)[number], taken.total_bytes) if taken else ""
            self._legend.set_text(number, name.format(n=size).rstrip())


_PARTS = ("memoryModel", "memoryContext", "memoryWork")


def _parts(taken: Taken) -> tuple[int, int, int]:
    return taken.weights_bytes, taken.kv_bytes, taken.compute_bytes


class _Measure(QWidget):
    """A name, a size, and a bar below them."""

    def __init__(self, name: str, bar_name: str, *, is_strong: bool = False) -> None:
        super().__init__()
        self.total = label("…", "small", strong=is_strong)
        line = QHBoxLayout()
        line.addWidget(label(name, "small", "secondary"))
        line.addStretch(1)
        line.addWidget(self.total)
        self.bar = SegmentBar(bar_name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self.bar)

    def show_taken(self, taken: Taken | None, free: int) -> None:
        if taken is None:
            set_text(self.total, "…")
            self.bar.show_segments([], 1, self.tr("Not known"))
            return
        total = taken.total_bytes
        set_text(self.total, words.size(total))
        segments = list(zip(_parts(taken), _PARTS, strict=True))
        text = self.tr("{taken} of {free}").format(
            taken=words.size(total), free=words.size(free, 1)
        )
        self.bar.show_segments(segments, free, text)


class Verdict(QWidget):
    """Whether the prediction was right, with a mark: up to RIGHT_SHARE off counts as right."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = IconLabel("fits", "fits", 14)
        self._words = label("", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._icon)
        row.addWidget(self._words, 1)

    @property
    def text(self) -> str:
        return "" if self.isHidden() else self._words.text()

    def compare(self, actual: Taken | None, predicted: Taken | None) -> None:
        is_known = actual is not None and predicted is not None and predicted.total_bytes > 0
        self.setVisible(is_known)
        if not is_known:
            return
        off = actual.total_bytes / predicted.total_bytes - 1
        state = "fits" if abs(off) <= RIGHT_SHARE else "tight"
        self._icon.show_icon(tokens()["states"][state]["icon"], state)
        set_text(self._words, self._sentence(off))

    def _sentence(self, off: float) -> str:
        percent = words.decimal(abs(off) * 100)
        if round(abs(off) * 100, 1) == 0:
            return self.tr("As predicted")
        if off > 0:
            return self.tr("{n} % above the prediction").format(n=percent)
        return self.tr("{n} % below the prediction").format(n=percent)
