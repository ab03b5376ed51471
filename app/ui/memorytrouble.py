"""The cards for memory that runs short: they say so, and offer to free the model's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.core.errors import AppError
from app.jobs.chat import ChatJob
from app.ui.trouble import TroubleCard, TroubleStack

if TYPE_CHECKING:
    from app.jobs.memory import MemoryWatch


class MemoryTrouble(QObject):
    """Between the watch and the stack of cards. A card goes by itself when the trouble is over."""

    def __init__(
        self, watch: MemoryWatch, stack: TroubleStack, chat: ChatJob, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._stack, self._chat = stack, chat
        self._card: TroubleCard | None = None
        watch.tight.connect(self._on_tight)
        watch.eased.connect(self._on_eased)
        watch.freed.connect(stack.add)

    def _on_tight(self, error: AppError) -> None:
        self._on_eased()
        card = self._card = self._stack.add(error)
        if card is not None:
            card.add_button(self.tr("Free the model's memory"), self._chat.free_memory)

    def _on_eased(self) -> None:
        if self._card is not None:
            self._stack.withdraw(self._card)
            self._card = None
