"""Paints the cells of the table of variants, and turns presses on a row's words into its action."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Signal
from PySide6.QtGui import QFontMetrics, QHelpEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolTip,
)

from app.ui import words
from app.ui.models_page.painting import action_rect, paint_part
from app.ui.models_page.places import Mode, Widths, inside, measure, places, row_height
from app.ui.models_page.variantrows import COLUMNS, Column, RowRole, VariantRow
from app.ui.theme import BODY, font, px, theme

Index = QModelIndex | QPersistentModelIndex


class VariantDelegate(QStyledItemDelegate):
    """In one line each column paints itself; else the first one paints all of the row."""

    acted = Signal(int)  # the number of the row

    def __init__(self, view: QTableView) -> None:
        super().__init__(view)
        self._view = view
        self.mode = Mode.WIDE
        self.widths: Widths = measure(())
        self.hovered = -1

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(px(80), row_height(self.mode))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: VariantRow = index.data(RowRole)
        painter.save()
        is_current = index.row() == self._view.currentIndex().row()
        token = "accentSoft" if is_current else "content"
        if self.hovered == index.row() and not is_current:
            token = "hover"
        area = option.rect
        painter.fillRect(area, theme().color(token))
        painter.fillRect(QRect(area.x(), area.bottom(), area.width(), 1), theme().color("border"))
        for column, place in self._parts(area, index).items():
            painter.save()
            paint_part(painter, column, place, row, is_current=is_current)
            painter.restore()
        painter.restore()

    def _parts(self, cell: QRect, index: Index) -> dict[Column, QRect]:
        if self.mode is Mode.WIDE:
            column = COLUMNS[index.column()]
            return {column: inside(column, cell)}
        return places(self.mode, cell, self.widths)

    def editorEvent(
        self, event: QEvent, model: object, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        if event.type() != QEvent.Type.MouseButtonRelease or not isinstance(event, QMouseEvent):
            return False
        if self.is_on_action(event.position().toPoint(), option.rect, index):
            self.acted.emit(index.row())
            return True
        return False

    def is_on_action(self, position, cell: QRect, index: Index) -> bool:
        area = self._parts(cell, index).get(Column.ACTION)
        if area is None:
            return False
        row: VariantRow = index.data(RowRole)
        width = QFontMetrics(font(BODY, 500)).horizontalAdvance(row.action_text)
        return action_rect(area, row, width).contains(position)

    def helpEvent(
        self,
        event: QHelpEvent,
        view: QAbstractItemView,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        row: VariantRow | None = index.data(RowRole)
        if row is None:
            return False
        parts = self._parts(option.rect, index)
        hit = next((c for c, area in parts.items() if area.contains(event.pos())), Column.NAME)
        QToolTip.showText(event.globalPos(), self._help_for(hit, row), view)
        return True

    def _help_for(self, column: Column, row: VariantRow) -> str:
        if column in (Column.BAR, Column.TOTAL, Column.FIT) and row.plan is not None:
            return self._memory_help(row)
        if column is Column.SPEED and row.plan is not None:
            return self.tr(
                "Tokens per second, predicted from the memory's speed, early in a conversation.\n"
                "A token is a piece of a word: 100 words are about 130."
            )
        if column is Column.QUALITY and row.quality:
            return self.tr(
                "How much its answers differ from the original's. Published for Llama 3 8B;\n"
                "small models lose more. The Lab measures it for this one."
            )
        if column is Column.NAME and row.is_recommended:
            return self.tr("Recommended for this computer")
        if column is Column.NAME and row.is_here:
            return self.tr("On this computer")
        return row.variant.replace("<", "‹")  # a tag would be read as HTML

    def _memory_help(self, row: VariantRow) -> str:
        """Where the figure comes from; it is no measurement."""
        plan = row.plan
        assert plan is not None
        text = self.tr(
            "Predicted: {model} for the model, {context} for the context, {work} for work.\n"
            "Together {total}; {free} are free now. Measured when the model is loaded."
        ).format(
            model=words.size(plan.weights_bytes + plan.mmproj_bytes),
            context=words.size(plan.kv_bytes),
            work=words.size(plan.compute_bytes + plan.host_bytes),
            total=words.size(plan.total_bytes),
            free=words.size(plan.free_bytes),
        )
        if row.is_estimate:
            text += "\n" + self.tr("Reckoned from another variant's header and this file's size.")
        return text
