"""The line icons, drawn in any colour and at any pixel ratio, cached."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

import resources
from app.ui.theme import theme


@lru_cache(maxsize=512)
def _pixmap(name: str, css_color: str, size_px: int, ratio: float) -> QPixmap:
    svg = resources.path(f"icons/{name}.svg").read_text("utf-8")
    renderer = QSvgRenderer(QByteArray(svg.replace("currentColor", css_color).encode()))
    pixmap = QPixmap(QSize(size_px, size_px) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size_px, size_px))
    painter.end()
    return pixmap


def pixmap(name: str, token: str = "textSecondary", size_px: int = 20) -> QPixmap:
    """The icon `name` in the theme's colour `token`, `size_px` logical pixels square."""
    ratio = QGuiApplication.primaryScreen().devicePixelRatio() if QGuiApplication.screens() else 1.0
    return _pixmap(name, theme().css(token), size_px, ratio)


def leading(name: str, token: str, size_px: int, gap_px: int) -> QIcon:
    """A QIcon for a button's text: the icon with `gap_px` of nothing at its right."""
    result = QIcon(_with_gap(pixmap(name, token, size_px), gap_px))
    disabled = _with_gap(pixmap(name, "textTertiary", size_px), gap_px)
    result.addPixmap(disabled, QIcon.Mode.Disabled)
    return result


def _with_gap(picture: QPixmap, gap_px: int) -> QPixmap:
    ratio = picture.devicePixelRatio()
    size = picture.deviceIndependentSize().toSize()
    result = QPixmap(QSize(size.width() + gap_px, size.height()) * ratio)
    result.setDevicePixelRatio(ratio)
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    painter.drawPixmap(0, 0, picture)
    painter.end()
    return result


def icon(name: str, token: str = "textSecondary", active: str = "", size_px: int = 20) -> QIcon:
    """A QIcon in `token`, in `active` when checked, in the tertiary text colour when disabled."""
    result = QIcon(pixmap(name, token, size_px))
    result.addPixmap(pixmap(name, "textTertiary", size_px), QIcon.Mode.Disabled)
    if active:
        for mode in (QIcon.Mode.Normal, QIcon.Mode.Active, QIcon.Mode.Selected):
            result.addPixmap(pixmap(name, active, size_px), mode, QIcon.State.On)
    return result
