"""One window's conversations: what the user asks for becomes rows on disk and work for the engine.

The order that loses nothing: the user's message is committed, then an empty partial answer, then
the engine is asked; the answer so far is committed now and then and finished with its figures
(`app.jobs.asking`). All disk work runs on the store's thread; every signal comes on the UI thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from app import paths
from app.core import settings as s
from app.core.chat import (
    ChatMessage,
    OpenConversation,
    Role,
    Status,
    Summary,
    can_go_on,
    furthest,
    title_from,
)
from app.core.errors import AppError
from app.core.seen import seen
from app.core.settings import Settings
from app.core.store import Store
from app.engine import statefiles
from app.engine.protocol import Generate, PromptMessage
from app.engine.requests import load_command, sampling, stops, thinking
from app.jobs.asking import Asking
from app.jobs.engine import EngineJob
from app.jobs.resting import Resting
from app.jobs.tasks import TaskThread

T = TypeVar("T")


class ChatJob(QObject):
    """What the chat page shows and does. Ids are the store's."""

    conversations_changed = Signal(object)  # tuple[Conversation, ...]
    conversation_opened = Signal(object)  # OpenConversation, or None for a new, empty one
    message_added = Signal(object)  # ChatMessage at the end of the open conversation
    text_received = Signal(int, str, str)  # message id, text, reasoning
    answer_begun_anew = Signal(object)  # ChatMessage that is written on from what its text is now
    answer_finished = Signal(object)  # ChatMessage
    send_failed = Signal(str, object)  # the text, to be put back, and the AppError
    trouble = Signal(object)  # AppError that concerns the whole window
    siblings_changed = Signal(int, object)  # message id, ids of it and its siblings
    summary_changed = Signal()  # the open conversation's

    def __init__(self, store: Store, settings: Settings, engine: EngineJob) -> None:
        super().__init__()
        self._store = store
        self._settings = settings
        self.engine = engine
        self._disk = TaskThread("store")
        self.open: OpenConversation | None = None
        self._system_prompt = settings.get(s.SYSTEM_PROMPT)
        self.asking = Asking(store, self._disk, engine)
        self.resting = Resting(engine, settings)
        self._is_asking_again = False
        self._asked_id = 0  # the conversation whose text the engine's cache holds
        self.asking.text_received.connect(self.text_received)
        self.asking.begun_anew.connect(self.answer_begun_anew)
        self.asking.finished.connect(self._on_finished)
        self.asking.lost.connect(self._on_lost)
        self.asking.trouble.connect(self.trouble)

    # --- conversations ------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        return self._store.read_only

    @property
    def is_answering(self) -> bool:
        return self.asking.is_running or self._is_asking_again

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
        self.engine.forget(str(conversation_id))

        def delete() -> None:
            self._store.delete_conversation(conversation_id)
            statefiles.delete(paths.states_dir(), str(conversation_id))

        self._change(delete)

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
        self._is_asking_again = False
        self.asking.leave()

    def _show(self, opened: OpenConversation | None) -> None:
        shown_id = opened.conversation.id if opened else 0
        if self.asking.conversation_id not in (0, shown_id):
            self.asking.leave()
        if self._asked_id not in (0, shown_id):
            self._asked_id = 0
            self.engine.leave()
        self.open = opened
        self.conversation_opened.emit(opened)

    def read_store(self, read: Callable[[Store], T], on_done: Callable[[T], None]) -> None:
        """Something that the window can do without: where it cannot be read, nothing happens."""
        self._disk.submit(lambda: read(self._store), on_done, _is_dispensable)

    def write_store(self, write: Callable[[Store], None]) -> None:
        """Something that the window can do without, if the store may be written at all."""
        if not self.read_only:
            self._disk.submit(lambda: write(self._store), None, _is_dispensable)

    # --- the older part -----------------------------------------------------------------------

    def add_summary(
        self, up_to: ChatMessage, text: str, n_messages: int, on_failed: Callable[[AppError], None]
    ) -> None:
        """Have the model read `text` in place of the messages up to `up_to`, from now on."""
        self._change_summary(
            up_to.conversation_id,
            lambda: self._store.add_summary(up_to.conversation_id, up_to.id, text, n_messages),
            on_failed,
        )

    def edit_summary(self, summary: Summary, text: str) -> None:
        if text.strip():
            self._change_summary(
                summary.conversation_id, lambda: self._store.edit_summary(summary.id, text.strip())
            )

    def remove_summary(self, summary: Summary) -> None:
        """The messages themselves count again."""
        self._change_summary(
            summary.conversation_id, lambda: self._store.delete_summary(summary.id)
        )

    def _change_summary(
        self,
        conversation_id: int,
        change: Callable[[], object],
        on_failed: Callable[[AppError], None] | None = None,
    ) -> None:
        def changed() -> tuple[Summary, ...]:
            change()
            return self._store.summaries(conversation_id)

        def done(summaries: tuple[Summary, ...]) -> None:
            if self.open is not None and self._is_open(conversation_id):
                summary = furthest(summaries, self.open.messages)
                self.open = replace(self.open, summary=summary)
                self.summary_changed.emit()

        self._disk.submit(changed, done, on_failed or self.trouble.emit)

    # --- asking -------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Ask `text` at the end of the open conversation, making one where there is none."""
        if self.is_answering or not text.strip():
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
            if fresh is not None and self.open is None:
                self._show(fresh)
            if self._is_open(message.conversation_id):
                self._append(message)
            self._refresh_list()
            self._answer(message)

        self._disk.submit(commit, committed, lambda error: self.send_failed.emit(text, error))

    def regenerate(self, message_id: int) -> None:
        """Answer again beside the answer `message_id`; that one stays, one branch away."""
        if self.is_answering or self.open is None:
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

    def go_on(self, message_id: int) -> None:
        """Have the model write on where the last answer ended; see `can_go_on`."""
        answer = self.open.messages[-1] if self.open and self.open.messages else None
        if self.open is None or answer is None or self.is_answering:
            return
        if answer.id != message_id or not can_go_on(answer):
            return
        row = replace(answer, status=Status.PARTIAL, stats=None, error="")
        self.open = replace(self.open, messages=(*self.open.messages[:-1], row))
        self._asked_id = row.conversation_id
        self.answer_begun_anew.emit(row)
        self.asking.begin(row, self._request)

    def stop(self) -> None:
        """End the answer being written; what there is of it stays."""
        self.asking.stop()

    def wake(self) -> None:
        """Someone begins to write: a model that was unloaded is loaded while they do."""
        self.resting.wake()

    def free_memory(self) -> None:
        """Unload the model now; what there is of an answer stays. The next question loads it."""
        self.asking.stop()
        self.resting.free_now()

    def _answer(self, question: ChatMessage, *, was_lost: bool = False) -> None:
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
            self._is_asking_again = self._is_open(message.conversation_id)
            if not self._is_asking_again:
                self.asking.give_up(message)  # another conversation was opened meanwhile
                return
            self._append(message)  # whoever is told of the row finds an answer on its way
            if len(siblings) > 1:
                self.siblings_changed.emit(message.id, siblings)
            self._asked_id = message.conversation_id
            self._is_asking_again = False
            self.asking.begin(message, self._request, was_lost=was_lost)

        self._disk.submit(begin, begun, self._on_not_begun)

    def _on_not_begun(self, error: AppError) -> None:
        self._is_asking_again = False
        self.trouble.emit(error)

    def _request(self) -> Generate:
        assert self.open is not None
        loaded = self.engine.state.loaded
        now = seen(self.open.messages[:-1], self.system_prompt, self.open.summary)
        self.asking.n_summarised = now.n_summarised
        messages = [PromptMessage("system", now.system)] if now.system else []
        messages += [PromptMessage(m.role.value, m.text, m.reasoning) for m in now.messages]
        return Generate(
            request_id=0,
            messages=tuple(messages),
            sampling=sampling(self._settings, loaded.sampling if loaded else ()),
            stop=stops(self._settings),
            max_tokens=self._settings.get(s.MAX_TOKENS),
            conversation=str(self.open.conversation.id),
            n_dropped=now.n_dropped,
            overflow=self._settings.get(s.OVERFLOW),
            thinking=thinking(self._settings),
            begun=self.open.messages[-1].text,
        )

    def _is_open(self, conversation_id: int) -> bool:
        return self.open is not None and self.open.conversation.id == conversation_id

    def _append(self, message: ChatMessage) -> None:
        assert self.open is not None
        self.open = replace(self.open, messages=(*self.open.messages, message))
        self.message_added.emit(message)

    # --- the answer ---------------------------------------------------------------------------

    @Slot(object)
    def _on_finished(self, finished: ChatMessage) -> None:
        messages = self.open.messages if self.open else ()
        if self.open is not None and messages and messages[-1].id == finished.id:
            self.open = replace(self.open, messages=(*messages[:-1], finished))
        self.answer_finished.emit(finished)

    @Slot(object)
    def _on_lost(self, answer: ChatMessage) -> None:
        """The engine died over a longer answer: it stays, one branch away from the next try."""
        if self.open is None or not self._is_open(answer.conversation_id):
            return
        before = tuple(m for m in self.open.messages if m.id != answer.id)
        self._is_asking_again = True
        self._show(replace(self.open, messages=before))
        self._answer(before[-1], was_lost=True)

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
