"""What the user does with the model that is looked at: get it, quantize it, read about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from app.core.errors import AppError, Message
from app.hub.errors import AccessError
from app.jobs.catalogue import CatalogueJob
from app.jobs.downloads import Downloads
from app.jobs.downloadstate import DownloadState
from app.jobs.subjects import Origin, Subject
from app.ui import words
from app.ui.models_page.cardview import CardDialog
from app.ui.models_page.detail import Detail
from app.ui.models_page.head import source_offer
from app.ui.models_page.variantrows import Action, VariantRow

if TYPE_CHECKING:
    from app.hub.pull import Request


class Acting(QObject):
    """Follows the buttons of `detail`. `endpoint` gives the hub's address, for its pages."""

    chat_requested = Signal(object)  # Path
    quantize_requested = Signal(object)  # Path of weights that are here
    dock_requested = Signal()

    def __init__(
        self,
        job: CatalogueJob,
        downloads: Downloads,
        detail: Detail,
        endpoint: Callable[[], str],
    ) -> None:
        super().__init__(detail)
        self._job, self._downloads, self._detail = job, downloads, detail
        self._endpoint = endpoint
        self._with_token: Callable[[], object] = lambda: None
        self._told: set[tuple[int, int]] = set()  # failures that a token was asked for
        detail.acted.connect(self.act)
        detail.head.card_requested.connect(self.show_card)
        detail.head.quantize_requested.connect(self.quantize)
        detail.note.quantize_requested.connect(self.quantize)
        detail.why.take_requested.connect(self._take_recommended)
        detail.why.download_requested.connect(self._download)
        detail.gated.token_given.connect(self._save_token)
        detail.warning.make_dismissable()

    @property
    def _subject(self) -> Subject | None:
        return self._detail.subject

    def _shows(self, subject: Subject) -> bool:
        """Whether what was asked for this subject can still be said."""
        return self._subject is not None and self._subject.key == subject.key

    # --- a variant ----------------------------------------------------------------------------

    def act(self, row: VariantRow) -> None:
        """What Enter on the row does."""
        subject = self._subject
        if subject is None:
            return
        model = subject.offers[row.number].installed
        if row.action is Action.CHAT and model is not None:
            self.chat_requested.emit(model.path)
        elif row.action is Action.DOWNLOAD:
            self._download(row)
        elif row.action is Action.WATCH:
            self.dock_requested.emit()
        elif row.action is Action.WHY:
            self._explain(subject, row)

    def _explain(self, subject: Subject, row: VariantRow) -> None:
        instead = next((r.variant for r in self._detail.model.rows if r.is_recommended), "")

        def show(advice: tuple[Message, ...]) -> None:
            if self._shows(subject):
                self._detail.why.explain(row, advice, instead)

        self._job.advise(subject.key, row.number, show)

    def _take_recommended(self) -> None:
        self._detail.why.hide()
        rows = self._detail.model.rows
        number = next((n for n, row in enumerate(rows) if row.is_recommended), -1)
        if number >= 0:
            self._detail.table.choose(number)
            self._detail.table.setFocus(Qt.FocusReason.OtherFocusReason)
            self.act(rows[number])

    def _download(self, row: VariantRow) -> None:
        subject = self._subject
        if subject is None or not subject.offers[row.number].files:
            return
        self._detail.why.hide()
        self._job.prepare(
            subject,
            row.number,
            self._downloads.add,
            lambda error: self._on_refused(
                subject, subject.gguf_repo, error, lambda: self._download(row)
            ),
        )

    def follow(self, states: Sequence[DownloadState]) -> None:
        """A download that was refused for want of a token: ask for one where it is looked at."""
        subject = self._subject
        if subject is None:
            return
        for state in states:
            repo = state.request.files[0].repo if state.request.files else ""
            told = (state.id, id(state.error))
            is_new = isinstance(state.error, AccessError) and told not in self._told
            if is_new and repo in (subject.repo, subject.gguf_repo):
                self._told.add(told)
                again = partial(self._downloads.resume, state.id)
                self.ask_for_token(repo, state.error, again)

    # --- quantizing ---------------------------------------------------------------------------

    def quantize(self) -> None:
        """Take a whole file that is here to the Quantize page, or get the original weights."""
        subject = self._subject
        if subject is None:
            return
        here = source_offer(subject)
        model = subject.offers[here].installed if here is not None else None
        if subject.origin is Origin.HERE and model is not None:
            self.quantize_requested.emit(model.path)
            return
        self._detail.waiting.begin(self.tr("Looking for the original weights…"))
        self._job.find_original(
            subject,
            lambda request: self._add_original(subject, request),
            lambda error: self._on_refused(
                subject, subject.repo or subject.gguf_repo, error, self.quantize
            ),
        )

    def _add_original(self, subject: Subject, request: Request) -> None:
        self._downloads.add(request)
        if not self._shows(subject):
            return
        self._detail.waiting.finish()
        self._detail.warning.show_words(
            self.tr("The original weights are being downloaded: {size}.").format(
                size=words.size(request.size_bytes)
            ),
            self.tr("When they are here, the list of downloads leads on to the Quantize page."),
        )

    def _on_refused(
        self, subject: Subject, repo_id: str, error: AppError, again: Callable[[], object]
    ) -> None:
        if not self._shows(subject):
            return
        self._detail.waiting.finish()
        if isinstance(error, AccessError):
            self.ask_for_token(repo_id, error, again)
        else:
            self._detail.warning.show_error(error)

    # --- cards and tokens ---------------------------------------------------------------------

    def ask_for_token(self, repo_id: str, error: AppError, then: Callable[[], object]) -> None:
        """Say what the publisher wants; `then` is tried with the token."""
        self._with_token = then
        self._detail.gated.ask(repo_id, self._endpoint(), error)

    def _save_token(self, token: str) -> None:
        gated = self._detail.gated

        def saved(_place: object) -> None:
            gated.hide()
            self._with_token()

        self._job.save_token(
            token, saved, lambda error: gated.show_trouble(words.translate(error.text))
        )

    def show_card(self) -> CardDialog | None:
        """Open the model's card; it may be closed before it is filled."""
        subject = self._subject
        if subject is None:
            return None
        place = subject.repo or subject.gguf_repo
        dialog = CardDialog(self._detail.window(), subject.name, place)

        def read() -> None:
            self._job.read_card(
                subject,
                lambda text: isValid(dialog) and dialog.show_card(text),
                lambda error: isValid(dialog) and dialog.show_error(error),
            )

        dialog.retried.connect(read)
        dialog.open()
        read()
        return dialog
