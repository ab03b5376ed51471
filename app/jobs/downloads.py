"""The downloads the user asked for: a queue, a few at a time, each on a thread of its own.

What has arrived is never lost: pausing, quitting and a dead network leave it on the disk, and the
next start finds it. Only `cancel` throws it away. How a file is fetched and verified is the hub's
business (`app.hub.pull`), which is not imported before there is something to fetch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.core.errors import AppError
from app.hub.options import TransferOptions
from app.hub.pace import SpeedLimit
from app.jobs.downloadrun import DownloadRun, Outcome, arrived_bytes, throw_away
from app.jobs.downloadstate import DownloadState, Stage
from app.jobs.tasks import TaskThread

if TYPE_CHECKING:
    from app.hub.pull import Progress, Request

PROGRESS_MS = 100
RETRY_S = (5, 10, 20, 40, 80, 120)  # without a network; the last again and again
_CLOSE_S = 5.0
_RETRIES_OF_MANY = 2
_STAGES = {
    "checking": Stage.CHECKING,
    "fetching": Stage.FETCHING,
    "verifying": Stage.VERIFYING,
    "waiting": Stage.RETRYING,
}


@dataclass(slots=True)
class _Entry:
    """`run`: its thread, which a paused download keeps."""

    state: DownloadState
    run: DownloadRun | None = None


class Downloads(QObject):
    """Signals come on the thread this object lives on, progress ten times a second at most."""

    changed = Signal(object)  # tuple[DownloadState, ...], in the order they were asked for
    finished = Signal(object, object)  # tuple[Path, ...], DownloadState

    _ended = Signal(object)

    def __init__(
        self,
        tasks: TaskThread,
        options: TransferOptions = TransferOptions(),  # noqa: B008 - frozen
        parent: QObject | None = None,
    ) -> None:
        """`options` but for the endpoints, the token and the limit, which may change meanwhile."""
        super().__init__(parent)
        self._tasks = tasks
        self._limit = SpeedLimit()
        self._options = replace(options, limit=self._limit)
        self._patience = options.retries
        self._n_at_once = 2
        self._entries: list[_Entry] = []
        self._leaving: list[DownloadRun] = []  # cancelled, but not ended yet
        self._next_id = 1
        self._n_failed_tries = 0
        self._is_closed = False
        self._shown: tuple[DownloadState, ...] = ()
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)
        self._progress = self._timer(self._publish, single=False)
        self._progress.setInterval(PROGRESS_MS)
        self._retry = self._timer(self.try_offline_again, single=True)

    def _timer(self, slot: Callable[[], None], *, single: bool) -> QTimer:
        result = QTimer(self)
        result.setSingleShot(single)
        result.timeout.connect(slot)
        return result

    @property
    def states(self) -> tuple[DownloadState, ...]:
        return tuple(entry.state for entry in self._entries)

    @property
    def n_running(self) -> int:
        return sum(entry.state.is_running for entry in self._entries)

    def find(self, download_id: int) -> DownloadState | None:
        return next((s for s in self.states if s.id == download_id), None)

    def find_request(self, request: Request) -> DownloadState | None:
        """The download that fetches the same files, if there is one."""
        same = (s for s in self.states if _key(s.request) == _key(request))
        return next(same, None)

    # --- what the user does -------------------------------------------------------------------

    def add(self, request: Request) -> int:
        """Fetch it when its turn comes; returns its id. What is already in the list goes on."""
        known = self.find_request(request)
        if known is not None and known.stage is not Stage.DONE:
            self.resume(known.id)
            return known.id
        if known is not None:
            self._remove(known.id)
        entry = self._append(request, Stage.WAITING)
        self._fill()
        return entry.state.id

    def pause(self, download_id: int) -> None:
        entry = self._entry(download_id)
        if entry is None or not entry.state.is_open:
            return
        if entry.run is not None:
            entry.run.pause()
        self._change(entry, stage=Stage.PAUSED, bytes_per_s=0.0, eta_s=None, note=None)
        self._fill()

    def resume(self, download_id: int) -> None:
        """Go on with what was paused, has failed or waits for a network."""
        entry = self._entry(download_id)
        if entry is not None and entry.state.stage in (Stage.PAUSED, Stage.OFFLINE, Stage.FAILED):
            self._change(entry, stage=Stage.WAITING, error=None)
            self._fill()

    retry = resume

    def cancel(self, download_id: int) -> None:
        """Throw away what has arrived and forget the download; a whole file stays."""
        entry = self._remove(download_id)
        if entry is None:
            return
        if entry.run is not None:
            entry.run.throw_away()
            self._leaving.append(entry.run)
        elif entry.state.stage is not Stage.DONE:
            self._tasks.submit(lambda: throw_away(entry.state.request))
        self._fill()

    def clear_done(self) -> None:
        """Those that are done leave the list; their files stay."""
        self._entries = [e for e in self._entries if e.state.stage is not Stage.DONE]
        self._publish()

    def set_n_at_once(self, n: int) -> None:
        """Those that run already go on."""
        self._n_at_once = n
        self._fill()

    def set_limit(self, bytes_per_s: float) -> None:
        """Of all together, at once; 0 for none."""
        self._limit.set(bytes_per_s)

    def set_endpoints(self, endpoints: tuple[str, ...]) -> None:
        """The hubs to ask, for downloads that begin from now on; none for the usual one.

        Where there is another to turn to, one that does not answer is left soon.
        """
        retries = self._patience if len(endpoints) < 2 else min(self._patience, _RETRIES_OF_MANY)
        self._options = replace(self._options, endpoints=endpoints, retries=retries)

    @Slot()
    def try_offline_again(self) -> None:
        """There may be a network again."""
        self._retry.stop()
        for entry in self._entries:
            if entry.state.stage is Stage.OFFLINE:
                self._change(entry, stage=Stage.WAITING, error=None)
        self._fill()

    def restore(self, folder: Path) -> None:
        """Take up, paused, what was not finished when Nibble ended last."""
        self._tasks.submit(lambda: _unfinished(folder), self._on_unfinished)

    def close(self) -> None:
        """End what runs; what has arrived stays. Returns when the threads are gone."""
        if self._is_closed:
            return
        self._is_closed = True
        self._progress.stop()
        self._retry.stop()
        self._ended.disconnect(self._on_ended)
        runs = [entry.run for entry in self._entries if entry.run is not None] + self._leaving
        for run in runs:
            run.stop()
        deadline = time.monotonic() + _CLOSE_S
        for run in runs:
            run.join(max(0.0, deadline - time.monotonic()))

    # --- the queue ----------------------------------------------------------------------------

    def _fill(self) -> None:
        """Start or go on with those whose turn it is."""
        n_free = self._n_at_once - self.n_running
        for entry in self._entries:
            if n_free <= 0:
                break
            if entry.state.stage is Stage.WAITING and not self._is_leaving(entry.state.request):
                self._go(entry)
                n_free -= 1
        if self.n_running and not self._is_closed:
            self._progress.start()
        self._publish()

    def _go(self, entry: _Entry) -> None:
        if entry.run is not None:
            entry.run.progress = None
            entry.run.resume()
        else:
            entry.run = DownloadRun(entry.state.request, self._options, self._on_run_end)
        self._change(entry, stage=Stage.CHECKING, note=None)

    def _is_leaving(self, request: Request) -> bool:
        """Whether an earlier download of the same files has not let go of them yet."""
        return any(_key(run.request) == _key(request) for run in self._leaving)

    def _append(self, request: Request, stage: Stage, done_bytes: int = 0) -> _Entry:
        state = DownloadState(self._next_id, request, stage, done_bytes, request.size_bytes)
        self._next_id += 1
        self._entries.append(_Entry(state))
        return self._entries[-1]

    def _remove(self, download_id: int) -> _Entry | None:
        entry = self._entry(download_id)
        if entry is not None:
            self._entries.remove(entry)
        return entry

    def _entry(self, download_id: int) -> _Entry | None:
        return next((e for e in self._entries if e.state.id == download_id), None)

    def _change(self, entry: _Entry, **changes: object) -> None:
        entry.state = replace(entry.state, **changes)  # type: ignore[arg-type]

    # --- what the threads say -----------------------------------------------------------------

    def _publish(self) -> None:
        """Say how far everything is, where that has changed."""
        for entry in self._entries:
            progress = entry.run.progress if entry.run is not None else None
            if entry.run is not None:
                self._take_request(entry, entry.run.request)
            if progress is not None and entry.state.is_running:
                self._take(entry, progress)
        if not self.n_running:
            self._progress.stop()
        states = self.states
        if states != self._shown:
            self._shown = states
            self.changed.emit(states)

    def _take_request(self, entry: _Entry, request: Request) -> None:
        """Its commit, and with it the exact sizes, may have been asked for."""
        if request is not entry.state.request:
            self._change(entry, request=request, total_bytes=request.size_bytes)

    def _take(self, entry: _Entry, progress: Progress) -> None:
        stage = _STAGES[progress.phase]
        if stage is Stage.FETCHING:
            self._n_failed_tries = 0
        self._change(
            entry,
            stage=stage,
            done_bytes=progress.done_bytes,
            total_bytes=progress.total_bytes or entry.state.total_bytes,
            bytes_per_s=progress.bytes_per_s,
            eta_s=progress.eta_s,
            note=progress.note if stage is Stage.RETRYING else None,
        )

    def _on_run_end(self, run: DownloadRun, outcome: Outcome) -> None:
        run.outcome = outcome
        self._ended.emit(run)

    @Slot(object)
    def _on_ended(self, run: DownloadRun) -> None:
        if run in self._leaving:
            self._leaving.remove(run)
        entry = next((e for e in self._entries if e.run is run), None)
        if entry is not None:
            entry.run = None
            self._settle(entry, run)
        self._fill()
        if isinstance(run.outcome, Exception) and not isinstance(run.outcome, AppError):
            raise run.outcome

    def _settle(self, entry: _Entry, run: DownloadRun) -> None:
        quiet: dict[str, object] = {"bytes_per_s": 0.0, "eta_s": None, "note": None}
        self._take_request(entry, run.request)
        if run.progress is not None:
            self._change(entry, done_bytes=run.progress.done_bytes)
        if isinstance(run.outcome, tuple):
            self._change(
                entry,
                stage=Stage.DONE,
                done_bytes=entry.state.total_bytes,
                paths=run.outcome,
                **quiet,
            )
            self.finished.emit(run.outcome, entry.state)
        elif isinstance(run.outcome, Exception):
            self._fail(entry, run.outcome, quiet)
        else:
            self._change(entry, stage=Stage.PAUSED, **quiet)

    def _fail(self, entry: _Entry, error: Exception, quiet: dict[str, object]) -> None:
        from app.hub.errors import OfflineError

        known = error if isinstance(error, AppError) else _bug(error)
        if isinstance(error, OfflineError):
            self._change(entry, stage=Stage.OFFLINE, error=known, **quiet)
            self._retry_later()
        else:
            self._change(entry, stage=Stage.FAILED, error=known, **quiet)

    def _retry_later(self) -> None:
        if not self._is_closed and not self._retry.isActive():
            wait_s = RETRY_S[min(self._n_failed_tries, len(RETRY_S) - 1)]
            self._n_failed_tries += 1
            self._retry.start(wait_s * 1000)

    def _on_unfinished(self, found: tuple[tuple[Request, int], ...]) -> None:
        for request, done_bytes in found:
            if self.find_request(request) is None:
                self._append(request, Stage.PAUSED, done_bytes)
        self._publish()


def _key(request: Request) -> tuple[object, ...]:
    """The same for all that would end up in the same files."""
    return (request.folder, *((file.repo, file.path) for file in request.files))


def _unfinished(folder: Path) -> tuple[tuple[Request, int], ...]:
    """What was begun, and how many bytes of it are here."""
    if not folder.is_dir():  # as most often: then nothing of the hub is imported
        return ()
    from app.hub.pull import unfinished

    return tuple((request, arrived_bytes(request)) for request in unfinished(folder))


def _bug(error: Exception) -> AppError:
    from app.core.errors import QT_TRANSLATE_NOOP

    text = QT_TRANSLATE_NOOP("downloads", "The download ended because of a mistake in Nibble.")
    hint = QT_TRANSLATE_NOOP("downloads", "What has arrived is kept. Try again.")
    return AppError(text, hint, f"{type(error).__name__}: {error}")
