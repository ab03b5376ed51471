"""What the table of variants and the pictures of bits paint: boxes, bars, ticks, colours."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from app.core.fit import MemoryPlan
from app.ui.theme import px, theme, tokens
from quantize.types import GgmlType


def paint_checkbox(painter: QPainter, area: QRect, *, ticked: bool, enabled: bool) -> None:
    width = tokens()["border"]["checkbox"]
    inset = width / 2
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    color = theme().color("accent" if ticked else "controlBorder" if enabled else "border")
    painter.setPen(QPen(color, width))
    painter.setBrush(color if ticked else Qt.BrushStyle.NoBrush)
    box = QRectF(area).adjusted(inset, inset, -inset, -inset)
    painter.drawRoundedRect(box, px(3), px(3))
    if ticked:
        _paint_tick(painter, box)


def _paint_tick(painter: QPainter, box: QRectF) -> None:
    pen = QPen(theme().color("onAccent"), max(1.5, box.width() / 10))
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    points = ((0.27, 0.52), (0.43, 0.68), (0.74, 0.34))
    painter.drawPolyline(
        QPolygonF(
            [QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in points]
        )
    )


def paint_memory(
    painter: QPainter, area: QRect, need: MemoryPlan | None, free: int, scale: int
) -> None:
    """What a model takes, on a bar `scale` bytes long, with a marker where the free memory ends."""
    look = tokens()["memoryBar"]
    height = px(look["height"])
    bar = QRectF(area.x(), area.y() + (area.height() - height) / 2, area.width(), height)
    painter.save()
    path = QPainterPath()
    path.addRoundedRect(bar, look["radius"], look["radius"])
    painter.setClipPath(path)
    painter.fillRect(bar, theme().color("track"))
    marker = bar.x() + min(1.0, free / scale if scale else 1.0) * bar.width()
    if need is not None:
        _paint_parts(painter, bar, need, scale, look["segmentGap"])
        end = bar.x() + need.total_bytes / scale * bar.width()
        if end > marker:
            _hatch(painter, QRectF(marker, bar.y(), end - marker, height))
    painter.restore()
    over, width = px(look["freeMarkerOverhang"]), look["freeMarkerWidth"]
    left = min(marker, bar.right() - width)
    tick = QRectF(left, bar.y() - over, width, height + 2 * over)
    painter.fillRect(tick, theme().color("textSecondary"))


def _paint_parts(painter: QPainter, bar: QRectF, need: MemoryPlan, scale: int, gap: int) -> None:
    x = bar.x()
    parts = (
        (need.weights_bytes, "memoryModel"),
        (need.kv_bytes, "memoryContext"),
        (need.compute_bytes + need.host_bytes, "memoryWork"),
    )
    for n_bytes, token in parts:
        width = n_bytes / scale * bar.width()
        part = QRectF(x, bar.y(), max(1.0, width - gap), bar.height())
        painter.fillRect(part, theme().color(token))
        x += width


def _hatch(painter: QPainter, area: QRectF) -> None:
    """Beyond what there is: diagonal lines, so that colour is not all that tells."""
    painter.save()
    painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
    painter.fillRect(area, theme().color("doesNotFitBackground"))
    painter.setPen(QPen(theme().color("doesNotFit"), 2))
    x = area.x() - area.height()
    while x < area.right():
        painter.drawLine(QPointF(x, area.bottom()), QPointF(x + area.height(), area.y()))
        x += 5
    painter.restore()


# --- types of tensors -------------------------------------------------------------------------

_PLAIN = ("F64", "F32", "F16", "BF16")


def bits_of(type_name: str) -> float:
    """Bits per weight of a ggml type, 0 where it is not known."""
    return GgmlType[type_name].bpw if type_name in GgmlType.__members__ else 0.0


def type_colors(types: Sequence[str]) -> dict[str, QColor]:
    """A colour for each type: the more bits the deeper; numbers that are not quantized are grey."""
    ranked = sorted({t for t in types if t not in _PLAIN}, key=lambda t: (bits_of(t), t))
    light, deep = theme().color("memoryContext"), theme().color("memoryModel")
    result = {t: theme().color("memoryWork") for t in types if t in _PLAIN}
    if len(ranked) > 2:  # more steps need a longer way
        light, deep = _blend(light, theme().color("content"), 0.3), deep.darker(125)
    if len(ranked) == 1:
        return {**result, ranked[0]: light}
    for place, name in enumerate(ranked):
        result[name] = _blend(light, deep, place / (len(ranked) - 1))
    return result


def _blend(one: QColor, other: QColor, share: float) -> QColor:
    """`share` of the way from `one` to `other`."""
    mixed = [
        a + (b - a) * share for a, b in zip(one.getRgbF()[:3], other.getRgbF()[:3], strict=True)
    ]
    return QColor.fromRgbF(*mixed)


def text_on(ground: QColor) -> QColor:
    """Black or white, whichever reads better on `ground`."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in ground.getRgbF()[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return QColor("#000000") if luminance > 0.179 else QColor("#FFFFFF")
