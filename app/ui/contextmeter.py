"""How full the context is, what the message being typed will do to it, and the way to make room.

While an answer is written the figure is the engine's own. Before, it is what was measured with the
last answer and an estimate for what came since, said to be about right.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer, Signal

from app.core import seen
from app.core import settings as s
from app.jobs.chat import ChatJob
from app.jobs.engine import Phase
from app.jobs.summary import SummaryJob, SummaryState
from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.composer import Composer
from app.ui.controls import button, label, set_text
from app.ui.figures import FigureFeed
from app.ui.prefs import Prefs
from app.ui.section import Section

translate = QCoreApplication.translate
TYPING_MS = 200
NEARLY = 0.85  # of the room: from here on it is said what will happen


@dataclass(frozen=True, slots=True)
class ContextUse:
    """`n_used` of `n_ctx` tokens, None where nobody knows; `is_about`: some are estimated.

    `warning`: what will happen, "" while there is room. `can_summarise`: there is an older part.
    """

    n_used: int | None = None
    n_ctx: int = 0
    is_about: bool = False
    warning: str = ""
    can_summarise: bool = False


class ContextSection(Section):
    """How much of what the model can see at once is in use."""

    summarise_requested = Signal()

    def __init__(self) -> None:
        super().__init__(translate("ContextSection", "Context"))
        self._words = label("…", "small", "secondary")
        self.set_right(self._words)
        self.bar = SegmentBar(self.tr("Context in use"))
        self.warning = label("", "small", "tight", wrap=True)
        self.summarise_button = button(self.tr("Summarise the older part"), "link")
        self.summarise_button.setToolTip(
            self.tr("The model writes a summary and reads it in place of the older messages")
        )
        self.summarise_button.clicked.connect(self.summarise_requested)
        self.column.addWidget(self.bar)
        self.column.addWidget(self.warning)
        self.column.addWidget(self.summarise_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.show_use(ContextUse())

    def show_use(self, use: ContextUse) -> None:
        set_text(self.warning, use.warning)
        self.warning.setVisible(bool(use.warning))
        self.summarise_button.setVisible(use.can_summarise)
        if use.n_used is None:
            set_text(self._words, "…")
            self.bar.show_segments([], 1, self.tr("Not known yet"))
            return
        text = self.tr("{used} of {n_ctx} tokens")
        if use.is_about:
            text = self.tr("about {used} of {n_ctx} tokens")
        text = text.format(used=words.count(use.n_used), n_ctx=words.count(use.n_ctx))
        set_text(self._words, text)
        token = "tight" if use.warning else "memoryModel"
        self.bar.show_segments([(min(use.n_used, use.n_ctx), token)], use.n_ctx, text)


class ContextMeter(QObject):
    """Keeps the section of the inspector and the composer's warning in line with what is known."""

    def __init__(
        self,
        chat: ChatJob,
        job: SummaryJob,
        prefs: Prefs,
        feed: FigureFeed,
        section: ContextSection,
        composer: Composer,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._chat, self._job, self._prefs = chat, job, prefs
        self._section, self._composer = section, composer
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TYPING_MS)
        self._timer.timeout.connect(self.show)
        self._is_working = False
        feed.changed.connect(self.show)
        chat.summary_changed.connect(self.show)
        job.changed.connect(self._on_work)
        prefs.changed.connect(self._on_setting)
        composer.editor.textChanged.connect(self._timer.start)

    def show(self, _happening: object = None) -> None:
        use = self.use()
        self._section.show_use(use)
        self._composer.show_room(use.warning if self._is_typed else "")

    @property
    def _is_typed(self) -> bool:
        return not self._composer.editor.document().isEmpty()

    def use(self) -> ContextUse:
        state = self._chat.engine.state
        if state.loaded is None:
            return ContextUse()
        n_ctx, can_summarise = state.loaded.n_ctx, self._can_summarise()
        if state.phase is Phase.WRITING and self._chat.is_answering:
            return ContextUse(state.n_past, n_ctx)
        ahead = self._expected(n_ctx)
        if not ahead.n_tokens:
            return ContextUse(0, n_ctx)
        is_about = not ahead.is_measured
        warning = self._warning(ahead)
        return ContextUse(ahead.n_tokens, n_ctx, is_about, warning, can_summarise)

    def _can_summarise(self) -> bool:
        is_busy = self._job.is_running or self._chat.is_answering or self._chat.read_only
        return not is_busy and bool(self._job.older_part)

    def _expected(self, n_ctx: int) -> seen.Expected:
        opened = self._chat.open
        n_typed = self._composer.editor.document().characterCount() - 1 if self._is_typed else 0
        if opened is None and not n_typed:
            return seen.Expected(0, n_ctx, is_measured=True)
        return seen.expected(
            opened.messages if opened else (),
            self._chat.system_prompt,
            opened.summary if opened else None,
            n_ctx,
            self._prefs.get(s.MAX_TOKENS),
            n_typed,
        )

    def _warning(self, ahead: seen.Expected) -> str:
        stops = self._prefs.get(s.OVERFLOW) == "stop"
        if ahead.question_tokens > ahead.room:
            return self.tr(
                "This is longer than the context: it has room for about {n} tokens."
            ).format(n=words.count(ahead.room))
        if ahead.n_tokens > ahead.room:
            if stops:
                return self.tr("The context is full: the next message will not fit.")
            return self.tr("The context is full: the oldest turns will be left out.")
        if ahead.n_tokens > NEARLY * ahead.room:
            if stops:
                return self.tr("The context is nearly full. Then the conversation stops.")
            return self.tr("The context is nearly full. Then the oldest turns are left out.")
        return ""

    def _on_work(self, state: SummaryState) -> None:
        if state.is_running != self._is_working:
            self._is_working = state.is_running
            self.show()

    def _on_setting(self, key: str) -> None:
        if key in (s.OVERFLOW.key, s.MAX_TOKENS.key):
            self.show()
