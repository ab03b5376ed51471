"""Shows one piece of a code block: usually all of it, in a card with a Copy button.

A long block comes in several pieces that stand close together, share one horizontal position and
look like one card.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QGuiApplication,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QTextCursor,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QToolButton, QWidget

from app.ui import icons
from app.ui.transcript import look as looks
from app.ui.transcript.body import CodeSource, Segment
from app.ui.transcript.highlight import language_name
from app.ui.transcript.host import Host
from app.ui.transcript.look import Look
from app.ui.transcript.textview import TextView

COPIED_MS = 2_000
_HEADER, _PAD, _SIDE, _RADIUS, _LINE = 33, 10, 13, 8, 20


class CodeView(QWidget):
    """A piece of code in its card."""

    scrolled = Signal(int)

    def __init__(self, parent: QWidget, host: Host, look: Look) -> None:
        super().__init__(parent)
        self._host = host
        self._look = look
        self._segment = Segment.__new__(Segment)
        self._length = 0
        self._colored = 0
        self._extent = 0
        self.text = _CodeText(self, host, look)
        self.text.horizontalScrollBar().valueChanged.connect(self.scrolled)
        self.text.horizontalScrollBar().rangeChanged.connect(self._on_range_changed)
        self._copy: QToolButton | None = None

    @property
    def source(self) -> CodeSource:
        assert self._segment.source is not None
        return self._segment.source
