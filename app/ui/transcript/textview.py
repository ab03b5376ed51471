"""Read-only text that is as high as its words: the base of what shows prose and code.

Nothing is ever loaded: `QTextBrowser` would fetch local files and Windows shares on its own.
"""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QRectF, Qt, QUrl
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QTextOption, QWheelEvent
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget

from app.ui.focus import OWN_RING
from app.ui.transcript import look as looks
from app.ui.transcript.host import Host
from app.ui.transcript.look import Look
from app.ui.transcript.markdown import is_web_link

_PASSED_ON = (
    Qt.Key.Key_C,
    Qt.Key.Key_R,
    Qt.Key.Key_Space,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Escape,
)


class TextView(QTextBrowser):
    """Text without frame, scroll bars and background. Its owner gives it the height it asks for."""

    def __init__(self, parent: QWidget, host: Host, look: Look) -> None:
        super().__init__(parent)
        self._host = host
        self._look = look
        self._has_caret = False
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setAcceptDrops(False)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setProperty(OWN_RING, True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.viewport().setAutoFillBackground(False)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_StaticContents)
        self.setAttribute(Qt.WidgetAttribute.WA_StaticContents)
        document = self.document()
        document.setDocumentMargin(0)
        document.setDefaultFont(look.body)
        document.setIndentWidth(look.px(looks.LIST_STEP))
        self.anchorClicked.connect(self._on_anchor_clicked)
        self.highlighted.connect(self._on_highlighted)

    def fit(self, width: int) -> int:
        """Take on `width`. Returns the height that the text needs then."""
        if self.width() != width:
            self.resize(width, self.height())
        return math.ceil(self.document().size().height())

    def set_caret(self, shown: bool) -> None:
        """Show a block after the last character: the answer is being written here."""
        if shown != self._has_caret:
            self._has_caret = shown
            self.viewport().update()

    def loadResource(self, _kind: int, _name: QUrl | str) -> Any:
        return None

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _PASSED_ON and not event.modifiers():
            event.ignore()
            return
        super().keyPressEvent(event)
        if event.isAccepted():
            self._host.reveal(self, self.cursorRect())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if event.buttons() & Qt.MouseButton.LeftButton and self.textCursor().hasSelection():
            self._host.reveal(self, self.cursorRect())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._has_caret:
            painter = QPainter(self.viewport())
            painter.fillRect(self._caret_rect(), self._look.color("accentText"))
            painter.end()

    def _caret_rect(self) -> QRectF:
        height, width = self._look.px(17), self._look.px(8)
        block = self.document().lastBlock()
        origin = self.document().documentLayout().blockBoundingRect(block).topLeft()
        line = block.layout().lineForTextPosition(block.length() - 1)
        if not line.isValid():
            return QRectF(origin.x(), origin.y() + 4, width, height)
        x = (
            origin.x()
            + line.cursorToX(block.length() - 1)[0]
            + 2
            - self.horizontalScrollBar().value()
        )
        x = max(0.0, min(x, self.viewport().width() - width))
        return QRectF(x, origin.y() + line.y() + line.ascent() + 3 - height, width, height)

    def _on_anchor_clicked(self, url: QUrl) -> None:
        href = url.toString(QUrl.ComponentFormattingOption.FullyEncoded)
        if is_web_link(href):
            self._host.open_link(href)

    def _on_highlighted(self, url: QUrl) -> None:
        self.setToolTip(url.toString())
