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

    def rearrange(self) -> None:
        """Those that are hidden now leave no gap."""
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
        shown = [item for item in self._items if not item.isHidden()]
        width = sum(item.sizeHint().width() + px(self._gap_px) for item in shown)
        return QSize(width, self.heightForWidth(max(self.width(), 1)))

    def minimumSizeHint(self) -> QSize:
        shown = (item for item in self._items if not item.isHidden())
        widest = max((item.sizeHint().width() for item in shown), default=0)
        return QSize(widest, self.heightForWidth(max(self.width(), widest, 1)))

    def _places(self, width: int) -> list[tuple[QWidget, int]]:
        return [(item, point.y()) for item, point in self._points(width)]

    def _points(self, width: int) -> list[tuple[QWidget, QPoint]]:
        """In each line the lower ones stand in the middle of its height."""
        result, y = [], 0
        for line in self._lines(width):
            height = max(item.sizeHint().height() for item, _ in line)
            for item, x in line:
                result.append((item, QPoint(x, y + (height - item.sizeHint().height()) // 2)))
            y += height + px(6)
        return result

    def _lines(self, width: int) -> list[list[tuple[QWidget, int]]]:
        """What stands in each line, with where it begins."""
        lines: list[list[tuple[QWidget, int]]] = []
        x = 0
        for item in self._items:
            if item.isHidden():
                continue
            if not lines or x + item.sizeHint().width() > width:
                lines.append([])
                x = 0
            lines[-1].append((item, x))
            x += item.sizeHint().width() + px(self._gap_px)
        return lines

    def _arrange(self) -> None:
        for item, point in self._points(self.width()):
            item.setGeometry(point.x(), point.y(), *item.sizeHint().toTuple())
        self.updateGeometry()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._arrange()
