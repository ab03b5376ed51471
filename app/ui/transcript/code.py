"""Shows one piece of a code block: usually all of it, in a card with a Copy button.

A long block comes in several pieces that stand close together, share one horizontal position and
look like one card.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import (
    QGuiApplication,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextCursor,
    QTextLayout,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from app.ui.transcript import look as looks
from app.ui.transcript.body import CodeSource, Segment
from app.ui.transcript.buttons import FlatButton
from app.ui.transcript.highlight import language_name
from app.ui.transcript.host import Host
from app.ui.transcript.look import Look
from app.ui.transcript.textview import TextView

_HEADER, _ABOVE, _BELOW, _SIDE, _RADIUS = 33, 8, 10, 13, 8


class CodeView(QWidget):
    """A piece of code in its card."""

    scrolled = Signal(int)

    def __init__(self, parent: QWidget, host: Host, look: Look, source: CodeSource) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StaticContents)
        self.source = source
        self._host = host
        self._look = look
        self._is_first = self._is_last = True
        self._first_line = 0
        self._shown = ""
        self._colored_lines = 0
        self._label = ""
        self._extent = 0
        self._copy: FlatButton | None = None
        self.text = CodeText(self, host, look)
        bar = self.text.horizontalScrollBar()
        bar.valueChanged.connect(self.scrolled)
        bar.rangeChanged.connect(self._on_range_changed)

    @property
    def content_width(self) -> int:
        return self.text.content_width

    @property
    def copy_button(self) -> FlatButton | None:
        return self._copy

    def show_segment(self, segment: Segment) -> None:
        """Follow the segment: add what is new at the end."""
        self._is_first, self._is_last = segment.is_first_piece, segment.is_last_piece
        self._first_line = self.source.first_line(segment.index)
        text = segment.text
        if not text.startswith(self._shown):
            self.text.clear()
            self._shown, self._colored_lines = "", 0
        self.text.append_code(text[len(self._shown) :])
        self._shown = text
        self._label = language_name(self.source.info)
        if self._is_first and self._copy is None:
            self._add_copy_button()
        self.text.setAccessibleName(self._label or self.tr("Code"))
        self.show_colors()
        self._host.highlight(self.source)

    def show_colors(self) -> None:
        """Colour the lines whose colours are known and not shown yet."""
        spans = self.source.spans
        start = 0 if self.source.colored else self._colored_lines
        end = min(len(spans) - self._first_line, self._shown.count("\n") + 1)
        for line in range(start, end):
            self.text.color_line(line, spans[self._first_line + line])
        self._colored_lines = max(self._colored_lines, end)

    def fit(self, width: int) -> int:
        """Take on `width`. Returns the height that the piece needs then."""
        if self.width() != width:
            self.resize(width, self.height())
        self._extent = max(self._extent, self.content_width)
        inner = width - self._look.px(_SIDE) - 1
        height = self.text.needed_height(self._extent > inner and self._is_last)
        return self._text_top + height + (self._look.px(_BELOW) if self._is_last else 0)

    @property
    def _text_top(self) -> int:
        return self._look.px(_HEADER) + self._look.px(_ABOVE) if self._is_first else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        side, bottom = self._look.px(_SIDE), self._look.px(_BELOW) if self._is_last else 0
        height = max(0, self.height() - self._text_top - bottom)
        self.text.setGeometry(side, self._text_top, self.width() - side - 1, height)
        if self._copy is not None:
            self._place_copy_button()
        if event.oldSize().width() != self.width():
            self.update()
        else:  # the edge at the bottom has moved
            top = min(event.oldSize().height(), self.height()) - 2 * _RADIUS
            self.update(0, top, self.width(), self.height() - top)
        super().resizeEvent(event)

    def set_extent(self, extent: int) -> None:
        """How wide the widest piece is: all scroll as far."""
        if extent != self._extent:
            self._extent = extent
            self._on_range_changed(0, self.text.horizontalScrollBar().maximum())

    def set_offset(self, offset: int) -> None:
        self.text.horizontalScrollBar().setValue(offset)

    def set_caret(self, shown: bool) -> None:
        self.text.set_caret(shown)

    def _on_range_changed(self, _low: int, high: int) -> None:
        wanted = max(0, self._extent - self.text.viewport().width())
        if high != wanted and self.source.pieces[1:]:
            self.text.horizontalScrollBar().setMaximum(wanted)

    def _add_copy_button(self) -> None:
        self._copy = FlatButton(self, self._look, "copy", self.tr("Copy code"), self.tr("Copy"))
        self._copy.clicked.connect(self._on_copy)
        self._copy.show()

    def _place_copy_button(self) -> None:
        assert self._copy is not None
        self._copy.resize(self._copy.sizeHint())
        y = (self._look.px(_HEADER) - self._copy.height()) // 2
        self._copy.move(self.width() - self._copy.width() - self._look.px(4), y)

    def _on_copy(self) -> None:
        assert self._copy is not None
        QGuiApplication.clipboard().setText(self.source.text)
        self._copy.say_for_a_while("check", self.tr("Copied"))
        self._place_copy_button()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(self._look.color("codeBackground"))
        painter.setPen(QPen(self._look.color("border"), 1))
        painter.drawPath(self._outline())
        if self._is_first:
            self._paint_header(painter)

    def _outline(self) -> QPainterPath:
        """The card's edge. Sides that meet another piece lie outside of the widget."""
        far = 2 * _RADIUS
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        path = QPainterPath()
        path.addRoundedRect(
            rect.adjusted(0, 0 if self._is_first else -far, 0, 0 if self._is_last else far),
            _RADIUS,
            _RADIUS,
        )
        return path

    def _paint_header(self, painter: QPainter) -> None:
        bottom = self._look.px(_HEADER) - 0.5
        painter.drawLine(1, int(bottom), self.width() - 1, int(bottom))
        painter.setFont(self._look.small)
        painter.setPen(self._look.color("textSecondary"))
        where = QRectF(self._look.px(_SIDE), 0, self.width() / 2, bottom)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, self._label or self.tr("Code"))


