"""The summary of a conversation's older part: the loaded model writes it, then it is kept, whole.

Until the last step is done nothing is on disk: whatever ends the work before that (the user,
another conversation, the engine's death) leaves the conversation as it was. The transcript is never
changed; what the model reads is (`app.core.seen`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core import seen
from app.core.chat import ChatMessage
from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError, PromptError
from app.core.summarising import Step, Summarising, pieces_of, whole_sentences
from app.engine.protocol import Done, Generate, PromptMessage, Sampling, Text
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase

_SAMPLING = Sampling(temperature=0.3)
_MAX_TRIES = 4  # with half of the text in a step each time
_BEING_ASKED = -1


class Work(StrEnum):
    NONE = "none"
    WAITING = "waiting"  # for the model
    WRITING = "writing"
    SAVING = "saving"
    FAILED = "failed"  # `error` says why


@dataclass(frozen=True, slots=True)
class SummaryState:
    """What the card shows. `text`: of this step so far; step `n` of `n_steps`, 0 before the first;
    `joins`: it puts the parts together."""

    work: Work = Work.NONE
    n_messages: int = 0
    text: str = ""
    n: int = 0
    n_steps: int = 0
    joins: bool = False
    error: AppError | None = None

    @property
    def is_running(self) -> bool:
        return self.work in (Work.WAITING, Work.WRITING, Work.SAVING)


class SummaryJob(QObject):
    """One summary at a time, of the open conversation."""

    changed = Signal(object)  # SummaryState

    def __init__(self, chat: ChatJob, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chat, self._engine = chat, chat.engine
        self.state = SummaryState()
        self._part: tuple[ChatMessage, ...] = ()
        self._plan: Summarising | None = None
        self._n_tries = 0
        self._request_id = 0
        # Asking from within a change of state would show that change to others after its successor.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._go_on)
        self._engine.text_received.connect(self._on_text)
        self._engine.answered.connect(self._on_answered)
        self._engine.request_failed.connect(self._on_failed)
        self._engine.request_lost.connect(self._on_lost)
        self._engine.state_changed.connect(self._on_engine_state)
        chat.conversation_opened.connect(self._on_opened)
        chat.summary_changed.connect(self._on_kept)

    @property
    def is_running(self) -> bool:
        return self.state.is_running

    @property
    def part(self) -> tuple[ChatMessage, ...]:
        """The messages that are being summarised, or that could not be."""
        return self._part

    @property
    def older_part(self) -> tuple[ChatMessage, ...]:
        """What `start` would summarise; () where there is nothing to be gained."""
        opened = self._chat.open
        return seen.older_part(opened.messages, opened.summary) if opened else ()

    def start(self) -> None:
        """Summarise what the model no longer sees, or the older half of what it sees."""
        part = self.older_part
        if not part or self.is_running or self._chat.is_answering or self._chat.read_only:
            return
        self._part, self._plan, self._n_tries = part, None, 0
        self._set(SummaryState(Work.WAITING, self._n_messages()))
        self._soon.start(0)

    def cancel(self) -> None:
        """End the work; nothing of it is kept."""
        if self.state.work is Work.SAVING:
            return
        was_asked = self._request_id != 0
        self._end(SummaryState())
        if was_asked:
            self._engine.stop()

    def dismiss(self) -> None:
        """The failure has been read."""
        if self.state.work is Work.FAILED:
            self._end(SummaryState())

    def _n_messages(self) -> int:
        opened = self._chat.open
        before = seen.n_summarised(opened.messages, opened.summary) if opened else 0
        return before + len(self._part)

    # --- asking -------------------------------------------------------------------------------

    @Slot()
    def _go_on(self) -> None:
        """The next step, when the model is ready for it."""
        state = self._engine.state
        if not self._is_between_steps():
            return
        if state.phase is Phase.READY and state.loaded is not None:
            self._plan = self._plan or self._make_plan(state.loaded.n_ctx)
            step = self._plan.step
            if step is not None:
                self._ask(step)
        elif state.phase in (Phase.FAILED, Phase.RESTING) and state.load is not None:
            self._engine.restart()
        elif state.load is None:
            self._fail(state.error or _no_model())

    def _is_between_steps(self) -> bool:
        return self.state.work in (Work.WAITING, Work.WRITING) and self._request_id == 0

    def _make_plan(self, n_ctx: int) -> Summarising:
        opened = self._chat.open
        assert opened is not None
        before = opened.summary if seen.n_summarised(opened.messages, opened.summary) else None
        per_token = seen.chars_per_token(opened.messages, self._chat.system_prompt)
        pieces = pieces_of(self._part, before)
        return Summarising(pieces, n_ctx, per_token / 2**self._n_tries)

    def _ask(self, step: Step) -> None:
        told = replace(self.state, work=Work.WRITING, text="")
        self._set(replace(told, n=step.n, n_steps=step.n_steps, joins=step.joins))
        self._request_id = _BEING_ASKED
        self._request_id = self._engine.generate(
            Generate(
                request_id=0,
                messages=(PromptMessage("user", step.question),),
                sampling=_SAMPLING,
                max_tokens=step.max_tokens,
                thinking=False,
                overflow="stop",
            )
        )

    # --- the engine's words -------------------------------------------------------------------

    @Slot(object)
    def _on_text(self, event: Text) -> None:
        if event.request_id == self._request_id and event.text:
            self._set(replace(self.state, text=self.state.text + event.text))

    @Slot(object)
    def _on_answered(self, event: Done) -> None:
        if event.request_id != self._request_id or self._plan is None:
            return
        self._request_id = 0
        text = self.state.text.strip()
        if event.stop_reason == "cancelled":
            self._end(SummaryState())
        elif not text:
            self._fail(_nothing_written())
        else:
            self._take(text if event.stop_reason == "stop" else whole_sentences(text))

    def _take(self, text: str) -> None:
        assert self._plan is not None
        self._plan.take(text)
        if not self._plan.text:
            return  # the engine is ready in a moment; then comes the next step
        text = self._plan.text
        self._chat.add_summary(self._part[-1], text, self.state.n_messages, self._on_not_kept)
        self._set(replace(self.state, work=Work.SAVING, text=text))

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        if not self._request_id:
            return
        self._request_id = 0
        self._n_tries += 1
        if isinstance(error, PromptError) and self._n_tries < _MAX_TRIES:
            self._plan = None  # its text has more tokens than was thought
        else:
            self._fail(error)

    @Slot(object)
    def _on_lost(self, error: AppError) -> None:
        if self._request_id:
            self._fail(error)

    @Slot(object)
    def _on_engine_state(self, state: EngineState) -> None:
        if not self.is_running or self.state.work is Work.SAVING:
            return
        if state.phase in (Phase.READY, Phase.RESTING):
            self._soon.start(0)
        elif state.phase is Phase.LOADING and self._request_id:
            self._request_id, self._plan = 0, None  # begun anew with the model that is loaded now
            self._set(replace(self.state, work=Work.WAITING, text=""))
        elif state.phase is Phase.NONE:
            self._fail(_no_model())
        elif state.phase is Phase.FAILED and state.error is not None:
            self._fail(state.error)

    # --- the end ------------------------------------------------------------------------------

    @Slot(object)
    def _on_opened(self, _opened: object) -> None:
        """Another conversation or branch is shown, in which the part is perhaps not."""
        messages = self._chat.open.messages if self._chat.open else ()
        shown = {message.id for message in messages}
        if self._part and self._part[-1].id not in shown:
            was_asked = self._request_id != 0
            self._end(SummaryState())
            if was_asked:
                self._engine.stop()

    @Slot()
    def _on_kept(self) -> None:
        if self.state.work is Work.SAVING:
            self._end(SummaryState())

    def _on_not_kept(self, error: AppError) -> None:
        if self.state.work is Work.SAVING:
            self._fail(error)

    def _fail(self, error: AppError) -> None:
        self._end(SummaryState(Work.FAILED, self.state.n_messages, error=error))

    def _end(self, state: SummaryState) -> None:
        self._soon.stop()
        self._request_id, self._plan = 0, None
        if state.work is Work.NONE:
            self._part = ()
        self._set(state)

    def _set(self, state: SummaryState) -> None:
        if state != self.state:
            self.state = state
            self.changed.emit(state)


def _no_model() -> EngineError:
    return EngineError(
        QT_TRANSLATE_NOOP("summary", "No model is loaded."),
        QT_TRANSLATE_NOOP("summary", "Choose one above, then try again."),
    )


def _nothing_written() -> EngineError:
    return EngineError(
        QT_TRANSLATE_NOOP("summary", "The model wrote no summary."),
        QT_TRANSLATE_NOOP("summary", "Try again, or choose another model."),
    )
