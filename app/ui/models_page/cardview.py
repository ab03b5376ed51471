"""A model's card in the window: a stranger's Markdown, drawn by the transcript's own renderer.

Nothing is loaded, no HTML is read, links ask first. Pieces are written a few at a time, so that a
long card does not hold up the window.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QDialog, QFrame, QScrollArea, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.ui import style
from app.ui.controls import ElidedLabel, Surface, button, label
from app.ui.models_page.notice import Waiting
from app.ui.models_page.wording import one_line
from app.ui.questions import ask_to_open
from app.ui.theme import px
from app.ui.transcript.blocks import Kind
from app.ui.transcript.body import Body, CodeSource, Segment
from app.ui.transcript.code import CodeView
from app.ui.transcript.look import LIST_STEP, look
from app.ui.transcript.prose import ProseView
from app.ui.trouble import TroubleCard

_SLICE_S = 0.008
_COLUMN_PX = 640


class CardView(QScrollArea):
    """The host of its pieces, which ask it to open links and to copy code."""

    def __init__(self) -> None:
        super().__init__()
        self._inner = Surface("content")
        self.setWidget(self._inner)
        self.setWidgetResizable(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Model card"))
        self._pieces: list[tuple[Segment, ProseView | CodeView]] = []
        self._waiting: list[Segment] = []
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._write_some)

    @property
    def texts(self) -> list[str]:
        return [segment.text for segment, _ in self._pieces]

    @property
    def is_whole(self) -> bool:
        return not self._waiting

    def show_markdown(self, markdown: str) -> None:
        """`markdown` has been made safe."""
        self._waiting = list(Body.of(markdown).segments)
        self._timer.start()

    def _write_some(self) -> None:
        until = time.perf_counter() + _SLICE_S
        while self._waiting and time.perf_counter() < until:
            self._write(self._waiting.pop(0))
        if not self._waiting:
            self._timer.stop()
        self._arrange()

    def _write(self, segment: Segment) -> None:
        view: ProseView | CodeView
        if segment.kind is Kind.CODE and segment.source is not None:
            view = CodeView(self._inner, self, look(), segment.source)
        else:
            view = ProseView(self._inner, self, look())
        view.resize(self._width(segment), 10)
        view.show()
        view.show_segment(segment)
        self._pieces.append((segment, view))

    def _width(self, segment: Segment) -> int:
        width = min(self.viewport().width() - 2 * px(24), px(_COLUMN_PX))
        return max(px(120), width - look().px(LIST_STEP) * min(segment.depth, 4))

    def _arrange(self) -> None:
        y = px(12)
        for segment, view in self._pieces:
            y += look().px(segment.gap)
            width = self._width(segment)
            height = view.fit(width)
            indent = look().px(LIST_STEP) * min(segment.depth, 4)
            view.setGeometry(px(24) + indent, y, width, height)
            y += height
        self._inner.resize(self.viewport().width(), y + px(24))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._arrange()

    # --- what the pieces ask for --------------------------------------------------------------

    def open_link(self, href: str) -> None:
        ask_to_open(self.window(), href)

    def reveal(self, widget: QWidget, rect: QRect) -> None:
        middle = widget.mapTo(self._inner, rect.center())
        self.ensureVisible(middle.x(), middle.y(), 0, rect.height())

    def relayout(self) -> None:
        self._arrange()

    def copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def highlight(self, source: CodeSource) -> None:
        """A card's code stays plain."""

    def regenerate(self, message_id: int) -> None:
        """There is no answer here."""

    retry = show_branch = regenerate


class CardDialog(QDialog):
    """Opens at once and is filled when the card has come."""

    retried = Signal()

    def __init__(self, parent: QWidget, name: str, repo_id: str) -> None:
        super().__init__(parent)
        self.repo_id = repo_id
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Model card"))
        title = ElidedLabel(one_line(name))
        title.setProperty("step", "title")
        place = ElidedLabel(one_line(repo_id))
        place.setProperty("step", "small")
        place.setProperty("tone", "secondary")
        note = self.tr("Written by the model's publisher. Pictures are left out.")
        self.waiting = Waiting(24)
        self.trouble = TroubleCard("doesNotFit")
        self.trouble.add_button(self.tr("Try again"), self._retry, "primary")
        self.view = CardView()
        close = button(self.tr("Close"))
        close.clicked.connect(self.accept)
        self.waiting.cancelled.connect(self.reject)
        self._lay_out(title, place, label(note, "small", "secondary", wrap=True), close)
        self.setStyleSheet(style.sheet())
        self.resize(px(720), px(640))
        self.waiting.begin(self.tr("Reading the card…"))

    def _lay_out(self, title: QWidget, place: QWidget, note: QWidget, close: QWidget) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, px(20), 0, px(16))
        column.setSpacing(px(2))
        for widget in (title, place, note, self.trouble):
            box = QVBoxLayout()
            box.setContentsMargins(px(24), 0, px(24), 0)
            box.addWidget(widget)
            column.addLayout(box)
        column.addWidget(self.waiting)
        column.addWidget(self.view, 1)
        foot = QVBoxLayout()
        foot.setContentsMargins(px(24), px(8), px(24), 0)
        foot.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        column.addLayout(foot)

    def show_card(self, markdown: str) -> None:
        self.waiting.finish()
        self.view.show_markdown(markdown or self.tr("The publisher has written no card."))

    def show_error(self, error: AppError) -> None:
        self.waiting.finish()
        self.trouble.show_error(error)

    def _retry(self) -> None:
        self.trouble.hide()
        self.waiting.begin(self.tr("Reading the card…"))
        self.retried.emit()
