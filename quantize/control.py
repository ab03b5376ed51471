"""How a running job is cancelled or paused from another thread."""

from __future__ import annotations

import threading

from quantize.errors import Cancelled


class Control:
    """The job's threads call `check` often: it waits while paused and raises when cancelled."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._running = threading.Event()
        self._running.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def cancel(self) -> None:
        self._cancelled.set()
        self._running.set()

    def pause(self) -> None:
        if not self.cancelled:
            self._running.clear()

    def resume(self) -> None:
        self._running.set()

    def check(self) -> None:
        """Raises Cancelled; waits while the job is paused."""
        self._running.wait()
        if self._cancelled.is_set():
            raise Cancelled
