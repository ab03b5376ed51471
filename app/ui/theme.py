"""Colours, sizes and type steps of the window, from `resources/themes/tokens.json`.

One `QPalette` and one small style sheet per theme. The theme follows the system unless the
setting names one. Widgets that paint read `theme().colors`; they repaint when `changed` is emitted.
"""

from __future__ import annotations

import json
from functools import cache
from types import MappingProxyType
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette

import resources

SMALL, BODY, TITLE, CODE = "small", "body", "title", "code"


@cache
def tokens() -> Any:
    """The token file, read once."""
    return json.loads(resources.path("themes/tokens.json").read_text("utf-8"))


class Theme(QObject):
    """The theme in force. `changed` is emitted after its colours have changed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._name = "light"
        self._choice = "system"
        self._colors: dict[str, QColor] = {}
        self._load("light")

    @property
    def name(self) -> str:
        return self._name

    @property
    def is_dark(self) -> bool:
        return self._name != "light"

    def color(self, token: str) -> QColor:
        """The colour called `token` ("accentText"). Raises KeyError for an unknown name."""
        return self._colors[token]

    def css(self, token: str) -> str:
        return self._colors[token].name()

    def follow(self, choice: str) -> None:
        """`choice`: "system", "light", "dark" or "highContrast"."""
        self._choice = choice
        self.refresh()

    def refresh(self) -> None:
        """Take up the system's colour scheme where the choice is to follow it."""
        name = self._choice if self._choice != "system" else _system_theme()
        if name != self._name:
            self._load(name)
            self.changed.emit()

    def _load(self, name: str) -> None:
        self._name = name
        colors = tokens()["themes"][name]["colors"]
        self._colors = {token: QColor(value) for token, value in colors.items()}


def _system_theme() -> str:
    dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return "dark" if dark else "light"


@cache
def theme() -> Theme:
    return Theme()


def font(step: str = BODY, weight: int = 400) -> QFont:
    """The system font at one of the type steps; scales with the application's text size.

    The steps are drawn for a 14 px body: `QApplication.font()` is set to that body size times the
    text scale, and the others keep their proportion.
    """
    base = QGuiApplication.font()
    if step == CODE:
        family = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
        base = QFont(base)
        base.setFamilies([family])
        base.setStyleHint(QFont.StyleHint.Monospace)
    body_px = base.pixelSize() if base.pixelSize() > 0 else tokens()["type"][BODY]["px"]
    result = QFont(base)
    result.setPixelSize(
        round(body_px * tokens()["type"][step]["px"] / tokens()["type"][BODY]["px"])
    )
    result.setWeight(QFont.Weight(weight))
    return result


def px(value: float) -> int:
    """`value` pixels of the drawings at the text size in force: everything grows with the text."""
    body_px = QGuiApplication.font().pixelSize()
    return round(value * body_px / tokens()["type"][BODY]["px"]) if body_px > 0 else round(value)


def palette() -> QPalette:
    """The palette for the theme in force, disabled colours included."""
    colors = theme().color
    result = QPalette()
    roles = MappingProxyType(
        {
            QPalette.ColorRole.Window: "content",
            QPalette.ColorRole.WindowText: "text",
            QPalette.ColorRole.Base: "content",
            QPalette.ColorRole.AlternateBase: "sidebar",
            QPalette.ColorRole.Text: "text",
            QPalette.ColorRole.Button: "raised",
            QPalette.ColorRole.ButtonText: "text",
            QPalette.ColorRole.Highlight: "accent",
            QPalette.ColorRole.HighlightedText: "onAccent",
            QPalette.ColorRole.Link: "accentText",
            QPalette.ColorRole.LinkVisited: "accentText",
            QPalette.ColorRole.PlaceholderText: "textTertiary",
            QPalette.ColorRole.ToolTipBase: "raised",
            QPalette.ColorRole.ToolTipText: "text",
            QPalette.ColorRole.Mid: "border",
            QPalette.ColorRole.Accent: "accent",
        }
    )
    for role, token in roles.items():
        result.setColor(role, colors(token))
    for role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
    ):
        result.setColor(QPalette.ColorGroup.Disabled, role, colors("textTertiary"))
    return result
