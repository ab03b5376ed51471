"""The figures of the engine and the open conversation, as often as an eye can follow them.

While an answer is written the engine's state changes with every token. Laying labels out again that
often costs time on cores the decoding wants, so figures are passed on a few times a second; a
change of phase is passed on at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.chat import AnswerStats
from app.core.seen import last_stats, n_summarised
from app.engine.protocol import Loaded
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase

PAUSE_MS = 250


@dataclass(frozen=True, slots=True)
class Figures:
    """`n_used` tokens of context, None where nobody knows; `stats` of the last whole answer.

    `model_name` is that of the model loaded or being loaded, for people.
    """

    state: EngineState
    model_name: str = ""
    n_used: int | None = 0
    stats: AnswerStats | None = None

    @property
    def loaded(self) -> Loaded | None:
        return self.state.loaded

    @property
    def tps(self) -> float | None:
        """Tokens per second of this answer while it is written, else of the last one."""
        if self.state.phase is Phase.WRITING:
            return self.state.tps or None
        return self.stats.tps if self.stats else None


class FigureFeed(QObject):
    """Emits `changed` with the Figures: at once for what happens, slowly for what counts on."""

    changed = Signal(object)  # Figures

    def __init__(
        self, chat: ChatJob, name_of: Callable[[str], str], parent: QObject | None = None
    ) -> None:
        """`name_of` gives the name of the model in a file."""
        super().__init__(parent)
        self._chat = chat
        self._name_of = name_of
        self._shown = chat.engine.state
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self.publish)
        chat.engine.state_changed.connect(self._on_state)
        for happening in (chat.conversation_opened, chat.message_added, chat.answer_finished):
            happening.connect(self.publish)

    def _on_state(self, state: EngineState) -> None:
        if state.phase is not self._shown.phase or state.loaded is not self._shown.loaded:
            self.publish()
        elif not self._timer.isActive():
            self._timer.start()

    def publish(self) -> None:
        self._timer.stop()
        self._shown = self._chat.engine.state
        self.changed.emit(self.figures())

    def figures(self) -> Figures:
        messages = self._chat.open.messages if self._chat.open else ()
        stats = last_stats(messages)
        state = self._chat.engine.state
        return Figures(state, self._model_name(state), self._n_used(state), stats)

    def _n_used(self, state: EngineState) -> int | None:
        """As last measured; what a summary has changed since is not measured yet."""
        opened = self._chat.open
        if state.phase is Phase.WRITING and self._chat.is_answering:
            return state.n_past
        if opened is None or not opened.messages:
            return 0
        stats = last_stats(opened.messages)
        if stats is None or stats.n_summarised != n_summarised(opened.messages, opened.summary):
            return None
        return stats.n_prompt + stats.n_generated

    def _model_name(self, state: EngineState) -> str:
        if state.loaded is not None:
            return state.loaded.name
        return self._name_of(state.load.path) if state.load is not None else ""
