"""Between the open conversation of the ChatJob and the column that shows it."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.core.chat import ChatMessage, OpenConversation, Role
from app.core.errors import AppError
from app.jobs.chat import ChatJob
from app.ui.chatcolumn import ChatColumn, View
from app.ui.questions import ask_to_open


class ChatLink(QObject):
    """Sends, shows what comes, and knows whether an answer is on its way."""

    def __init__(self, chat: ChatJob, column: ChatColumn, parent: QObject) -> None:
        super().__init__(parent)
        self._chat, self._column = chat, column
        self._siblings: dict[int, tuple[int, ...]] = {}  # learned since the conversation was opened
        self._is_sending = False  # from Enter until the answer has a row, or there is trouble
        chat.conversation_opened.connect(self._on_opened)
        chat.message_added.connect(self._on_added)
        chat.siblings_changed.connect(self._on_siblings)
        chat.text_received.connect(self._on_text)
        chat.answer_finished.connect(self._on_finished)
        chat.send_failed.connect(self._on_send_failed)
        chat.trouble.connect(self._on_trouble)
        transcript = column.transcript
        transcript.regenerate_requested.connect(self._regenerate)
        transcript.retry_requested.connect(self._regenerate)
        transcript.branch_requested.connect(self._show_branch)
        transcript.link_activated.connect(lambda address: ask_to_open(column, address))

    @property
    def is_busy(self) -> bool:
        return self._is_sending or self._chat.is_answering

    def send(self, text: str) -> None:
        if not self.is_busy and not self._chat.read_only:
            self._is_sending = True
            self._column.send_trouble.hide()
            self._show_busy()
            self._chat.send(text)

    def _regenerate(self, message_id: int) -> None:
        if not self.is_busy and not self._chat.read_only:
            self._chat.regenerate(message_id)

    def _show_branch(self, message_id: int) -> None:
        if not self._chat.read_only:
            self._chat.show_branch(message_id)

    def _show_busy(self) -> None:
        self._column.composer.set_busy(self.is_busy)

    def _on_opened(self, opened: OpenConversation | None) -> None:
        self._siblings.clear()
        if opened is None:
            self._column.transcript.clear()
        else:
            # Shown first: text is measured at the width it will have.
            self._column.show_view(View.TRANSCRIPT)
            self._column.transcript.set_conversation(opened.messages, opened.branches)
        self._show_notice()
        self._column.send_trouble.hide()
        self._show_busy()

    def _on_added(self, message: ChatMessage) -> None:
        if message.role is Role.ASSISTANT:
            self._is_sending = False
        self._column.transcript.add_message(message)
        if message.role is Role.USER:
            self._column.transcript.scroll_to_end()
        self._show_busy()

    def _on_siblings(self, message_id: int, siblings: tuple[int, ...]) -> None:
        self._siblings[message_id] = siblings

    def _show_siblings(self, message: ChatMessage) -> None:
        """An answer that stands beside others says so when it is done."""
        opened = self._chat.open
        if opened is not None and message.id in self._siblings:
            branches = {**opened.branches, **self._siblings}
            self._column.transcript.set_conversation(opened.messages, branches)

    def _on_text(self, message_id: int, text: str, reasoning: str) -> None:
        if reasoning:
            self._column.transcript.append_reasoning(message_id, reasoning)
        if text:
            self._column.transcript.append_text(message_id, text)

    def _on_finished(self, message: ChatMessage) -> None:
        opened = self._chat.open
        if opened is not None and opened.conversation.id == message.conversation_id:
            self._column.transcript.finish_message(message)
            self._show_siblings(message)
            self._show_notice()
        self._show_busy()

    def _on_send_failed(self, text: str, error: AppError) -> None:
        self._is_sending = False
        self._column.composer.put_back(text)
        self._column.send_trouble.show_error(error)
        self._show_busy()

    def _on_trouble(self, _error: AppError) -> None:
        self._is_sending = False
        self._show_busy()

    def _show_notice(self) -> None:
        """Where the model's memory begins, when the context was too small for all of it."""
        messages = self._chat.open.messages if self._chat.open else ()
        seen = first_seen(messages)
        text = self.tr("The model remembers from here on") if seen is not None else ""
        self._column.transcript.set_notice_before(seen, text)


def first_seen(messages: tuple[ChatMessage, ...]) -> int | None:
    """The first message that went into the last answer, where earlier ones had to be left out.

    `n_dropped` counts messages as they were sent: without the empty answers.
    """
    for place in range(len(messages) - 1, -1, -1):
        stats = messages[place].stats
        if stats is not None:
            sent = [m for m in messages[:place] if m.text or m.role is Role.USER]
            return sent[stats.n_dropped].id if 0 < stats.n_dropped < len(sent) else None
    return None
