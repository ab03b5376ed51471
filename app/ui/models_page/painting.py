"""What a row of the table of variants paints: its bar against the free memory, its words."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from app.core.fit import Fit, MemoryPlan
from app.ui import icons
from app.ui.controls import badge_font, badge_width, paint_badge
from app.ui.models_page.variantrows import Action, Column, VariantRow
from app.ui.theme import BODY, CODE, SMALL, font, px, theme, tokens
from app.ui.transcript.look import tabular

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
CENTER = Qt.AlignmentFlag.AlignCenter
_BEYOND = 0.29  # how much longer than the free memory a bar can get
_TONES = {Fit.TIGHT: "tight", Fit.DOES_NOT_FIT: "doesNotFit"}


def free_x(area: QRect) -> float:
    """Where on the bar the free memory ends: at the same place in all rows."""
    return area.width() / (1 + _BEYOND)


def parts_of(plan: MemoryPlan) -> tuple[tuple[int, str], ...]:
    """(bytes, colour token) of the model, its context, and what it works with."""
    return (
        (plan.weights_bytes + plan.mmproj_bytes, "memoryModel"),
        (plan.kv_bytes, "memoryContext"),
        (plan.compute_bytes + plan.host_bytes, "memoryWork"),
    )


def paint_memory(painter: QPainter, area: QRect, plan: MemoryPlan) -> None:
    """What a model takes, a marker where the free memory ends, hatching beyond it."""
    look = tokens()["memoryBar"]
    height, marker = px(look["height"]), free_x(area)
    bar = QRectF(area.x(), area.y() + (area.height() - height) / 2, area.width(), height)
    scale = marker / max(1, plan.free_bytes)
    end = min(bar.width(), plan.total_bytes * scale)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    path = QPainterPath()
    shown = QRectF(bar.x(), bar.y(), max(marker, end), height)
    path.addRoundedRect(shown, look["radius"], look["radius"])
    painter.setClipPath(path)
    painter.fillRect(QRectF(bar.x(), bar.y(), marker, height), theme().color("track"))
    painter.save()
    painter.setClipRect(QRectF(bar.x(), bar.y(), marker, height), Qt.ClipOperation.IntersectClip)
    _paint_parts(painter, bar, plan, scale, look["segmentGap"])
    painter.restore()
    if end > marker:
        _hatch(painter, QRectF(bar.x() + marker, bar.y(), end - marker, height))
    painter.restore()
    over, width = px(look["freeMarkerOverhang"]), look["freeMarkerWidth"]
    tick = QRectF(bar.x() + marker - width / 2, bar.y() - over, width, height + 2 * over)
    painter.fillRect(tick, theme().color("textSecondary"))


def _paint_parts(painter: QPainter, bar: QRectF, plan: MemoryPlan, scale: float, gap: int) -> None:
    x = bar.x()
    for n_bytes, token in parts_of(plan):
        width = n_bytes * scale
        if n_bytes:
            part = QRectF(x, bar.y(), max(1.0, width - gap), bar.height())
            painter.fillRect(part, theme().color(token))
        x += width


def _hatch(painter: QPainter, area: QRectF) -> None:
    """Beyond what there is: diagonal lines, so that colour is not all that tells."""
    painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
    painter.fillRect(area, theme().color("doesNotFitBackground"))
    painter.setPen(QPen(theme().color("doesNotFit"), 2))
    x = area.x() - area.height()
    while x < area.right():
        painter.drawLine(QPointF(x, area.bottom()), QPointF(x + area.height(), area.y()))
        x += 5


def paint_part(
    painter: QPainter, column: Column, area: QRect, row: VariantRow, *, is_current: bool
) -> None:
    if column is Column.NAME:
        _paint_name(painter, area, row)
    elif column is Column.BAR and row.plan is not None:
        paint_memory(painter, area, row.plan)
    elif column is Column.FIT:
        _paint_fit(painter, area, row)
    elif column is Column.ACTION:
        paint_action(painter, area, row, is_current=is_current)
    elif column is Column.QUALITY:
        painter.setFont(font(SMALL))
        painter.setPen(theme().color("textSecondary"))
        _draw(painter, area, LEFT, row.quality)
    elif column in (Column.FILE, Column.TOTAL, Column.SPEED):
        painter.setFont(tabular(font(BODY)))
        tone = _TONES.get(row.fit, "text") if column is Column.TOTAL and row.fit else "text"
        painter.setPen(theme().color(tone))
        text = row.text(column)
        if column is Column.TOTAL and row.is_estimate and row.plan is not None:
            text = "≈ " + text
        painter.drawText(area, RIGHT, text)


def _draw(painter: QPainter, area: QRect, flags: Qt.AlignmentFlag, text: str) -> None:
    fits = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, flags | Qt.TextFlag.TextSingleLine, fits)


def _paint_name(painter: QPainter, area: QRect, row: VariantRow) -> None:
    painter.setFont(font(CODE, 500))
    painter.setPen(theme().color("text"))
    side, gap = px(16), px(6)
    marked = row.is_recommended or row.is_here
    room = area.adjusted(0, 0, -(side + gap) if marked else 0, 0)
    text = painter.fontMetrics().elidedText(row.variant, Qt.TextElideMode.ElideMiddle, room.width())
    painter.drawText(room, LEFT | Qt.TextFlag.TextSingleLine, text)
    if marked:
        name, token = ("recommended", "accentText") if row.is_recommended else ("check", "fits")
        x = area.x() + painter.fontMetrics().horizontalAdvance(text) + gap
        y = area.y() + (area.height() - side) // 2
        painter.drawPixmap(x, y, icons.pixmap(name, token, side))


def _paint_fit(painter: QPainter, area: QRect, row: VariantRow) -> None:
    if row.fit is None:
        return
    painter.setFont(badge_font())
    height = px(tokens()["size"]["badge"])
    width = min(area.width(), badge_width(row.fit.value, row.fit_name))
    top = area.y() + (area.height() - height) // 2
    paint_badge(painter, QRect(area.x(), top, width, height), row.fit.value, row.fit_name)


def action_rect(area: QRect, row: VariantRow, text_width: int) -> QRect:
    """The button at the right of `area`; empty where there is nothing to do."""
    if row.action is Action.NONE:
        return QRect()
    width, height = text_width + px(24), px(tokens()["size"]["buttonSmall"])
    top = area.y() + (area.height() - height) // 2
    return QRect(area.right() + 1 - width, top, width, height)


def paint_action(painter: QPainter, area: QRect, row: VariantRow, *, is_current: bool) -> None:
    painter.setFont(font(BODY, 500))
    text = row.action_text
    box = action_rect(area, row, painter.fontMetrics().horizontalAdvance(text))
    if box.isEmpty():
        return
    main = is_current and row.action in (Action.DOWNLOAD, Action.CHAT)
    if main:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("accent"))
        radius = px(tokens()["radius"]["control"])
        painter.drawRoundedRect(box, radius, radius)
    quiet = row.action is Action.WHY
    painter.setPen(
        theme().color("onAccent" if main else "textSecondary" if quiet else "accentText")
    )
    painter.drawText(box, CENTER, text)
