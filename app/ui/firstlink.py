"""Between this computer, the catalogue and the cards of the first start.

The drivers and the catalogue are asked once the model has loaded and nothing is being answered; the
recommendation's card is imported and made when there is something to show on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from app.core.hardware import Hardware
from app.core.measured import SpeedRecord
from app.jobs.engine import EngineJob
from app.jobs.tasks import TaskThread
from app.ui.firstside import SideCards
from app.ui.hardwarelook import HardwareLook
from app.ui.models import Models


class FirstStartLink(QObject):
    download_requested = Signal(object)  # Request
    pause_requested = Signal(int)  # id of a download, as with the two below
    resume_requested = Signal(int)
    cancel_requested = Signal(int)
    chat_requested = Signal(object)  # Path
    others_requested = Signal()

    def __init__(
        self,
        engine: EngineJob,
        tasks: TaskThread,
        models: Models,
        speeds: Callable[[], Sequence[SpeedRecord]],
        parent: QObject,
    ) -> None:
        """`speeds`: what this computer measured, the newest first."""
        super().__init__(parent)
        self._tasks, self._models, self._speeds = tasks, models, speeds
        self._has_begun = False
        self._downloads: tuple = ()
        self.cards = SideCards()
        self.look = HardwareLook(engine, tasks, self)
        self.look.measured.connect(self.cards.hardware.show_measured)
        self.look.examined.connect(self.cards.hardware.show_examined)
        self.look.examined.connect(self._find)

    def begin(self) -> None:
        """Look at this computer, once."""
        if not self._has_begun:
            self._has_begun = True
            self.look.look()

    def show_downloads(self, states: tuple) -> None:
        self._downloads = states
        if self.cards.better is not None:
            self.cards.better.show_downloads(states)

    def _find(self, hardware: Hardware) -> None:
        from app.jobs.better import find_better

        installed, speeds = self._models.installed, self._speeds()
        self._tasks.submit(
            lambda: find_better(hardware, installed, speeds),
            lambda better: self._show(better, hardware),
        )

    def _show(self, better: object, hardware: Hardware) -> None:
        card = self.cards.better
        if card is None:
            card = self.cards.make_better()
            card.download_requested.connect(self.download_requested)
            card.chat_requested.connect(self.chat_requested)
            card.others_requested.connect(self.others_requested)
            card.strip.pause_requested.connect(self.pause_requested)
            card.strip.resume_requested.connect(self.resume_requested)
            card.strip.cancel_requested.connect(self.cancel_requested)
        card.show_better(better, hardware)
        card.show_downloads(self._downloads)
