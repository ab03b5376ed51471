"""How long a child has said nothing: the time that this computer slept does not count.

A laptop that wakes up finds heartbeats hours late on some systems' clocks, and a process that was
itself held up has not listened. Either would make a healthy child look hung. Knows no child.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
# Who watches looks every few seconds; after a longer pause it was the watcher who was away.
_LONGEST_PAUSE_S = 10.0
_JUMP_S = 1.0


def boot_clock() -> float:
    """Seconds on a clock that runs on while the computer sleeps; it may also be set by hand."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


class Silence:
    """`heard` at every sign of life, `seconds` every few seconds while one is due."""

    def __init__(self, running: Clock = time.monotonic, always: Clock = boot_clock) -> None:
        """`running` may stand still while the computer sleeps, `always` must not."""
        self._running, self._always = running, always
        self._since = self._looked = running()
        self._looked_always = always()

    def heard(self) -> None:
        self._since = self._running()

    def begin(self) -> None:
        """Something is due from now on; nobody has looked lately."""
        self.heard()
        self._note()

    def seconds(self) -> float:
        """Of silence, as far as it was listened to. Starts at 0 again after a sleep."""
        paused, slept = self._running() - self._looked, self._always() - self._looked_always
        if paused > _LONGEST_PAUSE_S or slept - paused > _JUMP_S:
            self.heard()
        self._note()
        return self._running() - self._since

    def _note(self) -> None:
        self._looked, self._looked_always = self._running(), self._always()
