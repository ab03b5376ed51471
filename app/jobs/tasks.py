"""A function on another thread, its result back on the UI thread."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.core.errors import AppError

T = TypeVar("T")
_log = logging.getLogger(__name__)
OnDone = Callable[[Any], None]
OnFailed = Callable[[AppError], None]


class TaskThread(QObject):
    """One thread that runs functions in the order given.

    `on_done` and `on_failed` run on the thread that made this object. A bug in a function is
    logged with its traceback and raised on that thread; it does not end the task thread. One made
    with `waits` begins with `begin`.
    """

    _finished = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None, *, waits: bool = False) -> None:
        super().__init__(parent)
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        if not waits:
            self.begin()

    def begin(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()

    def submit(
        self,
        function: Callable[[], T],
        on_done: Callable[[T], None] | None = None,
        on_failed: OnFailed | None = None,
    ) -> None:
        """Run `function` after what was submitted before."""

        def task() -> None:
            try:
                result = function()
            except AppError as error:
                if on_failed is not None:
                    self._finished.emit((on_failed, error))
                else:
                    _log.error("%s", error)
            except Exception as bug:
                self._finished.emit((_raise, bug))
            else:
                if on_done is not None:
                    self._finished.emit((on_done, result))

        self._queue.put(task)

    def close(self) -> None:
        """Finish what was submitted, then end the thread. Results no longer come back."""
        self._finished.disconnect(self._deliver)
        self.begin()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            task()

    @Slot(object)
    def _deliver(self, outcome: tuple[Callable[[Any], None], Any]) -> None:
        callback, value = outcome
        callback(value)


def _raise(bug: Exception) -> None:
    raise bug
