"""The table of variants, and the names of its columns."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QSizePolicy, QWidget

from app.ui.focus import OWN_RING
from app.ui.quantize.columns import Columns, headings, measure
from app.ui.quantize.delegate import LEFT, RIGHT, VariantDelegate, toggle
from app.ui.quantize.places import Mode, Places, mode_for, places, row_height
from app.ui.quantize.rows import VariantModel
from app.ui.theme import SMALL, font, px, theme


class VariantTable(QListView):
    """As high as its rows: what is around it scrolls."""

    def __init__(self, model: VariantModel) -> None:
        super().__init__()
        self._model = model
        self.columns: Columns = measure()
        self.mode = Mode.WIDE
        self._delegate = VariantDelegate(self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName(self.tr("Variants"))
        self.setProperty(OWN_RING, True)
        self.setMouseTracking(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        model.modelReset.connect(self._fit)
        model.dataChanged.connect(self._scale)
        theme().changed.connect(self._restyle)
        self._fit()

    def _restyle(self) -> None:
        self.columns = measure()
        self._fit()

    def _fit(self) -> None:
        self.mode = mode_for(self.width(), self.columns)
        self._delegate.mode, self._delegate.columns = self.mode, self.columns
        self._scale()
        self.setFixedHeight(row_height(self.mode) * self._model.rowCount())
        self.doItemsLayout()

    def _scale(self) -> None:
        """All bars are as long as what is free, or a little longer where more is needed."""
        rows = [row for row in self._model.rows if row.need is not None]
        free = max((row.free_bytes for row in rows), default=0)
        most = max((row.need.total_bytes for row in rows if row.need), default=0)
        self._delegate.memory_scale = max(1, free, min(most, round(1.5 * free)))

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        if mode_for(self.width(), self.columns) is not self.mode:
            self._fit()

    def wheelEvent(self, event: object) -> None:
        event.ignore()

    def focusInEvent(self, event: object) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self._model.rowCount():
            self.setCurrentIndex(self._model.index(0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter ticks as Space does; with Ctrl it is left to the shortcut."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.modifiers():
                toggle(self._model, self.currentIndex())
                return
            event.ignore()
            return
        super().keyPressEvent(event)


class VariantHeader(QWidget):
    """Names the columns; where a row takes three lines only the first two are columns."""

    def __init__(self, table: VariantTable) -> None:
        super().__init__()
        self._table = table
        self._free = ""
        theme().changed.connect(self._place)
        self._place()

    def show_free(self, free: str) -> None:
        self._free = free
        self.update()

    def _place(self) -> None:
        self.setFixedHeight(px(33))

    def paintEvent(self, event: QPaintEvent) -> None:
        columns = self._table.columns
        mode = mode_for(self.width(), columns)
        painter = QPainter(self)
        painter.fillRect(QRect(0, self.height() - 1, self.width(), 1), theme().color("border"))
        painter.setFont(font(SMALL, 600))
        painter.setPen(theme().color("textSecondary"))
        place = places(mode, self.rect(), columns)
        for area, flags, text in _texts(mode, place):
            painter.drawText(self._line(area), flags, text)
        painter.setFont(font(SMALL))
        area = place.badge.united(place.bpw) if mode is Mode.NARROW else place.bar
        painter.drawText(self._line(area), RIGHT, self._free)

    def _line(self, area: QRect) -> QRect:
        return QRect(area.x(), 0, area.width(), self.height() - 1)


def _texts(mode: Mode, place: Places) -> list[tuple[QRect, Qt.AlignmentFlag, str]]:
    name, file, bits, memory, fit, time, in_words = headings()
    texts = [(place.name, LEFT, name), (place.file, RIGHT, file)]
    if mode is not Mode.NARROW:
        texts += [
            (place.bpw, RIGHT, bits),
            (place.bar, LEFT, memory),
            (place.badge, LEFT, fit),
            (place.time, RIGHT, time),
        ]
    if mode is Mode.WIDE:
        texts.append((place.words, LEFT, in_words))
    return texts
