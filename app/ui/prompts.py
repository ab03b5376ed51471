"""Three things to ask, for whoever does not know yet what to write."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.ui import icons
from app.ui.controls import Hairline, Surface, label
from app.ui.theme import font, px, theme


class ExamplePrompts(QWidget):
    """Emits the prompt that was chosen."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(label(self.tr("Try one of these"), "small", "secondary", strong=True))
        card = Surface("card")
        rows = QVBoxLayout(card)
        rows.setContentsMargins(1, 1, 1, 1)
        rows.setSpacing(0)
        for number, (icon, text) in enumerate(self._prompts()):
            if number:
                rows.addWidget(Hairline())
            row = PromptRow(icon, text)
            row.clicked.connect(lambda _=False, text=text: self.chosen.emit(text))
            rows.addWidget(row)
        column.addWidget(card)

    def _prompts(self) -> tuple[tuple[str, str], ...]:
        return (
            ("chat", self.tr("Explain what a language model does, in two sentences")),
            ("edit", self.tr("Make this sentence more polite: “Send me the file today.”")),
            ("thought", self.tr("Give me three names for a small bakery.")),
        )


class PromptRow(QPushButton):
    """An icon, a sentence that gives way, a chevron."""

    def __init__(self, icon_name: str, text: str) -> None:
        super().__init__(text)
        self._icon_name = icon_name
        self.setAutoDefault(False)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(px(240), px(36))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(120), px(36))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.underMouse() or self.isDown():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("hover"))
            painter.drawRoundedRect(self.rect(), px(7), px(7))
        side, middle = px(16), self.height() // 2
        painter.drawPixmap(
            px(12), middle - side // 2, icons.pixmap(self._icon_name, "textSecondary", side)
        )
        chevron = icons.pixmap("chevron-right", "textSecondary", side)
        painter.drawPixmap(self.width() - px(12) - side, middle - side // 2, chevron)
        painter.setFont(font())
        area = self.rect().adjusted(px(40), 0, -px(40), 0)
        painter.setPen(theme().color("text"))
        text = painter.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, area.width()
        )
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
