"""Shows one segment of prose: Markdown, or text as it is."""

from __future__ import annotations

import math

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.transcript.blocks import Block
from app.ui.transcript.body import Segment
from app.ui.transcript.document import Writer
from app.ui.transcript.host import Host
from app.ui.transcript.look import Look
from app.ui.transcript.marks import Marks
from app.ui.transcript.painting import MarkPainter
from app.ui.transcript.textview import TextView


class ProseView(TextView):
    """Some blocks of Markdown, or of plain text. Follows its segment while that grows."""

    def __init__(
        self, parent: QWidget, host: Host, look: Look, token: str = "text", flags: int = 0
    ) -> None:
        super().__init__(parent, host, look)
        self._writer = Writer(self.document(), look, token, flags)
        self._written = 0
        self._tail: list[Block] = []

    @property
    def marks(self) -> Marks:
        return self._writer.marks

    def show_segment(self, segment: Segment) -> None:
        """Write what is new in `segment`; blocks that were written before are not touched."""
        new = segment.blocks[self._written :]
        if not new and segment.tail == self._tail:
            return
        # Unheard: a screen reader is told when the answer is finished, not at every word.
        self.document().blockSignals(True)
        cursor = self._writer.cursor
        self._writer.width = self.width()
        cursor.beginEditBlock()
        if new or not self._extend_tail(segment.tail):
            self._rewrite_tail(new, segment.tail)
        cursor.endEditBlock()
        self.document().blockSignals(False)
        self._written = len(segment.blocks)
        self._tail = list(segment.tail)

    def _extend_tail(self, tail: list[Block]) -> bool:
        is_single = len(tail) == len(self._tail) == 1
        return is_single and self._writer.extend(self._tail[0], tail[0])

    def _rewrite_tail(self, new: list[Block], tail: list[Block]) -> None:
        self._writer.rewind()
        for block in new:
            self._writer.write(block)
        self._writer.commit()
        for block in tail:
            self._writer.write(block)

    def fit(self, width: int) -> int:
        for table in self.marks.tables:
            table.fit(width)
        return super().fit(width)

    def natural_width(self) -> int:
        """How wide the text is once it is wrapped."""
        return math.ceil(self.document().idealWidth())

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.marks.is_empty:
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setClipRegion(event.region())
            marks = MarkPainter(painter, self.document(), self._look, self.width(), event.rect())
            marks.paint(self.marks)
            painter.end()
        super().paintEvent(event)
