"""The middle of the chat page: bar, troubles, transcript or what stands in for it, composer."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.jobs.engine import EngineState, Phase
from app.ui.composer import Composer
from app.ui.controls import Centered, Hairline, IconLabel, Surface, label
from app.ui.firststart import FirstStart
from app.ui.loading import LoadingCard
from app.ui.pagebar import PageBar
from app.ui.prompts import ExamplePrompts
from app.ui.theme import px, theme
from app.ui.transcript.view import Transcript
from app.ui.trouble import TroubleCard
from app.ui.words import short_model_name

_COMPOSER_PX, _FIRST_PX = 664, 640
_LOW_PX = 560  # in a lower window the prompts would leave the first start no room


class View(StrEnum):
    """What the column shows above the composer."""

    FIRST_START = "first start"
    EMPTY = "empty"
    TRANSCRIPT = "transcript"


class ChatColumn(Surface):
    """Puts the parts in their places; the chat page connects them."""

    choose_model = Signal()
    try_load_again = Signal()

    def __init__(self, *, read_only: bool) -> None:
        super().__init__("content")
        self._read_only = read_only
        self._view: View | None = None
        self.bar = PageBar(read_only=read_only)
        self._bar_line = Hairline()
        self.model_trouble = TroubleCard("doesNotFit")
        self.loading = LoadingCard()
        self.transcript = Transcript()
        self.first_start = FirstStart()
        self.prompts = ExamplePrompts()
        self.send_trouble = TroubleCard("doesNotFit")
        self.composer = Composer()
        self.base_note = label("", "small", "secondary", wrap=True)
        self.base_note.hide()
        self._empty = _EmptyChat()
        self._stack = QStackedWidget()
        self._column = QVBoxLayout(self)
        self._lay_out()
        self.model_trouble.add_button(self.tr("Choose another model"), self.choose_model.emit)
        self.model_trouble.add_button(self.tr("Try again"), self.try_load_again.emit, "primary")
        self.model_trouble.make_dismissable()
        self.send_trouble.make_dismissable()
        if read_only:
            self.composer.set_read_only()
        theme().changed.connect(self._place)
        self._place()
        self.show_view(View.TRANSCRIPT)

    def _lay_out(self) -> None:
        self._column.setSpacing(0)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.bar)
        self._column.addWidget(self._bar_line)
        for card in (self.model_trouble, self.loading):
            self._column.addWidget(Centered(card, _COMPOSER_PX, gap_px=12))
        for page in (self.transcript, self._empty, self.first_start):
            self._stack.addWidget(page)
        self._column.addWidget(self._stack, 1)
        bottom = QWidget()
        self._bottom = QVBoxLayout(bottom)
        for widget in (self.prompts, self.send_trouble, self.base_note, self.composer):
            self._bottom.addWidget(widget)
        self._centered = Centered(bottom, _COMPOSER_PX)
        self._column.addWidget(self._centered)

    def _place(self) -> None:
        self._bottom.setContentsMargins(0, px(8), 0, px(16))
        self._bottom.setSpacing(px(16))

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab leads out of the transcript to its neighbours.

        Its messages are made last, so that in Qt's order whatever follows them is the rail.
        """
        was_inside = self.transcript.isAncestorOf(QApplication.focusWidget())
        moved = super().focusNextPrevChild(forward)
        if was_inside and not self.transcript.isAncestorOf(QApplication.focusWidget()):
            target = self.composer.editor if forward else self.bar.inspector_button
            reason = Qt.FocusReason
            target.setFocus(reason.TabFocusReason if forward else reason.BacktabFocusReason)
        return moved

    @property
    def view(self) -> View | None:
        return self._view

    def show_view(self, view: View) -> None:
        if view is self._view:
            return
        self._view = view
        pages = {View.EMPTY: self._empty, View.FIRST_START: self.first_start}
        self._stack.setCurrentWidget(pages.get(view, self.transcript))
        first = view is View.FIRST_START
        self._centered.set_max(_FIRST_PX if first else _COMPOSER_PX)
        self.bar.setVisible(not first)
        self._bar_line.setVisible(not first)
        self.prompts.setVisible(view is not View.TRANSCRIPT and not self._read_only)
        self._place_prompts()

    def _place_prompts(self) -> None:
        if self._view is View.FIRST_START and self.height() < px(_LOW_PX):
            self.first_start.take_prompts(self.prompts)
        else:
            self._bottom.insertWidget(0, self.prompts)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_prompts()

    def show_model(self, state: EngineState, name: str) -> None:
        """The model's name where it stands, and its trouble where it has some."""
        self.composer.show_model(name if state.phase is not Phase.FAILED else "")
        self._empty.show_model(name if state.loaded is not None else "")
        self.bar.picker.show_state(state, name)
        self.loading.show_state(state, name)
        self.model_trouble.follow(state)
        self._show_base_note(state)

    def _show_base_note(self, state: EngineState) -> None:
        is_base = state.loaded is not None and not state.loaded.has_chat_template
        if is_base:
            self.base_note.setText(
                self.tr(
                    "This is a base model: its file has no chat template. It continues text "
                    "instead of answering, so your messages reach it as a plain dialogue."
                )
            )
        self.base_note.setVisible(is_base)


class _EmptyChat(QWidget):
    """A new conversation: quiet, with what it will be about left to the user."""

    def __init__(self) -> None:
        super().__init__()
        self._words = label("", tone="secondary")
        self._words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = QVBoxLayout(self)
        column.addStretch(1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(IconLabel("chat", "textTertiary", 24))
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self._words)
        column.addStretch(1)
        self.show_model("")

    def show_model(self, name: str) -> None:
        text = self.tr("A new conversation")
        if name:
            text = self.tr("A new conversation with {name}").format(name=short_model_name(name))
        self._words.setText(text)
