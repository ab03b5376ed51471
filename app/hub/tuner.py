"""How many connections help. Knows numbers only."""

from __future__ import annotations

_FAST = 150e6  # bytes per second; one connection that brings this is held back by nothing
_SETTLE_S = 0.15  # new connections have to be made first
_TRIAL_S = 0.4
_WORTH = 1.15
_AGAIN_S = 30.0


class Tuner:
    """Doubles the connections while that makes it faster, and goes one step back where not."""

    def __init__(self, most: int, now: float) -> None:
        self._most = most
        self._n = 1
        self._before = 0.0  # the rate with half as many
        self._settled_at: float | None = None if most > 1 else now
        self._bytes, self._since = 0, now

    def wanted(self, received_bytes: int, now: float) -> int:
        """To be asked several times a second, with all that was received so far."""
        if self._settled_at is not None:
            if self._most == 1 or now - self._settled_at < _AGAIN_S:
                return self._n
            self._settled_at, self._before = None, 0.0
            self._restart(received_bytes, now - _SETTLE_S)
        elif now < self._since:
            self._bytes = received_bytes
        elif now - self._since >= _TRIAL_S:
            self._judge((received_bytes - self._bytes) / (now - self._since), now)
            self._restart(received_bytes, now)
        return self._n

    def calm(self, now: float) -> None:
        """The server complained of too much: half as many, for a while."""
        self._n = max(1, self._n // 2)
        self._settled_at = now

    def _restart(self, received_bytes: int, now: float) -> None:
        self._bytes, self._since = received_bytes, now + _SETTLE_S

    def _judge(self, rate: float, now: float) -> None:
        if rate <= 0:
            return  # nothing comes at all: that says nothing
        if self._before and rate < self._before * _WORTH:
            self._n = max(1, self._n // 2)
            self._settled_at = now
        elif rate >= _FAST or self._n >= self._most:
            self._settled_at = now
        else:
            self._before = rate
            self._n = min(self._most, self._n * 2)
