"""One window's conversations: what the user asks for becomes rows on disk and work for the engine.

The order that loses nothing: the user's message is committed, then an empty partial answer, then
the engine is asked; the answer so far is committed every SAVE_MS and finished with its figures.
All disk work runs on the store's thread; every signal comes on the UI thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core import settings as s
from app.core.chat import (
    AnswerStats,
    ChatMessage,
    OpenConversation,
    Role,
    Status,
    title_from,
)
from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Done, Generate, PromptMessage, Text
from app.engine.requests import load_command, sampling
from app.jobs.engine import EngineJob, EngineState, Phase
from app.jobs.tasks import TaskThread

T = TypeVar("T")
SAVE_MS = 400
_BEING_ASKED = -1


@dataclass(slots=True)
class _Running:
    """The answer being written. `message` is its row as last known; `request_id` is 0 until the
    engine has been asked, so that what it says of an earlier request is not taken for ours."""

    message: ChatMessage
    request_id: int = 0
    text: str = ""
    reasoning: str = ""
    is_dirty: bool = False
    is_unsaved: bool = False


class ChatJob(QObject):
    """What the chat page shows and does. Ids are the store's."""

    conversations_changed = Signal(object)  # tuple[Conversation, ...]
    conversation_opened = Signal(object)  # OpenConversation, or None for a new, empty one
    message_added = Signal(object)  # ChatMessage at the end of the open conversation
    text_received = Signal(int, str, str)  # message id, text, reasoning
    answer_finished = Signal(object)  # ChatMessage
    send_failed = Signal(str, object)  # the text, to be put back, and the AppError
    trouble = Signal(object)  # AppError that concerns the whole window
    siblings_changed = Signal(int, object)  # message id, ids of it and its siblings

    def __init__(self, store: Store, settings: Settings, engine: EngineJob) -> None:
        super().__init__()
        self._store = store
        self._settings = settings
        self.engine = engine
        self._disk = TaskThread("store")
        self.open: OpenConversation | None = None
        self._system_prompt = settings.get(s.SYSTEM_PROMPT)
        self._running: _Running | None = None
        self._waiting: Callable[[], None] | None = None
        self._save_timer = QTimer(self)
        self._save_timer.setInterval(SAVE_MS)
        self._save_timer.timeout.connect(self._save_partial)
        engine.text_received.connect(self._on_text)
        engine.answered.connect(self._on_answered)
        engine.request_failed.connect(self._on_request_failed)
        engine.state_changed.connect(self._on_engine_state)

    # --- conversations ------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        return self._store.read_only

    @property
    def is_answering(self) -> bool:
        return self._running is not None

    @property
    def system_prompt(self) -> str:
        return self.open.conversation.system_prompt if self.open else self._system_prompt

    def start(self) -> None:
        """Show the list, and whatever the store has to say about itself."""
        if self._store.notice:
            self.trouble.emit(self._store.notice)
        self._refresh_list()

    def new_conversation(self) -> None:
        """An empty one; it is made on disk with its first message."""
        self._leave()
        self._system_prompt = self._settings.get(s.SYSTEM_PROMPT)
        self._show(None)

    def open_conversation(self, conversation_id: int) -> None:
        self._leave()
        self._disk.submit(
            lambda: self._store.open_conversation(conversation_id), self._show, self.trouble.emit
        )

    def show_branch(self, message_id: int) -> None:
        self._leave()
        self._disk.submit(
            lambda: self._store.show_branch(message_id), self._show, self.trouble.emit
        )

    def rename(self, conversation_id: int, title: str) -> None:
        self._change(lambda: self._store.rename(conversation_id, title))

    def delete_conversation(self, conversation_id: int) -> None:
        if self.open and self.open.conversation.id == conversation_id:
            self._leave()
            self._show(None)
        self._change(lambda: self._store.delete_conversation(conversation_id))

    def set_system_prompt(self, text: str) -> None:
        if self.open is None:
            self._system_prompt = text
            return
        conversation = replace(self.open.conversation, system_prompt=text)
        self.open = replace(self.open, conversation=conversation)
        self._disk.submit(
            lambda: self._store.set_system_prompt(conversation.id, text), None, self.trouble.emit
        )

    def _change(self, action: Callable[[], None]) -> None:
        self._disk.submit(action, lambda _: self._refresh_list(), self.trouble.emit)

    def _refresh_list(self) -> None:
        self._disk.submit(
            self._store.conversations, self.conversations_changed.emit, self.trouble.emit
        )

    def _leave(self) -> None:
        """The answer being written is stopped and kept before another conversation is shown."""
        if self._running is not None:
            self.engine.stop()
            self._finish(Status.STOPPED, "", None)

    def _show(self, opened: OpenConversation | None) -> None:
        self.open = opened
        self.conversation_opened.emit(opened)

    def read_store(self, read: Callable[[Store], T], on_done: Callable[[T], None]) -> None:
        """Something that the window can do without: where it cannot be read, nothing happens."""
        self._disk.submit(lambda: read(self._store), on_done, _is_dispensable)

    def write_store(self, write: Callable[[Store], None]) -> None:
        """Something that the window can do without, if the store may be written at all."""
        if not self.read_only:
            self._disk.submit(lambda: write(self._store), None, _is_dispensable)

    # --- asking -------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Ask `text` at the end of the open conversation, making one where there is none."""
        if self._running is not None or not text.strip():
            return
        opened, system_prompt = self.open, self.system_prompt

        def commit() -> tuple[OpenConversation | None, ChatMessage]:
            conversation = (
                opened.conversation
                if opened
                else self._store.create_conversation(title_from(text), system_prompt)
            )
            parent = opened.messages[-1].id if opened and opened.messages else None
            message = self._store.add_message(conversation.id, parent, Role.USER, text)
            fresh = None if opened else OpenConversation(conversation, (), {})
            return fresh, message

        def committed(result: tuple[OpenConversation | None, ChatMessage]) -> None:
            fresh, message = result
            if fresh is not None:
                self._show(fresh)
            self._append(message)
            self._refresh_list()
            self._answer(message)

        self._disk.submit(commit, committed, lambda error: self.send_failed.emit(text, error))

    def regenerate(self, message_id: int) -> None:
        """Answer again beside the answer `message_id`; that one stays, one branch away."""
        if self._running is not None or self.open is None:
            return
        answer = next((m for m in self.open.messages if m.id == message_id), None)
        if answer is None or answer.parent_id is None:
            return
        question_id, conversation_id = answer.parent_id, answer.conversation_id

        def shown(opened: OpenConversation) -> None:
            self._show(opened)
            self._answer(opened.messages[-1])

        self._disk.submit(
            lambda: self._store.set_head(conversation_id, question_id), shown, self.trouble.emit
        )

    retry = regenerate

    def stop(self) -> None:
        """End the answer being written; what there is of it stays."""
        if self._waiting is not None:
            self._finish(Status.STOPPED, "", None)
        self.engine.stop()

    def _answer(self, question: ChatMessage) -> None:
        """Make the row of the answer, then ask the engine (or wait until its model is loaded)."""
        loaded = self.engine.state.loaded
        name, variant = (loaded.name, loaded.variant) if loaded else ("", "")

        def begin() -> tuple[ChatMessage, tuple[int, ...]]:
            message = self._store.add_message(
                question.conversation_id,
                question.id,
                Role.ASSISTANT,
                "",
                status=Status.PARTIAL,
                model_name=name,
                variant=variant,
            )
            return message, self._store.sibling_ids(message.id)

        def begun(result: tuple[ChatMessage, tuple[int, ...]]) -> None:
            message, siblings = result
            self._running = _Running(message)
            self._append(message)
            if len(siblings) > 1:
                self.siblings_changed.emit(message.id, siblings)
            self._save_timer.start()
            self._ask_when_ready()

        self._disk.submit(begin, begun, self.trouble.emit)

    def _ask_when_ready(self) -> None:
        state, running = self.engine.state, self._running
        assert running is not None
        self._waiting = None
        if state.phase is Phase.READY:
            running.request_id = _BEING_ASKED
            running.request_id = self.engine.generate(self._request())
        elif state.is_busy or state.phase is Phase.LOADING:
            self._waiting = self._ask_when_ready
        elif state.load is not None:
            self._waiting = self._ask_when_ready
            self.engine.restart()
        else:
            self._fail(state.error or _no_model())

    def _request(self) -> Generate:
        assert self.open is not None
        prompt = self.system_prompt.strip()
        messages = [PromptMessage("system", prompt)] if prompt else []
        messages += [
            PromptMessage(m.role.value, m.text)
            for m in self.open.messages[:-1]
            if m.text or m.role is Role.USER
        ]
        return Generate(
            request_id=0,
            messages=tuple(messages),
            sampling=sampling(self._settings),
            max_tokens=self._settings.get(s.MAX_TOKENS),
        )

    def _append(self, message: ChatMessage) -> None:
        assert self.open is not None
        self.open = replace(self.open, messages=(*self.open.messages, message))
        self.message_added.emit(message)

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
        )
        status = Status.STOPPED if event.stop_reason == "cancelled" else Status.DONE
        self._finish(status, "", stats)

    @Slot(object)
    def _on_request_failed(self, error: AppError) -> None:
        if self._running is not None and self._running.request_id:
            self._fail(error)

    def _fail(self, error: AppError) -> None:
        sentence = f"{error.text}\n{error.hint or ''}".rstrip()
        self._finish(Status.FAILED, sentence, None)

    @Slot(object)
    def _on_engine_state(self, state: EngineState) -> None:
        if self._waiting is None:
            return
        if state.phase is Phase.READY:
            self._waiting()
        elif state.phase is Phase.FAILED and state.error is not None:
            self._fail(state.error)

    def _finish(self, status: Status, error: str, stats: AnswerStats | None) -> None:
        running, self._running, self._waiting = self._running, None, None
        self._save_timer.stop()
        if running is None:
            return
        finished = replace(
            running.message,
            text=running.text,
            reasoning=running.reasoning,
            status=status,
            error=error,
            stats=stats,
        )
        if self.open is not None and self.open.messages[-1:] == (running.message,):
            self.open = replace(self.open, messages=(*self.open.messages[:-1], finished))
        self.answer_finished.emit(finished)
        self._disk.submit(
            lambda: self._store.finish_answer(
                finished.id, finished.text, finished.reasoning, status, error, stats
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

    # --- the model ----------------------------------------------------------------------------

    def load_model(self, path: Path) -> None:
        """Load `path` with the settings in force. An answer being written is stopped and kept."""
        self._leave()
        self.engine.load(load_command(self._settings, path))

    def reload_model(self) -> None:
        """Load the same model again, after a change of the context or the like."""
        if self.engine.state.load is not None:
            self.load_model(Path(self.engine.state.load.path))

    def close(self) -> None:
        """Keep the answer so far, end the engine, close the store."""
        self._leave()
        self.engine.close()
        self._disk.submit(self._store.close)
        self._disk.close()


def _is_dispensable(_error: AppError) -> None:
    pass


def _no_model() -> EngineError:
    return EngineError(
        QT_TRANSLATE_NOOP("chat", "No model is loaded."),
        QT_TRANSLATE_NOOP("chat", "Choose one above, then try again."),
    )
