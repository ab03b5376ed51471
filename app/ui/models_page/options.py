"""How the model is to be run: the context and how it is kept; and what the bars' colours mean."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.core import settings as s
from app.jobs.assessing import Wish
from app.ui import words
from app.ui.bars import Legend
from app.ui.controls import label
from app.ui.inputs import ComboBox
from app.ui.models_page import wording
from app.ui.quantize.flow import Flow
from app.ui.theme import px, theme

_STEPS = tuple(2048 * 2**n for n in range(10))


class Options(QWidget):
    """`changed` carries the Wish; the settings of the engine are what is shown."""

    changed = Signal(object)  # Wish

    def __init__(self) -> None:
        super().__init__()
        self._wish = Wish()
        self._max = 0
        self.context = ComboBox()
        self.kept = ComboBox()
        self.context.setAccessibleName(self.tr("Context"))
        self.context.setToolTip(self.tr("How much of the conversation the model sees"))
        self.kept.setAccessibleName(self.tr("The context is kept as"))
        self.kept.setToolTip(words.translate(s.KV_TYPE.help) if s.KV_TYPE.help else "")
        for box in (self.context, self.kept):
            box.view().setAccessibleName(box.accessibleName())
        for value, text in s.KV_TYPE.choices:
            self.kept.addItem(words.translate(text), value)
        self._flow = Flow(gap_px=16)
        for text, box in ((self.tr("Context"), self.context), (self.tr("Kept as"), self.kept)):
            self._flow.add(_pair(text, box))
        self.legend = MemoryLegend()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self._flow, 1)
        self._row.addWidget(self.legend, 0, Qt.AlignmentFlag.AlignVCenter)
        self.context.activated.connect(self._on_chosen)
        self.kept.activated.connect(self._on_chosen)
        self.show_wish(self._wish, 0)

    def show_wish(self, wish: Wish, n_ctx_train: int) -> None:
        """`n_ctx_train` 0: the model's most is not known."""
        if (wish, n_ctx_train) == (self._wish, self._max) and self.context.count():
            return
        self._wish, self._max = wish, n_ctx_train
        n_ctx = min(wish.n_ctx, n_ctx_train or wish.n_ctx)
        most = n_ctx_train or max(_STEPS[6], n_ctx)
        choices = sorted({*(n for n in _STEPS if n <= most), n_ctx, n_ctx_train or n_ctx})
        self.context.clear()
        for n in choices:
            self.context.addItem(wording.tokens(n), n)
        self.context.setCurrentIndex(choices.index(n_ctx))
        self.kept.setCurrentIndex(max(0, self.kept.findData(wish.kv_type)))
        self._flow.updateGeometry()

    def show_legend(self, shown: bool) -> None:
        self.legend.setVisible(shown)

    def _on_chosen(self) -> None:
        self.changed.emit(Wish(self.context.currentData(), self.kept.currentData()))


def _pair(text: str, box: ComboBox) -> QWidget:
    pair = QWidget()
    row = QHBoxLayout(pair)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(px(8))
    row.addWidget(label(text, tone="secondary"))
    row.addWidget(box)
    return pair


class MemoryLegend(QWidget):
    def __init__(self) -> None:
        super().__init__()
        legend = Legend()
        texts = (self.tr("Model"), self.tr("Context"), self.tr("Work"))
        tokens = ("memoryModel", "memoryContext", "memoryWork")
        for token, text in zip(tokens, texts, strict=True):
            legend.set_text(legend.add(token), text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(legend)
        row.addWidget(_HatchSwatch(), 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(label(self.tr("Too much"), "small", "secondary"))


class _HatchSwatch(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(px(8), px(8))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(self.rect())
        painter.fillRect(area, theme().color("doesNotFitBackground"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("doesNotFit"), 2))
        painter.drawLine(area.bottomLeft(), area.topRight())
