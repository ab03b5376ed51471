"""One quantize child at a time for the window: heard on the UI thread, never awaited there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.jobs.tasks import TaskThread
from app.quantizer import Died, QuantizerClient
from quantize.job import AnyEvent, Cancelled, Failed, Finished, Job

_WATCH_MS = 2000
_CANCEL_GRACE_S = 3.0
_LAST = (Finished, Cancelled, Failed, Died)


class Client(Protocol):
    """What is used of `QuantizerClient`; tests put a scripted one in its place."""

    def cancel(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def end_if_silent(self) -> None: ...
    def close(self) -> None: ...


ClientFactory = Callable[[Job, Callable[[AnyEvent | Died], None]], Client]


class QuantizeLink(QObject):
    """Starts a job, passes on what it says, and takes the child away on `tasks`."""

    said = Signal(object)  # AnyEvent | Died

    _event = Signal(object)

    def __init__(
        self,
        tasks: TaskThread,
        make_client: ClientFactory = QuantizerClient,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._make_client = make_client
        self._client: Client | None = None
        self._ended = threading.Event()
        self._generation = 0
        self._event.connect(self._on_event, Qt.ConnectionType.QueuedConnection)
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self._on_watch)

    @property
    def is_busy(self) -> bool:
        return self._client is not None

    def start(self, job: Job) -> None:
        """Begin `job`; whatever ran before is ended unheard."""
        self.drop()
        self._generation += 1
        generation, ended = self._generation, threading.Event()
        self._ended = ended

        def on_event(event: AnyEvent | Died) -> None:
            if isinstance(event, _LAST):
                ended.set()
            self._event.emit((generation, event))

        self._client = self._make_client(job, on_event)
        self._watch.start()

    def drop(self) -> None:
        """End the running job, if any; nothing more is heard of it."""
        client, self._client = self._client, None
        ended = self._ended
        if client is not None:
            self._generation += 1
            self._watch.stop()
            self._tasks.submit(lambda: _end(client, ended))

    def cancel(self) -> None:
        """Ask the job to end; Cancelled comes when nothing is left of it."""
        if self._client is not None:
            self._client.cancel()

    def set_paused(self, paused: bool) -> None:
        if self._client is not None:
            self._client.pause() if paused else self._client.resume()

    def close(self) -> None:
        """End what runs; the child is gone when `tasks` has been closed after this."""
        self.drop()
        self._event.disconnect(self._on_event)

    @Slot()
    def _on_watch(self) -> None:
        if self._client is not None:
            self._client.end_if_silent()

    @Slot(object)
    def _on_event(self, numbered: tuple[int, AnyEvent | Died]) -> None:
        generation, event = numbered
        if generation != self._generation:
            return
        if isinstance(event, _LAST):
            self.drop()
        self.said.emit(event)


def _end(client: Client, ended: threading.Event) -> None:
    """Let the child tidy up, then take it away."""
    if not ended.is_set():
        client.cancel()
        ended.wait(_CANCEL_GRACE_S)
    client.close()
