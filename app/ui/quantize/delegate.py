"""Paints the rows of the table of variants, and turns their ticks over."""

from __future__ import annotations

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from app.ui import icons, words
from app.ui.controls import badge_font, badge_width, paint_badge
from app.ui.quantize.columns import Columns
from app.ui.quantize.painting import paint_checkbox, paint_memory
from app.ui.quantize.places import Mode, Places, places, row_height
from app.ui.quantize.rows import RowRole, VariantModel, VariantRow
from app.ui.theme import BODY, CODE, SMALL, font, px, theme

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
Index = QModelIndex | QPersistentModelIndex
translate = QCoreApplication.translate


def toggle(model: VariantModel, index: Index) -> bool:
    """Turn the row's tick over; False where it has none."""
    if not index.isValid() or not index.flags() & Qt.ItemFlag.ItemIsUserCheckable:
        return False
    was_ticked = model.data(index, RowRole).is_ticked
    state = Qt.CheckState.Unchecked if was_ticked else Qt.CheckState.Checked
    return model.setData(index, state, Qt.ItemDataRole.CheckStateRole)


class VariantDelegate(QStyledItemDelegate):
    """Paints a row; a click anywhere on it, or Space, turns its tick over."""

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self.mode = Mode.WIDE
        self.columns: Columns | None = None
        self.memory_scale = 1

    def _places(self, row: QRect) -> Places:
        assert self.columns is not None
        return places(self.mode, row, self.columns)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(px(320), row_height(self.mode))

    def editorEvent(
        self, event: QEvent, model: VariantModel, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        if event.type() == QEvent.Type.MouseButtonRelease and isinstance(event, QMouseEvent):
            inside = option.rect.contains(event.position().toPoint())
            return inside and event.button() == Qt.MouseButton.LeftButton and toggle(model, index)
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return event.key() == Qt.Key.Key_Space and toggle(model, index)
        return False

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: VariantRow = index.data(RowRole)
        painter.save()
        self._paint_ground(painter, option, row)
        place = self._places(option.rect)
        enabled = not row.problem
        paint_checkbox(painter, place.check, ticked=row.is_ticked, enabled=enabled)
        self._paint_name(painter, place.name, row)
        self._paint_figures(painter, place, row)
        if row.file is not None and not row.problem:
            paint_memory(painter, place.bar, row.need, row.free_bytes, self.memory_scale)
            _paint_fit(painter, place.badge, row)
        area = place.words
        if row.problem and self.mode is Mode.WIDE:  # nothing stands before it
            area = place.words.united(place.bar)
        _paint_words(painter, area, row)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, row: VariantRow
    ) -> None:
        area = option.rect
        hovered = option.state & QStyle.StateFlag.State_MouseOver and not row.problem
        token = "accentSoft" if row.is_ticked else "hover" if hovered else "content"
        painter.fillRect(area, theme().color(token))
        painter.fillRect(QRect(area.x(), area.bottom(), area.width(), 1), theme().color("border"))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme().color("accentText"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(area).adjusted(3, 2, -3, -3), 6, 6)

    def _paint_name(self, painter: QPainter, area: QRect, row: VariantRow) -> None:
        painter.setFont(font(CODE, 500))
        painter.setPen(theme().color("textTertiary" if row.problem else "text"))
        painter.drawText(area, LEFT, row.type)
        if row.is_recommended:
            side = px(16)
            x = area.x() + painter.fontMetrics().horizontalAdvance(row.type) + px(6)
            y = area.y() + (area.height() - side) // 2
            painter.drawPixmap(x, y, icons.pixmap("recommended", "accentText", side))

    def _paint_figures(self, painter: QPainter, place: Places, row: VariantRow) -> None:
        painter.setFont(font(BODY))
        painter.setPen(theme().color("textTertiary" if row.problem else "text"))
        painter.drawText(place.file, RIGHT, row.size)
        bits = words_for_bits(row) if self.mode is Mode.NARROW else row.bpw
        painter.drawText(place.bpw, RIGHT, bits)
        if not row.problem:
            painter.drawText(place.time, RIGHT, row.time)

    def helpEvent(
        self, event: QHelpEvent, view: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        row: VariantRow | None = index.data(RowRole)
        if row is None:
            return False
        place = self._places(option.rect)
        QToolTip.showText(event.globalPos(), self._help_for(place, event, row), view)
        return True

    def _help_for(self, place: Places, event: QHelpEvent, row: VariantRow) -> str:
        position = event.pos()
        if (place.bar.contains(position) or place.badge.contains(position)) and row.need:
            return memory_help(row)
        if place.name.contains(position) and row.is_recommended:
            return self.tr("Recommended for this computer")
        if place.time.contains(position) and row.file is not None:
            return self.tr("Predicted from a short trial on this computer")
        return row.problem or row.words


def words_for_bits(row: VariantRow) -> str:
    return translate("VariantTable", "{n} bits").format(n=row.bpw)


def memory_help(row: VariantRow) -> str:
    """Where the figure comes from; it is no measurement."""
    assert row.need is not None
    text = translate(
        "VariantTable",
        "Predicted: {model} for the model, {context} for the context, {work} for work.\n"
        "Together {total}; {free} are free now. Measured when the model is loaded.",
    )
    return text.format(
        model=words.size(row.need.weights_bytes),
        context=words.size(row.need.kv_bytes),
        work=words.size(row.need.compute_bytes + row.need.host_bytes),
        total=words.size(row.need.total_bytes),
        free=words.size(row.free_bytes),
    )


def _paint_fit(painter: QPainter, area: QRect, row: VariantRow) -> None:
    if row.fit is None:
        return
    painter.setFont(badge_font())
    height = px(20)
    width = min(area.width(), badge_width(row.fit.value, row.fit_name))
    top = area.y() + (area.height() - height) // 2
    paint_badge(painter, QRect(area.x(), top, width, height), row.fit.value, row.fit_name)


def _paint_words(painter: QPainter, area: QRect, row: VariantRow) -> None:
    is_small = area.height() < px(24)
    painter.setFont(font(SMALL if is_small else BODY))
    if row.problem:
        side = px(14)
        y = area.y() + (area.height() - side) // 2
        painter.drawPixmap(area.x(), y, icons.pixmap("tight", "tight", side))
        area = area.adjusted(px(20), 0, 0, 0)
    painter.setPen(theme().color("textSecondary"))
    text = row.problem or row.words
    fits = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, LEFT, fits)
