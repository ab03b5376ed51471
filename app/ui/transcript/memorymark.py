"""What stands where the model's memory begins: a line in words, and the summary below it."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from app.ui.controls import button
from app.ui.transcript.look import Look
from app.ui.transcript.mark import Actions, Mark
from app.ui.transcript.summarycard import SummaryCard

_LINE = 28


class MemoryMark(QWidget):
    """Above the first message that the model sees."""

    def __init__(self, parent: QWidget, look: Look, actions: Actions) -> None:
        super().__init__(parent)
        self._line = _Line(look)
        self._offer = button("", "link")
        self._offer.clicked.connect(lambda: actions.summarise())
        self.card = SummaryCard(look, actions)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, look.px(12), 0, look.px(4))
        column.setSpacing(look.px(2))
        column.addWidget(self._line)
        column.addWidget(self._offer, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.card)

    def show_mark(self, mark: Mark) -> None:
        self._line.setVisible(bool(mark.line))
        self._line.say(mark.line)
        self._offer.setText(mark.offer)
        self._offer.setVisible(bool(mark.offer))
        self.card.setVisible(bool(mark.title))
        if mark.title:
            self.card.show_mark(mark)

    def fit(self, width: int) -> int:
        """Its height at this width."""
        layout = self.layout()
        assert layout is not None
        layout.invalidate()
        if layout.hasHeightForWidth():
            return layout.totalHeightForWidth(width)
        return layout.totalSizeHint().height()


class _Line(QWidget):
    """A hairline with words in its middle, or the words alone where there is no room for both."""

    _FLAGS = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._words = ""
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        room = QRect(0, 0, width, 10_000)
        words = QFontMetrics(self._look.small).boundingRect(room, self._FLAGS, self._words)
        return max(self._look.px(_LINE), words.height() + self._look.px(8))

    def say(self, words: str) -> None:
        self._words = words
        self.setAccessibleName(words)
        self.setToolTip(words)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._look.px(120), self._look.px(_LINE))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.px(60), self._look.px(_LINE))

    def paintEvent(self, _event: QPaintEvent) -> None:
        look, area = self._look, self.rect()
        painter = QPainter(self)
        metrics = QFontMetrics(look.small)
        half = metrics.horizontalAdvance(self._words) // 2 + look.px(12)
        painter.setPen(look.color("controlBorder"))
        y, middle = area.center().y(), area.center().x()
        if half < middle:
            painter.drawLine(area.left(), y, middle - half, y)
            painter.drawLine(middle + half, y, area.right(), y)
        painter.setFont(look.small)
        painter.setPen(look.color("textSecondary"))
        painter.drawText(QRect(area), self._FLAGS, self._words)
