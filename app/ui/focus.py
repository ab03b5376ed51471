"""The focus ring: two pixels of accent, two pixels off, around whatever control has the focus."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QWidget

from app.ui.theme import theme

_OFFSET, _WIDTH = 2, 2
_MARGIN = _OFFSET + _WIDTH
_MOVES = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
OWN_RING = "ownRing"  # property of widgets that show the focus themselves


class FocusRing(QWidget):
    """Lies above `window` and follows the focus within it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._target: QWidget | None = None
        self._watched: list[QWidget] = []
        self._ring = QRect()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        for widget in self._watched:
            widget.removeEventFilter(self)
        self._target, self._watched = None, []
        if now is not None and now.window() is self.window() and not now.property(OWN_RING):
            self._target = now
            widget = now
            while widget is not None and widget is not self.window():
                widget.installEventFilter(self)
                self._watched.append(widget)
                widget = widget.parentWidget()
        self._follow()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _MOVES:
            self._follow()
        return False

    def _follow(self) -> None:
        if self._target is None or not self._target.isVisible():
            self.hide()
            return
        ring = self._rect_of(self._target).adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)
        seen = ring & self._clip()
        self._ring = ring.translated(-seen.topLeft())
        self.setGeometry(seen)
        self.raise_()
        self.setVisible(not seen.isEmpty())
        self.update()

    def _clip(self) -> QRect:
        """What scroll areas around the target let through."""
        clip = self.window().rect()
        for widget in self._watched:
            parent = widget.parentWidget()
            if isinstance(parent, QAbstractScrollArea) and widget is parent.viewport():
                clip &= self._rect_of(widget)
        return clip

    def _rect_of(self, widget: QWidget) -> QRect:
        return QRect(widget.mapTo(self.window(), widget.rect().topLeft()), widget.size())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("accentText"), _WIDTH))
        inset = _WIDTH / 2
        painter.drawRoundedRect(QRectF(self._ring).adjusted(inset, inset, -inset, -inset), 8, 8)
