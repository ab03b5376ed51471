"""Between what the model sees of the open conversation and the mark in the transcript that says so.

The mark is where the last answer's figures put it; after a change of the context's size it is where
the next answer is predicted to put it. While a summary is written, its card stands at the mark.
"""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.core import seen
from app.core import settings as s
from app.core.chat import ChatMessage, OpenConversation
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState
from app.jobs.summary import SummaryJob, SummaryState, Work
from app.ui.prefs import Prefs
from app.ui.transcript.accessibility import announce
from app.ui.transcript.mark import Mark, MarkState
from app.ui.transcript.view import Transcript
from app.ui.words import count, translate


class MemoryLink(QObject):
    """Shows the mark, and hands on what its buttons ask for."""

    def __init__(
        self,
        chat: ChatJob,
        job: SummaryJob,
        prefs: Prefs,
        transcript: Transcript,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._chat, self._job, self._prefs, self._transcript = chat, job, prefs, transcript
        self._state = MarkState()
        self._state_of: tuple[int, int] = (0, 0)  # conversation and summary
        self._work = Work.NONE
        self._n_ctx = 0
        chat.conversation_opened.connect(self.show)
        chat.answer_finished.connect(self.show)
        chat.summary_changed.connect(self.show)
        chat.engine.state_changed.connect(self._on_engine)
        job.changed.connect(self._on_work)
        transcript.summarise_requested.connect(self.summarise)
        transcript.summary_cancelled.connect(job.cancel)
        transcript.summary_dismissed.connect(job.dismiss)
        transcript.summary_edited.connect(self._edit)
        transcript.summary_removed.connect(self._remove)

    def summarise(self) -> None:
        """Begin, and show where it is being written."""
        self._job.start()
        if self._job.is_running:
            self._transcript.reveal_mark()

    def show(self, _happening: object = None) -> None:
        """Bring the mark in line with what is known now."""
        opened = self._chat.open
        if opened is None or not opened.messages:
            self._transcript.set_mark(None, None)
            return
        start = self._start(opened)
        work = self._job.state
        if work.work is not Work.NONE and self._job.part:
            place = _after(opened.messages, self._job.part[-1])
            mark = self._working(work, start is not None)
            self._transcript.set_mark(place, mark)
        elif start is not None:
            self._transcript.set_mark(start.message_id, self._standing(opened, start))
        else:
            self._transcript.set_mark(None, None)

    def _start(self, opened: OpenConversation) -> seen.Start | None:
        loaded = self._chat.engine.state.loaded
        return seen.start_of_memory(
            opened.messages,
            self._chat.system_prompt,
            opened.summary,
            loaded.n_ctx if loaded else 0,
            self._prefs.get(s.MAX_TOKENS),
        )

    def _standing(self, opened: OpenConversation, start: seen.Start) -> Mark:
        """The line, the summary that is in force, and the offer to make one that reaches so far."""
        line = self.tr("The model no longer sees what is above")
        if start.is_predicted:
            line = self.tr("With this context size the model will remember from about here on")
        n_summarised = seen.n_summarised(opened.messages, opened.summary)
        is_lacking = seen.seen(opened.messages, "", opened.summary).n_dropped > 0
        offer = self.tr("Summarise the older part") if self._can_offer(is_lacking) else ""
        if not n_summarised or opened.summary is None:
            return Mark(line, offer)
        if not is_lacking and not start.is_predicted:
            line = self.tr("The model sees a summary of what is above")
        title = self.tr("Summary of {n} messages").format(n=count(n_summarised))
        return Mark(
            line,
            offer,
            title,
            self.tr("The model reads this in their place. The messages stay as they are."),
            opened.summary.text,
            can_edit=not self._chat.read_only,
            state=self._state_for(opened.conversation.id, opened.summary.id),
        )

    def _can_offer(self, is_lacking: bool) -> bool:
        return is_lacking and not self._chat.read_only and bool(self._job.older_part)

    def _state_for(self, *key: int) -> MarkState:
        if key != self._state_of:
            self._state_of, self._state = (key[0], key[1]), MarkState()
        return self._state

    def _working(self, work: SummaryState, is_marked: bool) -> Mark:
        line = self.tr("The model no longer sees what is above") if is_marked else ""
        if work.work is Work.FAILED and work.error is not None:
            hint = translate(work.error.hint) if work.error.hint else ""
            note = self.tr("The summary was not finished, and nothing was changed. {hint}")
            title = translate(work.error.text)
            return Mark(line, "", title, note.format(hint=hint).rstrip(), is_trouble=True)
        title = self.tr("Summarising {n} messages").format(n=count(work.n_messages))
        return Mark(line, "", title, self._progress(work), work.text, is_running=True)

    def _progress(self, work: SummaryState) -> str:
        if work.work is Work.SAVING:
            return self.tr("Saving it")
        if work.work is Work.WAITING or not work.n_steps:
            return self.tr("Waiting for the model")
        if work.joins:
            return self.tr("Putting the parts together")
        if work.n_steps > 1:
            text = self.tr("Part {n} of {total}: it is too long to be read at once")
            return text.format(n=count(work.n), total=count(work.n_steps))
        return self.tr("Reading them") if not work.text else self.tr("Writing")

    # --- what happens -------------------------------------------------------------------------

    def _on_work(self, state: SummaryState) -> None:
        before, self._work = self._work, state.work
        if before is not state.work:
            self._announce(before, state)
        self.show()

    def _announce(self, before: Work, state: SummaryState) -> None:
        if state.work is Work.FAILED and state.error is not None:
            announce(self._transcript, translate(state.error.text))
        elif state.work is Work.NONE and before is Work.SAVING:
            announce(self._transcript, self.tr("Summary finished"))

    def _on_engine(self, state: EngineState) -> None:
        """Loaded with another context: the mark moves."""
        n_ctx = state.loaded.n_ctx if state.loaded else self._n_ctx
        if n_ctx != self._n_ctx:
            self._n_ctx = n_ctx
            self.show()

    def _edit(self, text: str) -> None:
        opened = self._chat.open
        if opened is not None and opened.summary is not None:
            self._chat.edit_summary(opened.summary, text)

    def _remove(self) -> None:
        opened = self._chat.open
        if opened is not None and opened.summary is not None:
            self._chat.remove_summary(opened.summary)


def _after(messages: tuple[ChatMessage, ...], last: ChatMessage) -> int | None:
    """The message that follows `last`."""
    places = [message.id for message in messages]
    if last.id not in places or last.id == places[-1]:
        return None
    return places[places.index(last.id) + 1]
