"""One answer on its way: waits for the model, takes what it says, is committed as it grows.

An engine that dies under it is not the end: the question is asked again, once. What was written by
then is either begun anew in its row or, from KEPT_WORDS words on, kept as a branch beside the new
answer. Knows one row of the store and nothing of the conversation around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.chat import AnswerStats, ChatMessage, Status
from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError
from app.core.store import Store
from app.engine.protocol import Done, Generate, Text
from app.jobs.engine import EngineJob, EngineState, Phase
from app.jobs.tasks import TaskThread

SAVE_MS = 400
KEPT_WORDS = 20
_BEING_ASKED = -1
_ASKED_AGAIN = QT_TRANSLATE_NOOP("chat", "The question was asked again.")


@dataclass(slots=True)
class _Running:
    """The answer being written. `message` is its row as last known; `request_id` is 0 until the
    engine has been asked, so that what it says of an earlier request is not taken for ours."""

    message: ChatMessage
    make_request: Callable[[], Generate]
    was_lost: bool = False  # the engine died under this question already
    request_id: int = 0
    text: str = ""
    reasoning: str = ""
    is_dirty: bool = False
    is_unsaved: bool = False

    def __post_init__(self) -> None:
        self.text, self.reasoning = self.message.text, self.message.reasoning

    @property
    def n_words(self) -> int:
        return len(self.text.split()) + len(self.reasoning.split())


class Asking(QObject):
    """At most one answer at a time."""

    text_received = Signal(int, str, str)  # message id, text, reasoning
    begun_anew = Signal(object)  # ChatMessage: the row is empty again
    finished = Signal(object)  # ChatMessage
    lost = Signal(object)  # ChatMessage, finished: its question is to be asked again beside it
    trouble = Signal(object)  # AppError

    def __init__(self, store: Store, disk: TaskThread, engine: EngineJob) -> None:
        super().__init__()
        self._store, self._disk, self._engine = store, disk, engine
        self._running: _Running | None = None
        self._is_waiting = False
        self.n_summarised = 0  # messages that the request has as a summary, as its maker says
        self.save_timer = QTimer(self)
        self.save_timer.setInterval(SAVE_MS)
        self.save_timer.timeout.connect(self._save_partial)
        # Asking from within a change of state would show that change to others after its successor.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._ask_when_ready)
        engine.text_received.connect(self._on_text)
        engine.answered.connect(self._on_answered)
        engine.request_failed.connect(self._on_request_failed)
        engine.request_lost.connect(self._on_request_lost)
        engine.state_changed.connect(self._on_engine_state)

    @property
    def is_running(self) -> bool:
        return self._running is not None

    @property
    def conversation_id(self) -> int:
        """Of the answer being written; 0 for none."""
        return self._running.message.conversation_id if self._running else 0

    def begin(
        self, row: ChatMessage, make_request: Callable[[], Generate], *, was_lost: bool = False
    ) -> None:
        """Fill `row` with the answer to what `make_request` makes when the model is ready; what it
        has already stays before that.

        `was_lost`: it is the second attempt, and there is no third.
        """
        self._running = _Running(row, make_request, was_lost)
        self.save_timer.start()
        self._ask_when_ready()

    def stop(self) -> None:
        """End the answer; what there is of it stays and, once the engine has been asked, comes
        with its figures."""
        if self._is_waiting:
            self._finish(Status.STOPPED, "", None)
        self._engine.stop()

    def leave(self) -> None:
        """End the answer and keep it now, without waiting for the engine."""
        if self._running is not None:
            self._engine.stop()
            self._finish(Status.STOPPED, "", None)

    def give_up(self, row: ChatMessage) -> None:
        """Nobody waits for `row` any more, and the engine was not asked yet."""
        self._write(replace(row, status=Status.STOPPED))

    # --- asking -------------------------------------------------------------------------------

    def _ask_when_ready(self) -> None:
        running, state = self._running, self._engine.state
        if running is None:
            return
        self._is_waiting = state.phase is not Phase.READY
        if state.phase is Phase.READY:
            self._name_model(running)
            running.request_id = _BEING_ASKED
            try:
                running.request_id = self._engine.generate(running.make_request())
            except AppError as error:  # a schema, say, that cannot be used
                self._fail(error)
        elif state.load is not None and state.phase in (Phase.FAILED, Phase.RESTING):
            self._engine.restart()
        elif state.load is None:
            self._fail(state.error or _no_model())

    def _name_model(self, running: _Running) -> None:
        """The row was made before the model that answers it was there."""
        row, loaded = running.message, self._engine.state.loaded
        if loaded is None or (row.model_name, row.variant) == (loaded.name, loaded.variant):
            return
        running.message = replace(row, model_name=loaded.name, variant=loaded.variant)
        self._disk.submit(
            lambda: self._store.name_model(row.id, loaded.name, loaded.variant),
            None,
            self._on_unsaved,
        )

    @Slot(object)
    def _on_engine_state(self, state: EngineState) -> None:
        running = self._running
        if running is None or not self._is_waiting:
            return
        if state.phase in (Phase.READY, Phase.RESTING):
            self._soon.start(0)
        elif state.phase is Phase.NONE:
            self._fail(_no_model())
        elif state.phase is Phase.FAILED and state.error is not None:
            if state.has_died and not running.was_lost:
                running.was_lost = True
                self._soon.start(0)
            else:
                self._fail(state.error)

    # --- the engine's words -------------------------------------------------------------------

    @Slot(object)
    def _on_text(self, event: Text) -> None:
        if self._running is None or event.request_id != self._running.request_id:
            return
        self._running.text += event.text
        self._running.reasoning += event.reasoning
        self._running.is_dirty = True
        self.text_received.emit(self._running.message.id, event.text, event.reasoning)

    @Slot(object)
    def _on_answered(self, event: Done) -> None:
        if self._running is None or event.request_id != self._running.request_id:
            return
        stats = AnswerStats(
            n_prompt=event.n_prompt,
            n_cached=event.n_cached,
            n_generated=event.n_generated,
            tps=event.tps,
            ttft_ms=event.ttft_ms,
            thought_ms=event.thought_ms,
            stop_reason=event.stop_reason,
            seed=event.seed,
            n_dropped=event.n_dropped,
            n_summarised=self.n_summarised,
            n_ctx=self._engine.state.loaded.n_ctx if self._engine.state.loaded else 0,
            n_guessed=event.n_guessed,
            n_true=event.n_true,
        )
        status = Status.STOPPED if event.stop_reason == "cancelled" else Status.DONE
        self._finish(status, "", stats)

    @Slot(object)
    def _on_request_failed(self, error: AppError) -> None:
        if self._running is not None and self._running.request_id:
            self._fail(error)

    @Slot(object)
    def _on_request_lost(self, error: AppError) -> None:
        """The engine died and is being started again."""
        running = self._running
        if running is None or not running.request_id:
            return
        if running.was_lost:
            self._fail(error)
        elif running.n_words < KEPT_WORDS:
            self._begin_anew(running, error)
        else:
            failed = self._finish(Status.FAILED, f"{error.text}\n{_ASKED_AGAIN}", None)
            self.lost.emit(failed)

    def _begin_anew(self, running: _Running, error: AppError) -> None:
        had_text = bool(running.text or running.reasoning)
        self._running = _Running(running.message, running.make_request, was_lost=True)
        self._running.is_dirty = had_text
        self._is_waiting = True
        if had_text:
            self.begun_anew.emit(running.message)
        self.trouble.emit(EngineError(error.text, _ASKED_AGAIN, error.detail))

    # --- the row ------------------------------------------------------------------------------

    def _fail(self, error: AppError) -> None:
        sentence = f"{error.text}\n{error.hint or ''}".rstrip()
        self._finish(Status.FAILED, sentence, None)

    def _finish(self, status: Status, error: str, stats: AnswerStats | None) -> ChatMessage | None:
        running, self._running, self._is_waiting = self._running, None, False
        self.save_timer.stop()
        self._soon.stop()
        if running is None:
            return None
        finished = replace(
            running.message,
            text=running.text,
            reasoning=running.reasoning,
            status=status,
            error=error,
            stats=stats,
        )
        self.finished.emit(finished)
        self._write(finished)
        return finished

    def _write(self, row: ChatMessage) -> None:
        self._disk.submit(
            lambda: self._store.finish_answer(
                row.id, row.text, row.reasoning, row.status, row.error, row.stats
            ),
            None,
            self.trouble.emit,
        )

    @Slot()
    def _save_partial(self) -> None:
        running = self._running
        if running is None or not running.is_dirty:
            return
        running.is_dirty = False
        message_id, text, reasoning = running.message.id, running.text, running.reasoning
        self._disk.submit(
            lambda: self._store.keep_partial(message_id, text, reasoning), None, self._on_unsaved
        )

    def _on_unsaved(self, error: AppError) -> None:
        """Said once for an answer: the disk is asked several times a second."""
        if self._running is not None and not self._running.is_unsaved:
            self._running.is_unsaved = True
            self.trouble.emit(error)


def _no_model() -> EngineError:
    return EngineError(
        QT_TRANSLATE_NOOP("chat", "No model is loaded."),
        QT_TRANSLATE_NOOP("chat", "Choose one above, then try again."),
    )
