"""One download in the dock: a bar while it goes, a sentence when something came of it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from app.jobs.downloadstate import DownloadState, Stage
from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.controls import ElidedLabel, IconButton, IconLabel, button, label, set_text
from app.ui.downloads import wording
from app.ui.downloads.outcome import Outcome
from app.ui.theme import BODY, SMALL, font, px, theme

_NAME_PX = 178
_ANY_WIDTH = 16_777_215  # QWIDGETSIZE_MAX
_ENDED = (Stage.FAILED, Stage.DONE)
_AT_REST = (Stage.WAITING, Stage.PAUSED, Stage.OFFLINE)
_ICON, _NAME, _MIDDLE, _BUTTONS = range(4)  # the grid's columns


class DownloadRow(QWidget):
    """Shows a state; says what is wanted of it. It is told apart by `download_id`."""

    pause_requested = Signal(int)
    resume_requested = Signal(int)
    cancel_requested = Signal(int)
    use_requested = Signal(int)  # what has been downloaded

    def __init__(self, state: DownloadState) -> None:
        super().__init__()
        self.download_id = state.id
        self._state = state
        self._is_narrow = False
        self._icon = IconLabel(*wording.USUAL_ICON, 20)
        self._title = _Title()
        self.bar = SegmentBar("")
        self._amount = label("")
        self._doing = ElidedLabel()
        self.outcome = Outcome()
        self.main_button = button("", small=True)
        self.pause_button = IconButton("pause", self.tr("Pause"))
        self.cancel_button = IconButton("close", self.tr("Cancel"))
        self._lay_out()
        self._connect()
        theme().changed.connect(self._place)
        self._place()
        self._show_stage(state)
        self._show_figures(state)

    def _lay_out(self) -> None:
        self._amount.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._doing.setProperty("step", "small")
        self._doing.setProperty("tone", "secondary")
        self._buttons = QWidget()
        self._button_row = QHBoxLayout(self._buttons)
        self._button_row.setContentsMargins(0, 0, 0, 0)
        self._button_row.addStretch(1)
        for each in (self.main_button, self.pause_button, self.cancel_button):
            self._button_row.addWidget(each)
        self._running = QWidget()
        self._line = QHBoxLayout(self._running)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.addWidget(self.bar, 1)
        self._line.addWidget(self._amount)
        self._line.addWidget(self._doing)
        self._grid = QGridLayout(self)
        self._grid.setColumnStretch(_MIDDLE, 1)

    def _connect(self) -> None:
        self.pause_button.clicked.connect(lambda: self.pause_requested.emit(self.download_id))
        self.cancel_button.clicked.connect(lambda: self.cancel_requested.emit(self.download_id))
        self.main_button.clicked.connect(self._on_main)

    def _on_main(self) -> None:
        done = self._state.stage is Stage.DONE
        (self.use_requested if done else self.resume_requested).emit(self.download_id)

    @property
    def texts(self) -> tuple[str, str]:
        return self._amount.text(), self._doing.text()

    # --- what is shown ------------------------------------------------------------------------

    def show_state(self, state: DownloadState) -> None:
        before, self._state = self._state, state
        if state.stage is not before.stage or state.error is not before.error:
            self._show_stage(state)
        self._show_figures(state)

    def _show_figures(self, state: DownloadState) -> None:
        token = "memoryWork" if state.stage in _AT_REST else "memoryModel"
        self.bar.show_segments([(state.share, token)], 1.0, wording.spoken(state))
        self.bar.setToolTip(wording.help_for(state))
        set_text(self._amount, wording.amount(state))
        set_text(self._doing, wording.doing(state))

    def _show_stage(self, state: DownloadState) -> None:
        name = wording.name_of(state)
        self._title.show_words(state.title, state.variant)
        self.bar.setAccessibleName(self.tr("Download of {name}").format(name=name))
        self._icon.show_icon(*wording.ICONS.get(state.stage, wording.USUAL_ICON))
        detail = state.error.detail if state.error else ""
        is_trouble = state.stage is Stage.FAILED
        self.outcome.show_words(*wording.result(state), detail, is_trouble=is_trouble)
        self._show_buttons(state, name)
        self._arrange()

    def _show_buttons(self, state: DownloadState, name: str) -> None:
        had_focus = self.pause_button.hasFocus() or self.main_button.hasFocus()
        text, spoken = self._main_words(state)
        self.main_button.setText(text)
        self.main_button.setAccessibleName(spoken.format(name=name))
        self.pause_button.rename(self.tr("Pause {name}").format(name=name))
        self.cancel_button.rename(self._cancel_words(state).format(name=name))
        shown, other = self.main_button, self.pause_button
        if not text:
            shown, other = other, shown
        shown.show()
        if had_focus:
            shown.setFocus()
        other.hide()

    def _main_words(self, state: DownloadState) -> tuple[str, str]:
        """On the button, and with the name in it for a screen reader; "" for no such button."""
        if state.stage is Stage.DONE and state.model is None:
            return self.tr("Quantize it…"), self.tr("Quantize {name}")
        words = {
            Stage.DONE: (self.tr("Chat with it"), self.tr("Chat with {name}")),
            Stage.PAUSED: (self.tr("Continue"), self.tr("Continue the download of {name}")),
            Stage.OFFLINE: (self.tr("Try now"), self.tr("Try the download of {name} now")),
            Stage.FAILED: (self.tr("Try again"), self.tr("Try the download of {name} again")),
        }
        return words.get(state.stage, ("", ""))

    def _cancel_words(self, state: DownloadState) -> str:
        if state.stage is Stage.DONE:
            return self.tr("Take {name} off this list")
        return self.tr("Cancel the download of {name}")

    # --- room ---------------------------------------------------------------------------------

    def _place(self) -> None:
        self._grid.setHorizontalSpacing(px(12))
        self._grid.setVerticalSpacing(px(4))
        margin = px(16 if self._is_narrow else 24)
        self._grid.setContentsMargins(margin, px(4), margin, px(4))
        self._button_row.setSpacing(px(8))
        self._line.setSpacing(px(12))
        self.bar.setFixedHeight(px(6))
        self.setMinimumHeight(px(36))
        body, small = QFontMetrics(font(BODY)), QFontMetrics(font(SMALL))
        amount = body.horizontalAdvance(_widest_amount())
        doing = small.horizontalAdvance(_widest_time()) + px(4)
        self._amount.setMinimumWidth(0 if self._is_narrow else amount)
        self._doing.setMinimumWidth(0 if self._is_narrow else doing)
        self._buttons.setMinimumWidth(self._widest_buttons())
        self._arrange()

    def _arrange(self) -> None:
        """One line, or two for want of room."""
        narrow, ended = self._is_narrow, self._state.stage in _ENDED
        for widget in (self._icon, self._title, self._running, self.outcome, self._buttons):
            self._grid.removeWidget(widget)
        self._title.set_width(0 if narrow else px(_NAME_PX))
        self._running.setVisible(not ended)
        self.outcome.setVisible(ended)
        middle = Qt.AlignmentFlag.AlignVCenter
        self._grid.addWidget(self._icon, 0, _ICON, middle)
        self._grid.addWidget(self._title, 0, _NAME, 1, 2 if narrow else 1)
        self._grid.addWidget(self._buttons, 0, _BUTTONS, middle)
        place = (1, _NAME, 1, 3) if narrow else (0, _MIDDLE, 1, 1)
        self._grid.addWidget(self.outcome if ended else self._running, *place)

    def _widest_buttons(self) -> int:
        """So that the bars of all rows end at one line."""
        if self._is_narrow:
            return 0
        metrics = QFontMetrics(font(BODY, 500))
        stages = (Stage.DONE, Stage.PAUSED, Stage.OFFLINE, Stage.FAILED)
        texts = (self._main_words(replace(self._state, stage=each))[0] for each in stages)
        widest = max(metrics.horizontalAdvance(text) for text in texts)
        return widest + px(2 * 13 + 8 + 28)

    def set_narrow(self, narrow: bool) -> None:
        """Said from outside: what does not fit on one line would never let itself become narrow."""
        if narrow != self._is_narrow:
            self._is_narrow = narrow
            self._place()


class _Title(QWidget):
    """The name, which gives way, and the variant beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ElidedLabel()
        self._variant = label("", "small", "secondary")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(4))
        row.addWidget(self._name)
        row.addWidget(self._variant)
        row.addStretch(1)

    def show_words(self, name: str, variant: str) -> None:
        set_text(self._name, name)
        set_text(self._variant, variant)
        self._variant.setVisible(bool(variant))

    def set_width(self, width: int) -> None:
        """0: whatever there is."""
        self.setMinimumWidth(width)
        self.setMaximumWidth(width or _ANY_WIDTH)


def _widest_amount() -> str:
    return f"{words.decimal(88.88, 2)} of {words.size(88.8e9)}"


def _widest_time() -> str:
    return f"{words.duration(58 * 60 + 58)} left"
