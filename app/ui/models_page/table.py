"""The table of variants: keys, widths, and the headings of its columns."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QSizePolicy, QTableView

from app.ui.focus import OWN_RING
from app.ui.models_page.delegate import VariantDelegate
from app.ui.models_page.painting import LEFT, RIGHT, free_x
from app.ui.models_page.places import Mode, column_widths, inside, measure, mode_for, row_height
from app.ui.models_page.variantrows import COLUMNS, Column, VariantModel, VariantRow, headings
from app.ui.theme import SMALL, font, px, theme

_HEADER_PX = 33
_RIGHT_COLUMNS = (Column.FILE, Column.TOTAL, Column.SPEED)


class VariantTable(QTableView):
    """As high as its rows: what is around it scrolls. Enter does the row's action."""

    acted = Signal(object)  # VariantRow
    row_changed = Signal(object)  # VariantRow, the current one

    def __init__(self, model: VariantModel) -> None:
        super().__init__()
        self._model = model
        self._delegate = VariantDelegate(self)
        self.header = VariantHeader(self)
        self.setHorizontalHeader(self.header)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self._set_up()
        self._delegate.acted.connect(self._act_on)
        model.modelReset.connect(self.fit)
        model.dataChanged.connect(self._on_data)
        theme().changed.connect(self.fit)
        self.fit()

    def _set_up(self) -> None:
        self.setAccessibleName(self.tr("Variants"))
        self.setProperty(OWN_RING, True)
        self.setStyleSheet(
            "QTableView { border: none; border-radius: 0; background: transparent; }"
        )
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setMinimumSectionSize(1)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def mode(self) -> Mode:
        return self._delegate.mode

    @property
    def current(self) -> VariantRow | None:
        number = self.currentIndex().row()
        return self._model.rows[number] if 0 <= number < len(self._model.rows) else None

    def choose(self, number: int) -> None:
        """Make the row the current one, as if by the arrow keys."""
        if number != self.currentIndex().row():
            self.setCurrentIndex(self._model.index(number, 0))

    def fit(self) -> None:
        """Take up the width, the text size and what the rows say."""
        delegate = self._delegate
        delegate.widths = measure(self._model.rows)
        delegate.mode = mode_for(self.width(), delegate.widths)
        wide = delegate.mode is Mode.WIDE
        widths = column_widths(self.width(), delegate.widths)
        for number, column in enumerate(COLUMNS):
            self.setColumnHidden(number, number > 0 and not wide)
            self.setColumnWidth(number, widths[column] if wide else self.width())
        height = row_height(delegate.mode)
        self.verticalHeader().setDefaultSectionSize(height)
        self.header.setVisible(wide)
        header = px(_HEADER_PX) if wide else 1
        self.header.setFixedHeight(px(_HEADER_PX))
        self.setFixedHeight(height * self._model.rowCount() + header)
        self.viewport().update()

    def _on_data(self) -> None:
        if measure(self._model.rows) != self._delegate.widths:
            self.fit()
        self.header.viewport().update()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self.fit()

    def wheelEvent(self, event: object) -> None:
        event.ignore()

    # --- what is current ----------------------------------------------------------------------

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        super().currentChanged(current, previous)
        self.viewport().update()
        if self.current is not None:
            self.row_changed.emit(self.current)

    def focusInEvent(self, event: object) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self._model.rowCount():
            self.choose(0)
        self.viewport().update()

    def focusOutEvent(self, event: object) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._act_on(self.currentIndex().row())
            return
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            return  # a row is one thing
        super().keyPressEvent(event)

    def _act_on(self, number: int) -> None:
        if 0 <= number < len(self._model.rows):
            self.choose(number)
            self.acted.emit(self._model.rows[number])

    # --- the mouse ----------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        index = self.indexAt(event.position().toPoint())
        self._hover(index.row())
        over = index.isValid() and self._delegate.is_on_action(
            event.position().toPoint(), self.visualRect(index), index
        )
        shape = Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, number: int) -> None:
        if number != self._delegate.hovered:
            self._delegate.hovered = number
            self.viewport().update()

    def row_rect(self, number: int) -> QRect:
        first = self.visualRect(self._model.index(number, 0))
        return QRect(0, first.y(), self.viewport().width(), first.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        if self.mode is not Mode.WIDE and self._model.rows:
            painter.fillRect(0, 0, self.width(), 1, theme().color("border"))
        if self.hasFocus() and self.currentIndex().isValid():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme().color("accentText"), 2))
            area = QRectF(self.row_rect(self.currentIndex().row()))
            painter.drawRoundedRect(area.adjusted(3, 2, -3, -3), 6, 6)


class VariantHeader(QHeaderView):
    """Names the columns; over the bars it says how much is free, where their marker stands."""

    def __init__(self, table: VariantTable) -> None:
        super().__init__(Qt.Orientation.Horizontal, table)
        self._free = ""
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setMinimumSectionSize(1)
        self.setSectionsClickable(False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setStyleSheet("QHeaderView { background: transparent; border: none; }")

    def show_free(self, free: str) -> None:
        if free != self._free:
            self._free = free
            self.viewport().update()

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        column = COLUMNS[section]
        painter.save()
        painter.fillRect(rect, theme().color("content"))
        for y in (rect.y(), rect.bottom()):
            painter.fillRect(QRect(rect.x(), y, rect.width(), 1), theme().color("border"))
        area = inside(column, rect)
        painter.setPen(theme().color("textSecondary"))
        painter.setFont(font(SMALL, 600))
        text = headings()[column]
        painter.drawText(area, RIGHT if column in _RIGHT_COLUMNS else LEFT, text)
        if column is Column.BAR:
            used = painter.fontMetrics().horizontalAdvance(text) + px(8)
            painter.setFont(font(SMALL))
            free = area.adjusted(used, 0, round(free_x(area)) - area.width() + 1, 0)
            if painter.fontMetrics().horizontalAdvance(self._free) <= free.width():
                painter.drawText(free, RIGHT, self._free)
        painter.restore()
