"""How fast: a limit over all connections, and the rate that an estimate of the time left needs."""

from __future__ import annotations

import math
import threading
import time


class SpeedLimit:
    """At most `bytes_per_s` over everything that shares it; 0 is no limit. It may change meanwhile.

    Uses the monotonic clock: a clock that is set does not matter.
    """

    def __init__(self, bytes_per_s: float = 0.0) -> None:
        self._rate = bytes_per_s
        self._free_at = time.monotonic()
        self._lock = threading.Lock()

    @property
    def bytes_per_s(self) -> float:
        return self._rate

    def set(self, bytes_per_s: float) -> None:
        with self._lock:
            self._rate = bytes_per_s
            self._free_at = time.monotonic()

    def spend(self, n_bytes: int) -> float:
        """Seconds that whoever received `n_bytes` now has to wait before it takes more."""
        with self._lock:
            if self._rate <= 0:
                return 0.0
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + n_bytes / self._rate
            return self._free_at - now


class SmoothRate:
    """Bytes per second, smoothed over some five seconds."""

    _TIME_S = 5.0

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self._last: tuple[float, int] | None = None
        self._known_s = 0.0

    def update(self, done_bytes: int, now: float) -> None:
        """`now`: of the monotonic clock. Fewer bytes than before count for nothing."""
        last, self._last = self._last, (now, done_bytes)
        if last is None or now <= last[0] or done_bytes < last[1]:
            return
        seconds = now - last[0]
        self._known_s += seconds
        # The first seconds weigh as a plain mean would, so that the start does not drag along.
        weight = 1 - math.exp(-seconds / min(self._TIME_S, self._known_s))
        weight = 1.0 if self._known_s == seconds else weight
        self.bytes_per_s += weight * ((done_bytes - last[1]) / seconds - self.bytes_per_s)

    def eta_s(self, left_bytes: int) -> float | None:
        """Seconds for `left_bytes`; None while nothing is known."""
        if left_bytes <= 0:
            return 0.0
        return left_bytes / self.bytes_per_s if self.bytes_per_s > 1 else None
