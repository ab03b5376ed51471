"""The threads that fetch one file: as many connections as help, and one that hashes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.core.errors import Message
from app.hub.fetching import Shared, Task, fetch
from app.hub.options import MIB
from app.hub.ranges import Ended, HashFront, Segment, Segments
from app.hub.resolve import Resolved
from app.hub.tuner import Tuner

_SEGMENT = 2 * MIB  # the smallest that is asked for, but for the last
_SEGMENT_ALONE = 64 * MIB
_TICK_S = 0.05
_JOIN_S = 2.0


class Crew:
    """Fetches what `front` still lacks. `with_ranges` False: whole bodies over one connection."""

    def __init__(
        self, task: Task, resolved: Resolved, front: HashFront, with_ranges: bool = True
    ) -> None:
        self._shared = Shared(task, front, resolved, with_ranges)
        self._front = front
        self._most = task.options.n_connections if with_ranges else 1
        self._segments = Segments(front.offset, front.size)
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._wanted = 1
        self._n_working = 0

    @property
    def url(self) -> str:
        return self._shared.resolved.url

    @property
    def note(self) -> Message | None:
        """Why nothing comes at the moment; None while something does."""
        waiting = self._shared.n_waiting
        return self._shared.note if 0 < self._n_working <= waiting else None

    def run(self, on_tick: Callable[[], None]) -> None:
        """Until all of it is hashed. `on_tick` is called often, on this thread, and may raise.

        Raises HubError, Changed, NoRanges, OSError.
        """
        tuner = Tuner(self._most, time.monotonic())
        complaints = 0
        self._start("hash", self._hash)
        try:
            while not self._front.is_done and not self._shared.stop.is_set():
                self._man()
                self._front.wait_done(_TICK_S)
                on_tick()
                if self._shared.n_complaints > complaints:
                    complaints = self._shared.n_complaints
                    tuner.calm(time.monotonic())
                self._wanted = tuner.wanted(self._shared.received_bytes, time.monotonic())
        finally:
            self._end()
        if self._error is not None:
            raise self._error

    def _man(self) -> None:
        """As many connections as are wanted, unless there is nothing left to hand out."""
        while self._n_working < self._wanted and self._segments.left_bytes:
            if self._shared.stop.is_set():
                return
            with self._lock:
                self._n_working += 1
            self._start("fetch", self._work)

    def _start(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"nibble-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _end(self) -> None:
        """Stop all and wait for them; one that waits for a name server is left to itself."""
        self._shared.stop.set()
        self._front.stop()
        link = self._shared.task.link
        if not self._front.is_done:
            link.shut()
        ends = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            link.shut()
        link.reopen()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if not self._shared.stop.is_set():
                self._error = error
        self._shared.stop.set()
        self._front.stop()

    # --- on the threads ---------------------------------------------------------------------------

    def _hash(self) -> None:
        try:
            self._front.run()
        except BaseException as error:
            self._fail(error)

    def _work(self) -> None:
        n_bytes = _SEGMENT
        try:
            while (segment := self._next(n_bytes)) is not None:
                began, start = time.monotonic(), segment.start
                fetch(self._shared, segment)
                rate = (segment.end - start) / max(1e-3, time.monotonic() - began)
                n_bytes = min(max(_SEGMENT, int(rate)), self._longest())
        except Ended:
            pass
        except BaseException as error:
            self._fail(error)
        finally:
            with self._lock:
                self._n_working -= 1

    def _next(self, n_bytes: int) -> Segment | None:
        """What to fetch next; None when this thread is one too many, or all is handed out."""
        if self._shared.stop.is_set() or self._n_working > self._wanted:
            return None
        return self._segments.take(n_bytes if self._shared.with_ranges else self._front.size)

    def _longest(self) -> int:
        """A second's worth at most, and so that the window has room for what all bring."""
        if self._wanted == 1:
            return _SEGMENT_ALONE
        return max(_SEGMENT, self._shared.task.options.window_bytes // self._wanted)
