"""Says that a model is being loaded, once that takes long enough to notice, and can end it."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout

from app.jobs.engine import EngineState, Phase
from app.ui.controls import Surface, button, label, set_text
from app.ui.theme import px

_DELAY_MS = 1000  # a shorter load needs no card that pushes the page down and is gone again


class LoadingCard(Surface):
    """Hidden but while a load takes longer than a moment."""

    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__("card")
        self._words = label("")
        self._cancel = button(self.tr("Cancel"), small=True)
        self._cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(px(12), px(8), px(12), px(8))
        row.addWidget(self._words, 1)
        row.addWidget(self._cancel)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_DELAY_MS)
        self._delay.timeout.connect(self.show)
        self.hide()

    def show_state(self, state: EngineState, name: str) -> None:
        if state.phase is not Phase.LOADING:
            self._delay.stop()
            self.hide()
            return
        set_text(self._words, self.tr("Loading {name}…").format(name=name))
        if self.isHidden() and not self._delay.isActive():
            self._delay.start()
