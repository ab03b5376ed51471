"""A row of small widgets that breaks into more lines for want of room."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme import px


class Flow(QWidget):
    """Widgets keep their own size; lines as high as the highest in them."""

    def __init__(self, gap_px: int = 16) -> None:
        super().__init__()
        self._gap_px = gap_px
        self._items: list[QWidget] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @property
    def items(self) -> list[QWidget]:
        return self._items

    def add(self, widget: QWidget) -> None:
        widget.setParent(self)
        widget.show()
        self._items.append(widget)
        self._arrange()

    def clear(self) -> None:
        for item in self._items:
            item.hide()
            item.deleteLater()
        self._items = []

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        places = self._places(width)
        return max((y + item.sizeHint().height() for item, y in places), default=0)

    def sizeHint(self) -> QSize:
        width = sum(item.sizeHint().width() + px(self._gap_px) for item in self._items)
        return QSize(width, self.heightForWidth(max(self.width(), 1)))

    def minimumSizeHint(self) -> QSize:
        widest = max((item.sizeHint().width() for item in self._items), default=0)
        return QSize(widest, self.heightForWidth(max(self.width(), widest, 1)))

    def _places(self, width: int) -> list[tuple[QWidget, int]]:
        return [(item, point.y()) for item, point in self._points(width)]

    def _points(self, width: int) -> list[tuple[QWidget, QPoint]]:
        x = y = line = 0
        result = []
        for item in self._items:
            size = item.sizeHint()
            if x and x + size.width() > width:
                x, y, line = 0, y + line + px(6), 0
            result.append((item, QPoint(x, y)))
            x += size.width() + px(self._gap_px)
            line = max(line, size.height())
        return result

    def _arrange(self) -> None:
        for item, point in self._points(self.width()):
            item.setGeometry(point.x(), point.y(), *item.sizeHint().toTuple())
        self.updateGeometry()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._arrange()
