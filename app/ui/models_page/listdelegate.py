"""Paints the rows of the list: name, what it is, and how well it fits."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QHelpEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
)

from app.ui import icons
from app.ui.controls import badge_font, badge_width, paint_badge
from app.ui.models_page.listrows import ListRow, RowRole
from app.ui.theme import BODY, SMALL, font, px, theme, tokens

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_INSET, _SIDE, _GAP = 8, 12, 8  # of the ground, of the words in it, before the badge
_BELOW_PX = 150  # where less than this is left for the words, the badge goes below them


class ListDelegate(QStyledItemDelegate):
    """For rows as wide as the view; in a narrow one with large text the badge has its own line."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view

    @property
    def is_stacked(self) -> bool:
        width = self._view.viewport().width() - 2 * px(_INSET + _SIDE)
        return width - badge_width("doesNotFit", "Does not fit") < _BELOW_PX

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        height = tokens()["rowHeight"]["catalogue"] + (24 if self.is_stacked else 0)
        return QSize(px(160), px(height))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        row: ListRow = index.data(RowRole)
        painter.save()
        self._paint_ground(painter, option)
        inset = px(_INSET + _SIDE)
        area = option.rect.adjusted(inset, px(4), -inset, -px(4))
        if self.is_stacked:
            words, state = area.adjusted(0, 0, 0, -px(24)), area.adjusted(0, px(44), 0, 0)
        else:
            width = _state_width(row)
            words = area.adjusted(0, 0, -(width + px(_GAP) if width else 0), 0)
            state = QRect(area.right() + 1 - width, area.y(), width, area.height())
        _paint_words(painter, words, row)
        _paint_state(painter, state, row)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect.adjusted(px(_INSET), 0, -px(_INSET), 0))
        radius = px(tokens()["radius"]["control"])
        chosen = option.state & QStyle.StateFlag.State_Selected
        hovered = option.state & QStyle.StateFlag.State_MouseOver
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("accentSoft" if chosen else "hover"))
            painter.drawRoundedRect(area, radius, radius)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(theme().color("accentText"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area.adjusted(2, 2, -2, -2), radius, radius)

    def helpEvent(
        self,
        event: QHelpEvent,
        view: QAbstractItemView,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """What was cut, whole."""
        row: ListRow | None = index.data(RowRole)
        if row is None:
            return False
        # A leading tag would make Qt read a stranger's text as HTML.
        text = f"{row.name}\n{row.about}".replace("<", "‹")
        QToolTip.showText(event.globalPos(), text, view)
        return True


def _state_width(row: ListRow) -> int:
    if not row.state:
        return 0
    if row.percent is None and not row.is_here and row.fit is not None:
        return badge_width(row.fit.value, row.state)
    metrics = QFontMetrics(_state_font(row))
    has_icon = row.percent is not None or row.is_here
    return metrics.horizontalAdvance(row.state) + (px(20) if has_icon else 0)


def _state_font(row: ListRow):
    return font(SMALL, 600 if row.percent is not None else 400)


def _paint_words(painter: QPainter, area: QRect, row: ListRow) -> None:
    half = area.height() // 2
    lines = (
        (QRect(area.x(), area.y(), area.width(), half), font(BODY, 500), "text", row.name),
        (
            QRect(area.x(), area.y() + half, area.width(), area.height() - half),
            font(SMALL),
            "textSecondary",
            row.about,
        ),
    )
    for line, step, token, text in lines:
        painter.setFont(step)
        painter.setPen(theme().color(token))
        fits = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, line.width())
        painter.drawText(line, LEFT | Qt.TextFlag.TextSingleLine, fits)


def _paint_state(painter: QPainter, area: QRect, row: ListRow) -> None:
    if not row.state:
        return
    if row.percent is None and not row.is_here and row.fit is not None:
        height = px(tokens()["size"]["badge"])
        width = min(area.width(), badge_width(row.fit.value, row.state))
        painter.setFont(badge_font())
        top = area.y() + (area.height() - height) // 2
        paint_badge(painter, QRect(area.x(), top, width, height), row.fit.value, row.state)
        return
    token = "accentText" if row.percent is not None else "textSecondary"
    if row.percent is not None or row.is_here:
        side = px(14)
        name = "download" if row.percent is not None else "check"
        y = area.y() + (area.height() - side) // 2
        painter.drawPixmap(area.x(), y, icons.pixmap(name, token, side))
        area = area.adjusted(px(20), 0, 0, 0)
    painter.setFont(_state_font(row))
    painter.setPen(theme().color(token))
    painter.drawText(area, LEFT, row.state)