class CodeText(TextView):
    """Monospaced text that scrolls sideways."""

    def __init__(self, parent: QWidget, host: Host, look: Look) -> None:
        super().__init__(parent, host, look)
        self.setWordWrapMode(QTextOption.WrapMode.NoWrap)
        option = self.document().defaultTextOption()
        option.setTextDirection(Qt.LayoutDirection.LeftToRight)
        option.setTabStopDistance(4 * look.code_width)
        self.document().setDefaultTextOption(option)
        self._cursor = QTextCursor(self.document())
        self._is_empty = True

    @property
    def content_width(self) -> int:
        """How wide the longest line is."""
        return math.ceil(self.document().idealWidth())

    def append_code(self, text: str) -> None:
        if not text and not self._is_empty:
            return
        self.document().blockSignals(True)
        self._cursor.beginEditBlock()
        self._cursor.movePosition(QTextCursor.MoveOperation.End)
        if self._is_empty:
            self._cursor.setBlockFormat(self._look.block(20))
            self._is_empty = False
        self._cursor.insertText(text, self._look.char(looks.CODE))
        self._cursor.endEditBlock()
        self.document().blockSignals(False)

    def clear(self) -> None:
        super().clear()
        self._is_empty = True

    def color_line(self, number: int, spans: list[tuple[int, int, str]]) -> None:
        block = self.document().findBlockByNumber(number)
        ranges = [self._range(*span) for span in spans]
        block.layout().setFormats(ranges)
        self.document().markContentsDirty(block.position(), block.length())

    def _range(self, start: int, length: int, token: str) -> QTextLayout.FormatRange:
        made = QTextLayout.FormatRange()
        made.start, made.length, made.format = start, length, self._look.syntax(token)
        return made

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Sideways it moves the code, up and down the transcript."""
        delta = event.angleDelta() if event.pixelDelta().isNull() else event.pixelDelta()
        turned = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier) and not delta.x()
        sideways, other = (delta.y(), 0) if turned else (delta.x(), delta.y())
        bar = self.horizontalScrollBar()
        if not bar.maximum() or abs(sideways) <= abs(other):
            event.ignore()
            return
        bar.setValue(bar.value() - sideways)
        event.accept()

    def needed_height(self, has_bar: bool) -> int:
        """The height of the lines, and of a scroll bar where there is one."""
        policy = Qt.ScrollBarPolicy
        self.setHorizontalScrollBarPolicy(
            policy.ScrollBarAlwaysOn if has_bar else policy.ScrollBarAlwaysOff
        )
        bar = self.horizontalScrollBar().sizeHint().height() if has_bar else 0
        return math.ceil(self.document().size().height()) + bar
