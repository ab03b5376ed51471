"""What all message widgets have in common: segments that come and go, focus, keys.

A message may be far higher than the window: only its segments near the viewport are widgets, the
others are heights.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, Qt
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from app.ui.focus import OWN_RING
from app.ui.transcript.blocks import Kind
from app.ui.transcript.body import CodeSource, Segment
from app.ui.transcript.buttons import FlatButton, paint_ring
from app.ui.transcript.code import CodeView
from app.ui.transcript.host import Host, Window
from app.ui.transcript.look import LIST_STEP, Look
from app.ui.transcript.memorymark import MemoryMark
from app.ui.transcript.prose import ProseView
from app.ui.transcript.reasoning import ReasoningFold
from app.ui.transcript.row import Row, estimate_segment
from app.ui.transcript.textview import TextView

SIDE = 12  # beyond the column: room for the focus ring and for what hangs over
_RAISE = 1  # Qt sets a line's words a little low in its height

_STOPS = (FlatButton, TextView, ReasoningFold)

SegmentView = ProseView | CodeView


class MessageView(QWidget):
    """The widget for one row; subclasses say what there is.

    `arrange` writes and measures, `place` moves. In between the whole transcript is scrolled, which
    costs little as long as no widget has been moved yet.
    """

    def __init__(self, parent: QWidget, host: Host, look: Look, row: Row) -> None:
        super().__init__(parent)
        self.row = row
        self._host = host
        self._look = look
        self._views: dict[Segment, SegmentView] = {}
        self._tops: dict[Segment, int] = {}
        self._boxes: dict[QWidget, QRect] = {}
        self._seen: set[Segment] = set()
        self._mark: MemoryMark | None = None
        self._settled = (0, 0)  # width and height, once all there is has been made and measured
        self._is_current = False
        self._is_hovered = False
        self._has_ring = False
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setProperty(OWN_RING, True)
        self.setAttribute(Qt.WidgetAttribute.WA_StaticContents)

    # Layout

    def arrange(self, window: Window, width: int) -> int:
        """Make and measure the parts; `width` is the column's. Returns the height."""
        if self._settled[0] == width and window.keeps_all(self._settled[1]):
            return self._settled[1]
        self._tops.clear()
        self._seen.clear()
        self._boxes.clear()
        height = self._arrange(window, width, self._arrange_mark(width))
        for segment in [s for s in self._views if s not in self._seen]:
            self._drop(segment)
        self._share_extents()
        self._settled = (width, height) if len(self._views) == len(self._tops) else (0, 0)
        return height

    def _arrange_mark(self, width: int) -> int:
        """What stands above the message; returns where the message itself begins."""
        if self._mark is None:
            return 0
        height = self._mark.fit(width)
        self._boxes[self._mark] = QRect(SIDE, 0, width, height)
        return height

    def place(self) -> None:
        """Move the parts to where `arrange` wants them."""
        for widget, box in self._boxes.items():
            widget.setGeometry(box)
        self._boxes.clear()

    def touch(self) -> None:
        """Something has changed: the next `arrange` has to look at everything."""
        self._settled = (0, 0)

    def _arrange(self, window: Window, width: int, y: int) -> int:
        raise NotImplementedError

    def _stack(self, segments: list[Segment], window: Window, x: int, y: int, width: int) -> int:
        """Put `segments` under each other from `y` on. Returns where they end."""
        look = self._look
        for segment in segments:
            indent = look.px(LIST_STEP) * min(segment.depth, 4)
            y += look.px(segment.gap)
            self._tops[segment] = y
            view = self._view_for(segment, window, y, width - indent)
            if view is None:
                if not segment.width:
                    segment.height = estimate_segment(
                        segment, width - indent, look.scale, look.char_width
                    )
            else:
                if segment.width != width - indent:
                    self._measure(view, segment, width - indent)
                self._put_segment(view, x + indent, y, segment.height)
            y += segment.height
        return y

    def _put_segment(self, view: SegmentView, x: int, y: int, height: int) -> None:
        top = y - (_RAISE if isinstance(view, ProseView) else 0)
        self._boxes[view] = QRect(x, top, view.width(), height)

    def _measure(self, view: SegmentView, segment: Segment, width: int) -> None:
        view.show_segment(segment)
        segment.height = view.fit(width)
        segment.width = width

    def _view_for(self, segment: Segment, window: Window, y: int, width: int) -> SegmentView | None:
        view = self._views.get(segment)
        if view is None:
            if not window.wants(y, y + segment.height):
                return None
            view = self._make_view(segment)
            self._views[segment] = view
            segment.width = 0
            # Text lays itself out for its width when it is written, and widgets that are not
            # shown do not know theirs: width first, then show, then write.
            view.resize(width, view.height())
            view.show()
        elif not window.keeps(y, y + segment.height) and not _has_focus(view):
            return None
        self._seen.add(segment)
        return view

    def _make_view(self, segment: Segment) -> SegmentView:
        view: SegmentView
        if segment.kind is Kind.CODE and segment.source is not None:
            view = CodeView(self, self._host, self._look, segment.source)
            view.scrolled.connect(lambda at: self._on_code_scrolled(view, at))
        else:
            view = self._make_prose(segment)
        if self._is_current:
            self._set_tab_stops(view, True)
        return view

    def _make_prose(self, _segment: Segment) -> ProseView:
        return ProseView(self, self._host, self._look)

    def _drop(self, segment: Segment) -> None:
        discard(self._views.pop(segment))

    def _pieces_of(self, source: CodeSource) -> list[CodeView]:
        return [v for v in self._views.values() if isinstance(v, CodeView) and v.source is source]

    def _share_extents(self) -> None:
        """Code in several pieces scrolls as far as its widest piece."""
        sources = {
            v.source
            for v in self._views.values()
            if isinstance(v, CodeView) and len(v.source.pieces) > 1
        }
        for source in sources:
            views = self._pieces_of(source)
            extent = max(view.content_width for view in views)
            for view in views:
                view.set_extent(extent)

    def _on_code_scrolled(self, view: CodeView, at: int) -> None:
        for other in self._pieces_of(view.source):
            if other is not view:
                other.set_offset(at)

    def show_colors(self, source: CodeSource) -> None:
        for view in self._pieces_of(source):
            view.show_colors()

    # Where things are, for keeping still what is being read

    def part_at(self, y: int) -> tuple[Segment | None, int]:
        """The first measured segment that ends below `y`, and where it begins."""
        for segment, top in self._tops.items():
            if segment.width and segment in self._views and top + segment.height > y:
                return segment, top
        return None, 0

    def top_of(self, segment: Segment | None) -> int | None:
        return 0 if segment is None else self._tops.get(segment)

    # What changes without a new layout

    def refresh(self) -> None:
        """The row's state has changed: show it. A layout follows."""
        self.touch()
        self.row.need_bodies()
        self.setAccessibleName(self._name())
        self.setAccessibleDescription(self.row.message.text[:500])
        self.show_mark()
        self._show_actions()
        self.update()

    def show_mark(self) -> None:
        """Where the model's memory begins, if it is here; a layout follows where it must."""
        if self.row.mark is None:
            if self._mark is not None:
                discard(self._mark)
                self._mark = None
            return
        if self._mark is None:
            self._mark = MemoryMark(self, self._look, self._host)
            self._mark.show()
        self._mark.show_mark(self.row.mark)

    def _name(self) -> str:
        raise NotImplementedError

    def _show_actions(self) -> None:
        """Show the actions if they are to be seen now."""

    @property
    def _is_active(self) -> bool:
        return self._is_current or self._is_hovered

    def set_current(self, current: bool) -> None:
        """The focus is in this message, or has left it: its parts are tab stops only meanwhile."""
        if current != self._is_current:
            self._is_current = current
            self._show_actions()
            self._set_tab_stops(self, current)
            self.update()

    def _set_tab_stops(self, within: QWidget, on: bool) -> None:
        policy = Qt.FocusPolicy.StrongFocus if on else Qt.FocusPolicy.ClickFocus
        stops: list[QWidget] = [
            w for w in (within, *within.findChildren(QWidget)) if isinstance(w, _STOPS)
        ]
        for widget in stops:
            widget.setFocusPolicy(policy)
        if within is self and on:
            self._order(stops)

    def _order(self, stops: list[QWidget]) -> None:
        """Tab goes from top to bottom, whatever was made first."""

        def place(widget: QWidget) -> tuple[int, int]:
            at = widget.mapTo(self, widget.rect().topLeft())
            return at.y(), at.x()

        before: QWidget = self
        for widget in sorted(stops, key=place):
            QWidget.setTabOrder(before, widget)
            before = widget

    def has_focus_within(self) -> bool:
        return _has_focus(self)

    # Events

    def enterEvent(self, event: QEnterEvent) -> None:
        self._is_hovered = True
        self._show_actions()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._is_hovered = False
        self._show_actions()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._has_ring = event.reason() != Qt.FocusReason.MouseFocusReason
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()
        super().focusOutEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._has_ring = False
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers()
        if plain and event.key() == Qt.Key.Key_C:
            self._host.copy(self.row.text)
        elif plain and event.key() == Qt.Key.Key_R and not self.row.is_user:
            self._host.regenerate(self.row.message.id)
        else:
            event.ignore()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint(painter)
        if self._has_ring and (self.hasFocus() or self._text_has_focus()):
            paint_ring(painter, self._ring_rect(), self._look, 8)

    def _text_has_focus(self) -> bool:
        """Text shows the keyboard's focus by the ring of its message."""
        focused = QApplication.focusWidget()
        return isinstance(focused, TextView) and self.isAncestorOf(focused)

    def _paint(self, painter: QPainter) -> None:
        """Draw what is no widget."""

    def _ring_rect(self) -> QRectF:
        return QRectF(self.rect())


def _has_focus(widget: QWidget) -> bool:
    focused = QApplication.focusWidget()
    return focused is not None and (focused is widget or widget.isAncestorOf(focused))


def discard(widget: QWidget) -> None:
    """Let `widget` go; it is out of sight at once."""
    widget.hide()
    widget.deleteLater()


def message_of(widget: QWidget | None) -> MessageView | None:
    """The message that `widget` is a part of."""
    while widget is not None and not isinstance(widget, MessageView):
        widget = widget.parentWidget()
    return widget
