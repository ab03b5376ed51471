"""One download beside what was asked for: a bar while it goes, then what to do with it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.jobs.downloadstate import DownloadState, Stage
from app.ui.bars import SegmentBar
from app.ui.controls import IconButton, IconLabel, button, label, set_text
from app.ui.downloads import wording
from app.ui.theme import px, theme

_AT_REST = (Stage.WAITING, Stage.PAUSED, Stage.OFFLINE)


class DownloadStrip(QWidget):
    """Shows the state of a download until it is done; says what is wanted of it."""

    pause_requested = Signal(int)
    resume_requested = Signal(int)
    cancel_requested = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._state: DownloadState | None = None
        self._icon = IconLabel(*wording.USUAL_ICON, 16)
        self._text = label("", strong=True, wrap=True)
        self._hint = label("", "small", "secondary", wrap=True)
        self.bar = SegmentBar(self.tr("Download"))
        self.main_button = button(self.tr("Continue"), small=True)
        self.pause_button = IconButton("pause", self.tr("Pause the download"))
        self.cancel_button = IconButton("close", self.tr("Cancel the download"))
        self._lay_out()
        self.pause_button.clicked.connect(lambda: self._ask(self.pause_requested))
        self.main_button.clicked.connect(lambda: self._ask(self.resume_requested))
        self.cancel_button.clicked.connect(lambda: self._ask(self.cancel_requested))
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        self._top, self._texts = QHBoxLayout(), QVBoxLayout()
        self._texts.setSpacing(2)
        self._texts.addWidget(self._text)
        self._texts.addWidget(self._hint)
        self._top.addWidget(self._icon)
        self._top.addLayout(self._texts, 1)
        for each in (self.main_button, self.pause_button, self.cancel_button):
            self._top.addWidget(each)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(self._top)
        self._column.addWidget(self.bar)

    def _ask(self, signal: object) -> None:
        if self._state is not None:
            signal.emit(self._state.id)

    @property
    def texts(self) -> tuple[str, str]:
        return self._text.text(), self._hint.text()

    def show_state(self, state: DownloadState) -> None:
        self._state = state
        failed = state.stage is Stage.FAILED
        self._icon.setVisible(failed)
        self._icon.show_icon(*wording.ICONS.get(state.stage, wording.USUAL_ICON))
        text, hint = (
            wording.result(state) if failed else (wording.amount(state), self._hint_of(state))
        )
        set_text(self._text, text)
        set_text(self._hint, hint)
        token = "memoryWork" if state.stage in _AT_REST else "memoryModel"
        self.bar.show_segments([(state.share, token)], 1.0, wording.spoken(state))
        self.bar.setVisible(not failed)
        self._show_buttons(state)

    def _hint_of(self, state: DownloadState) -> str:
        if state.stage in (Stage.OFFLINE, Stage.RETRYING):
            return wording.help_for(state) or wording.doing(state)
        speed = wording.per_second(state.bytes_per_s) if state.bytes_per_s else ""
        return ", ".join(part for part in (wording.doing(state), speed) if part)

    def _show_buttons(self, state: DownloadState) -> None:
        texts = {
            Stage.PAUSED: self.tr("Continue"),
            Stage.OFFLINE: self.tr("Try now"),
            Stage.FAILED: self.tr("Try again"),
        }
        text = texts.get(state.stage, "")
        set_text(self.main_button, text)
        shown, other = self.main_button, self.pause_button
        if not text:
            shown, other = other, shown
        had_focus = other.hasFocus()
        shown.show()
        if had_focus:
            shown.setFocus()
        other.hide()

    def _place(self) -> None:
        self._top.setSpacing(px(8))
        self._column.setSpacing(px(8))
        self.bar.setFixedHeight(px(6))
