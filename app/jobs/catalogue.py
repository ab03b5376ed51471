"""For the Models page: what there is, and what of it this computer can run.

The catalogue and what is installed are assessed on one thread, model by model, so that the list is
there at once and its badges follow. What a hub is asked runs on threads that may hang and be
forgotten. Nothing here touches a widget; nothing asks a hub before the user does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.core import fit
from app.core.errors import AppError, Message
from app.core.hardware import Hardware
from app.core.library import InstalledModel
from app.core.recommend import SpeedRecord
from app.hub.errors import OfflineError
from app.hub.repo import RepoSummary
from app.jobs import assessing, remote
from app.jobs.assessing import Wish
from app.jobs.latest import Latest, Ticket
from app.jobs.subjects import Assessed, Origin, Subject, of_catalogue, of_installed, with_installed
from app.jobs.tasks import TaskThread

if TYPE_CHECKING:
    from app.hub.client import Hub
    from app.hub.pull import Request

_TYPING_MS = 300
_BATCH_S = 0.1  # the list repaints for each batch
_REST_S = 0.002  # after each model: the window's thread wants the interpreter too


@dataclass(frozen=True, slots=True)
class Query:
    """`sort`: "downloads", "likes" or "recent"."""

    text: str = ""
    author: str = ""
    gguf_only: bool = True
    sort: str = "downloads"


@dataclass(frozen=True, slots=True)
class Search:
    """How the search stands. `error`: why there are no results."""

    query: Query
    is_running: bool = False
    results: tuple[RepoSummary, ...] = ()
    error: AppError | None = None


class CatalogueJob(QObject):
    """`examine` looks at this computer, and says whether a second look would show more; it runs on
    the job's thread. `make_hub` gives the hub to ask."""

    subjects_changed = Signal()
    assessed = Signal(object)  # tuple[str, ...]: keys whose Assessed is new
    search_changed = Signal(object)  # Search
    subject_failed = Signal(str, object)  # key, AppError
    online_changed = Signal(bool)

    _batch = Signal(object)

    def __init__(
        self,
        examine: Callable[[], tuple[Hardware, bool]],
        make_hub: Callable[[], Hub] | None = None,
        measured: Callable[[], Sequence[SpeedRecord]] = tuple,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._examine, self._make_hub, self._measured = examine, make_hub or _hub, measured
        self._thread = TaskThread("catalogue", self)
        self._searching = Latest("hub-search", self)
        self._looking = Latest("hub-repo", self)
        self._reading = Latest("hub-card", self)
        self._fetching = Latest("hub-original", self)
        self._generation = 0
        self._installed: tuple[InstalledModel, ...] = ()
        self._query = Query()
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self._search)
        self._batch.connect(self._on_batch, Qt.ConnectionType.QueuedConnection)
        self._is_closed = False
        self.wish = Wish()
        self.hardware: Hardware | None = None
        self.is_online = True  # until something went wrong
        self.search = Search(self._query)
        self.subjects: dict[str, Subject] = {}
        self.found: dict[str, Assessed] = {}

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._generation += 1
        self._typing.stop()
        self._batch.disconnect(self._on_batch)
        for asking in (self._searching, self._looking, self._reading, self._fetching):
            asking.close()
        self._thread.close()

    # --- the catalogue, and what is here ------------------------------------------------------

    def begin(self) -> None:
        """Read the catalogue and look at this computer."""
        self._thread.submit(_read_catalogue, self._on_catalogue)
        self.look_again()

    def look_again(self) -> None:
        """What is free changes; assess again with what is free now."""
        self._thread.submit(self._examine, self._on_hardware)

    def set_wish(self, wish: Wish) -> None:
        if wish != self.wish:
            self.wish = wish
            self._assess()

    def set_installed(self, models: tuple[InstalledModel, ...]) -> None:
        self._installed = models
        self._thread.submit(lambda: _read_installed(models), self._on_installed)

    def of(self, origin: Origin) -> tuple[Subject, ...]:
        """The subjects of one kind, in the order they came."""
        return tuple(each for each in self.subjects.values() if each.origin is origin)

    def _on_catalogue(self, subjects: tuple[Subject, ...]) -> None:
        kept = {key: s for key, s in self.subjects.items() if s.origin is not Origin.CATALOGUE}
        self.subjects = {s.key: with_installed(s, self._installed) for s in subjects} | kept
        self.subjects_changed.emit()
        self._assess()

    def _on_installed(self, here: tuple[Subject, ...]) -> None:
        others = {key: s for key, s in self.subjects.items() if s.origin is not Origin.HERE}
        marked = {key: with_installed(s, self._installed) for key, s in others.items()}
        self.subjects = marked | {s.key: s for s in here}
        self.subjects_changed.emit()
        self._assess(tuple(s.key for s in here))

    def _on_hardware(self, found: tuple[Hardware, bool]) -> None:
        hardware, has_more = found
        if hardware != self.hardware:
            self.hardware = hardware
            self._assess()
        if has_more:
            self.look_again()

    # --- assessing ----------------------------------------------------------------------------

    def _assess(self, keys: tuple[str, ...] = ()) -> None:
        """All of them, or those with `keys`; what was under way for another wish is dropped."""
        hardware, wish = self.hardware, self.wish
        if hardware is None:
            return
        if not keys:
            self._generation += 1
        generation = self._generation
        subjects = [self.subjects[key] for key in keys or tuple(self.subjects)]
        self._thread.submit(lambda: self._work(generation, subjects, wish, hardware))

    def _work(
        self, generation: int, subjects: list[Subject], wish: Wish, hardware: Hardware
    ) -> None:
        measured, batch = self._measured(), []
        began = time.monotonic()
        for subject in subjects:
            if generation != self._generation:
                return
            batch.append(assessing.assess(subject, wish, hardware, measured))
            time.sleep(_REST_S)
            if time.monotonic() - began > _BATCH_S:
                self._batch.emit((generation, tuple(batch)))
                batch, began = [], time.monotonic()
        self._batch.emit((generation, tuple(batch)))

    @Slot(object)
    def _on_batch(self, numbered: tuple[int, tuple[Assessed, ...]]) -> None:
        generation, batch = numbered
        if generation != self._generation:
            return
        self.found.update({each.key: each for each in batch})
        self.assessed.emit(tuple(each.key for each in batch))

    # --- the hub ------------------------------------------------------------------------------

    def ask(self, query: Query, *, at_once: bool = False) -> None:
        """Search for `query`, when the typing pauses or `at_once`."""
        self._query = query
        self._searching.cancel()
        self._show_search(Search(query, is_running=True, results=self.search.results))
        self._search() if at_once else self._typing.start()

    def cancel_search(self) -> None:
        self._typing.stop()
        self._searching.cancel()
        self._show_search(replace(self.search, is_running=False))

    def _search(self) -> None:
        self._typing.stop()
        query = self._query
        self._searching.run(
            lambda ticket: self._find(ticket, query),
            lambda results: self._on_found(query, results),
            lambda error: self._on_search_failed(query, error),
        )

    def _find(self, ticket: Ticket, query: Query) -> tuple[RepoSummary, ...]:
        hub = self._make_hub()
        ticket.check()
        return hub.search(query.text, query.author, query.gguf_only, query.sort)  # type: ignore[arg-type]

    def _on_found(self, query: Query, results: tuple[RepoSummary, ...]) -> None:
        self._set_online(True)
        self._show_search(Search(query, results=results))

    def _on_search_failed(self, query: Query, error: AppError) -> None:
        self._note(error)
        self._show_search(Search(query, error=error))

    def _show_search(self, search: Search) -> None:
        self.search = search
        self.search_changed.emit(search)

    def open_repo(self, key: str, repo_id: str) -> None:
        """Read a repository; `subjects_changed` as more is known of it."""
        self._looking.run(
            lambda ticket: remote.read_repo(
                self._make_hub(), repo_id, lambda subject: ticket.tell(self._take, subject)
            ),
            self._take,
            lambda error: self._on_subject_failed(key, error),
        )

    def read_offer(self, key: str, number: int) -> None:
        """Read one variant's own header, so that its figures are no longer reckoned."""
        subject = self.subjects[key]
        self._looking.run(
            lambda _ticket: remote.read_offer(self._make_hub(), subject, number),
            self._take,
            self._note,
        )

    def cancel_look(self) -> None:
        self._looking.cancel()

    def read_card(
        self,
        subject: Subject,
        on_done: Callable[[str], None],
        on_failed: Callable[[AppError], None],
    ) -> None:
        """The card of a model, made safe."""
        self._reading.run(
            lambda _ticket: remote.read_card(self._make_hub(), subject), on_done, on_failed
        )

    def prepare(
        self,
        subject: Subject,
        number: int,
        on_done: Callable[[Request], None],
        on_failed: Callable[[AppError], None],
    ) -> None:
        """What has to be downloaded for that offer; fails where a token is wanted and missing."""
        offer = subject.offers[number]

        def work(_ticket: Ticket) -> Request:
            if subject.is_gated and subject.origin is Origin.HUB:
                remote.check_access(subject.gguf_repo)
            return remote.request_for(subject, offer)

        self._fetching.run(work, on_done, on_failed)

    def find_original(
        self,
        subject: Subject,
        on_done: Callable[[Request], None],
        on_failed: Callable[[AppError], None],
    ) -> None:
        """What has to be downloaded to quantize it here."""

        def failed(error: AppError) -> None:
            self._note(error)
            on_failed(error)

        self._fetching.run(
            lambda _ticket: remote.original_request(self._make_hub(), subject), on_done, failed
        )

    def save_token(
        self, token: str, on_done: Callable[[object], None], on_failed: Callable[[AppError], None]
    ) -> None:
        """Keep the user's token where the system keeps secrets. Does not go over the network."""
        self._fetching.run(lambda _ticket: remote.save_token(token), on_done, on_failed)

    def advise(self, key: str, number: int, listen: Callable[[tuple[Message, ...]], None]) -> None:
        """What would make that offer fit."""
        found, hardware = self.found.get(key), self.hardware
        assessment = found.assessments[number] if found else None
        if assessment is None or hardware is None:
            return
        shape, use = assessment.candidate.shape, assessment.use
        self._thread.submit(lambda: fit.advice(shape, use, hardware), listen)

    def _take(self, subject: Subject) -> None:
        self._set_online(True)
        known = self.found.get(subject.key)
        if known is not None and len(known.assessments) != len(subject.offers):
            del self.found[subject.key]
        self.subjects[subject.key] = with_installed(subject, self._installed)
        self.subjects_changed.emit()
        self._assess((subject.key,))

    def _on_subject_failed(self, key: str, error: AppError) -> None:
        self._note(error)
        self.subject_failed.emit(key, error)

    def _note(self, error: AppError) -> None:
        if isinstance(error, OfflineError):
            self._set_online(False)

    def _set_online(self, online: bool) -> None:
        if online != self.is_online:
            self.is_online = online
            self.online_changed.emit(online)


def _hub() -> Hub:
    from app.hub.client import Hub  # not before the user asks for something out there

    return Hub()


def _read_catalogue() -> tuple[Subject, ...]:
    from app.core.catalog import load_catalog
    from app.core.recommend import candidates_of

    return tuple(
        of_catalogue(model, [(c.key, c.shape) for c in candidates_of(model)])
        for model in load_catalog()
    )


def _read_installed(models: tuple[InstalledModel, ...]) -> tuple[Subject, ...]:
    return tuple(assessing.with_local_shapes(subject) for subject in of_installed(models))
