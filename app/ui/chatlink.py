"""Between the open conversation of the ChatJob and the column that shows it."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.core.chat import ChatMessage, OpenConversation, Role
from app.core.errors import AppError
from app.jobs.chat import ChatJob
from app.jobs.summary import SummaryJob, SummaryState
from app.ui.chatcolumn import ChatColumn, View
from app.ui.questions import ask_to_open


class ChatLink(QObject):
    """Sends, shows what comes, and knows whether an answer is on its way."""

    def __init__(
        self, chat: ChatJob, summary: SummaryJob, column: ChatColumn, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._chat, self._summary, self._column = chat, summary, column
        self._siblings: dict[int, tuple[int, ...]] = {}  # learned since the conversation was opened
        self._is_sending = False  # from Enter until the answer has a row, or there is trouble
        chat.conversation_opened.connect(self._on_opened)
        chat.message_added.connect(self._on_added)
        chat.siblings_changed.connect(self._on_siblings)
        chat.text_received.connect(self._on_text)
        chat.answer_begun_anew.connect(column.transcript.begin_anew)
        chat.answer_finished.connect(self._on_finished)
        chat.send_failed.connect(self._on_send_failed)
        chat.trouble.connect(self._on_trouble)
        summary.changed.connect(self._on_summary)
        transcript = column.transcript
        transcript.regenerate_requested.connect(self._regenerate)
        transcript.retry_requested.connect(self._regenerate)
        transcript.go_on_requested.connect(self._go_on)
        transcript.branch_requested.connect(self._show_branch)
        transcript.link_activated.connect(lambda address: ask_to_open(column, address))

    @property
    def is_busy(self) -> bool:
        return self._is_sending or self._chat.is_answering or self._summary.is_running

    def stop(self) -> None:
        """End the answer, or the summary, that is being written."""
        if self._summary.is_running:
            self._summary.cancel()
        else:
            self._chat.stop()

    def send(self, text: str) -> None:
        if not self.is_busy and not self._chat.read_only:
            self._is_sending = True
            self._column.send_trouble.hide()
            self._show_busy()
            self._chat.send(text)

    def _regenerate(self, message_id: int) -> None:
        if not self.is_busy and not self._chat.read_only:
            self._chat.regenerate(message_id)

    def _go_on(self, message_id: int) -> None:
        if not self.is_busy and not self._chat.read_only:
            self._chat.go_on(message_id)
            self._show_busy()

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
        self._show_busy()

    def _on_send_failed(self, text: str, error: AppError) -> None:
        self._is_sending = False
        self._column.composer.put_back(text)
        self._column.send_trouble.show_error(error)
        self._show_busy()

    def _on_trouble(self, _error: AppError) -> None:
        self._is_sending = False
        self._show_busy()

    def _on_summary(self, _state: SummaryState) -> None:
        self._show_busy()
