"""The rail at the window's edge: which page is shown."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout

from app.ui import icons
from app.ui.controls import Surface
from app.ui.theme import SMALL, font, px, theme


class Rail(Surface):
    """Buttons for the pages, in their order; the last one stands at the bottom."""

    chosen = Signal(int)

    def __init__(self, pages: tuple[tuple[str, str, str], ...]) -> None:
        """`pages` are (icon, name, keys)."""
        super().__init__("sidebar")
        self._icon_names = [icon for icon, _, _ in pages]
        self._narrow = False
        self._group = QButtonGroup(self)
        self._column = QVBoxLayout(self)
        for number, (_, name, keys) in enumerate(pages):
            if number == len(pages) - 1:
                self._column.addStretch(1)
            self._column.addWidget(self._make_button(number, name, keys))
        self._group.idClicked.connect(self.chosen)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _make_button(self, number: int, name: str, keys: str) -> QToolButton:
        result = QToolButton()
        result.setText(name)
        result.setAccessibleName(name)
        result.setToolTip(f"{name} ({keys})")
        result.setCheckable(True)
        result.setProperty("kind", "rail")
        self._group.addButton(result, number)
        return result

    def show_chosen(self, number: int) -> None:
        self._group.button(number).setChecked(True)

    def set_narrow(self, narrow: bool) -> None:
        """Icons only."""
        if narrow != self._narrow:
            self._narrow = narrow
            self._restyle()

    def focus_chosen(self) -> None:
        self._group.checkedButton().setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _restyle(self) -> None:
        style = Qt.ToolButtonStyle.ToolButtonTextUnderIcon
        if self._narrow:
            style = Qt.ToolButtonStyle.ToolButtonIconOnly
        self.setFixedWidth(px(48 if self._narrow else 72))
        side = (px(48 if self._narrow else 72) - self._button_width()) // 2
        self._column.setContentsMargins(side, px(8), side, px(8))
        self._column.setSpacing(px(4))
        for number, name in enumerate(self._icon_names):
            result = self._group.button(number)
            result.setToolButtonStyle(style)
            result.setIcon(icons.icon(name, "textSecondary", "accentText", px(20)))
            result.setIconSize(QSize(px(20), px(20)))
            result.setFixedSize(self._button_width(), px(40 if self._narrow else 52))

    def _button_width(self) -> int:
        """Room for the longest name, bold, in whatever font the system has."""
        if self._narrow:
            return px(40)
        metrics = QFontMetrics(font(SMALL, 600))
        widest = max(metrics.horizontalAdvance(each.text()) for each in self._group.buttons())
        return min(px(70), max(px(56), widest + px(4)))
