"""Chips of which one holds: where the list is from."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QWidget

from app.ui import icons
from app.ui.quantize.flow import Flow
from app.ui.theme import SMALL, font, px, theme, tokens

_SIDE, _ICON, _HEIGHT = 7, 14, 28


class Chip(QAbstractButton):
    """A word in a frame; ticked while it holds."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__()
        self.setText(text)
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setToolTip(name if name != text else "")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.toggled.connect(lambda _on: self.updateGeometry())
        theme().changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.setFont(font(SMALL, 500))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = QFontMetrics(self.font()).horizontalAdvance(self.text()) + 2 * px(_SIDE)
        return QSize(width + (px(_ICON + 4) if self.isChecked() else 0), px(_HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        checked = self.isChecked()
        ground = "accentSoft" if checked else "hover" if self.underMouse() else "raised"
        painter.setPen(QPen(theme().color("accent" if checked else "controlBorder"), 1))
        painter.setBrush(theme().color(ground))
        radius = px(tokens()["radius"]["control"])
        painter.drawRoundedRect(
            self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), radius, radius
        )
        area = self.rect().adjusted(px(_SIDE), 0, -px(_SIDE), 0)
        if checked:
            side = px(_ICON)
            y = (self.height() - side) // 2
            painter.drawPixmap(area.x(), y, icons.pixmap("check", "accentText", side))
            area.adjust(px(_ICON + 4), 0, 0, 0)
        painter.setPen(theme().color("accentText" if checked else "text"))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(area, middle, self.text())


class Chips(Flow):
    """`chosen` carries the number of the chip. Left and right move between them."""

    chosen = Signal(int)

    def __init__(self, name: str, texts: Sequence[tuple[str, str]]) -> None:
        """`texts`: what each chip says, and what it means in full."""
        super().__init__(gap_px=6)
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        for number, (text, in_full) in enumerate(texts):
            chip = Chip(text, in_full)
            chip.setChecked(number == 0)
            self._group.addButton(chip, number)
            self.add(chip)
        self._group.idClicked.connect(self.chosen)
        self._group.idToggled.connect(lambda *_: self._arrange())
        theme().changed.connect(self._arrange)

    @property
    def current(self) -> int:
        return self._group.checkedId()

    def choose(self, number: int) -> None:
        """As if it had been pressed."""
        if number != self.current:
            self._group.button(number).setChecked(True)
            self.chosen.emit(number)

    def chip(self, number: int) -> QWidget:
        return self._group.button(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(event.key(), 0)
        if not step:
            super().keyPressEvent(event)
            return
        number = min(max(0, self.current + step), len(self._group.buttons()) - 1)
        self._group.button(number).setFocus(Qt.FocusReason.OtherFocusReason)
        self.choose(number)
