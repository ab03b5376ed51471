"""How many threads the machine has room for just now, looked at from decode to decode.

llama.cpp's threads spin while they wait for each other. Where another program holds one of the
cores, the thread that shares it comes late at every step, and all others burn their cores waiting:
one busy core of two cuts decoding to a tenth. One thread less loses a half instead. So the threads
never outnumber the cores that others leave free; they come back when those are free again.

Nothing runs here while nothing is decoded. Knows no llama.cpp.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_S = 0.25  # between two looks; a kernel counts processor time in hundredths
PAUSE_S = 1.0  # without a decode: what was busy meanwhile says little of now
_GROW_AFTER_S = 1.0  # that there must be room for, before threads come back
_GROW_AFTER_MOST_S = 16.0
_ROUND_TO_SHRINK, _ROUND_TO_GROW = 0.5, 0.65  # between them the number stays as it is


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. `busy_s`: of all processors that this process may use, `own_s`: by this process."""

    at_s: float
    busy_s: float
    own_s: float


class FreeCores:
    """The rule: `n_most` threads where the machine is free, on `n_cores` cores. At least one.

    Fewer at once when others take cores; more only after there was room for a while, which is
    twice as long each time that it turned out wrong.
    """

    def __init__(self, n_most: int, n_cores: int) -> None:
        self._n_most, self._n_cores = n_most, max(n_cores, n_most)
        self._patience_s = _GROW_AFTER_S
        self._roomy_since: float | None = None
        self._grown_at = -math.inf
        self.n_threads = n_most

    def look(self, before: Times, now: Times) -> int:
        """The number of threads from now on, after what happened between two looks."""
        others = _others(before, now)
        fewer, more = (self._room(others, up) for up in (_ROUND_TO_SHRINK, _ROUND_TO_GROW))
        if fewer < self.n_threads:
            self._shrink(fewer, now.at_s)
        elif more > self.n_threads:
            self._grow(more, now.at_s)
        else:
            self._roomy_since = None
        return self.n_threads

    def resume(self, before: Times, now: Times, *, is_crowded: bool) -> int:
        """The number to begin with after a pause, of which only the average is known: more where
        that left room, fewer where others were busy all along and still are (`is_crowded`)."""
        others = _others(before, now)
        more = self._room(others, _ROUND_TO_GROW)
        if more > self.n_threads:
            self.n_threads, self._roomy_since = more, None
        elif is_crowded:
            self._shrink(min(self.n_threads, self._room(others, _ROUND_TO_SHRINK)), now.at_s)
        return self.n_threads

    def _room(self, others: float, up: float) -> int:
        """Threads beside `others` busy cores, of which a share of `up` counts as a whole one."""
        return max(1, min(self._n_most, self._n_cores - math.floor(others + up)))

    def _shrink(self, n_threads: int, at_s: float) -> None:
        was_wrong = at_s - self._grown_at < 2 * self._patience_s
        longer_s = min(2 * self._patience_s, _GROW_AFTER_MOST_S)
        self._patience_s = longer_s if was_wrong else _GROW_AFTER_S
        self.n_threads, self._roomy_since = n_threads, None

    def _grow(self, n_threads: int, at_s: float) -> None:
        if self._roomy_since is None:
            self._roomy_since = at_s
        elif at_s - self._roomy_since >= self._patience_s:
            self.n_threads, self._roomy_since, self._grown_at = n_threads, None, at_s


def _others(before: Times, now: Times) -> float:
    """How many cores other programs held between two looks."""
    own_s = now.own_s - before.own_s
    return max(0.0, now.busy_s - before.busy_s - own_s) / max(now.at_s - before.at_s, 1e-6)


class CoreWatch:
    """Applies the rule: call `before` and `after` each decode; both say whether `n_threads` has
    changed."""

    def __init__(
        self,
        n_most: int,
        read: Callable[[], Times] | None = None,
        is_crowded: Callable[[], bool] | None = None,
    ) -> None:
        self._read = read or read_times
        self._is_crowded = is_crowded or is_anyone_running
        self._rule = FreeCores(n_most, n_usable_cores())
        self._is_held = False
        self._last: Times | None = None
        self._next_look_s = 0.0
        self._ended_s = -math.inf
        self.n_threads = n_most

    def hold(self, n_threads: int) -> None:
        """Keep this number, whatever others do: for measurements."""
        self.n_threads, self._is_held = n_threads, True

    def before(self) -> bool:
        if self._is_held or time.perf_counter() - self._ended_s <= PAUSE_S:
            return False
        now, had = self._read(), self.n_threads
        if self._last is not None:
            crowded = self._is_crowded()
            self.n_threads = self._rule.resume(self._last, now, is_crowded=crowded)
        self._remember(now)
        return self.n_threads != had

    def after(self) -> bool:
        self._ended_s = time.perf_counter()
        if self._is_held or self._last is None or self._ended_s < self._next_look_s:
            return False
        now, had = self._read(), self.n_threads
        self.n_threads = self._rule.look(self._last, now)
        self._remember(now)
        return self.n_threads != had

    def _remember(self, times: Times) -> None:
        self._last, self._next_look_s = times, times.at_s + LOOK_S


def read_times() -> Times:
    return Times(time.perf_counter(), _busy_s(), time.process_time())


def is_anyone_running() -> bool:
    """Whether another thread than this one runs or waits for a processor now; True where the
    system does not say. Linux counts those of all processors."""
    try:
        text = Path("/proc/stat").read_text("ascii", "replace")
    except OSError:
        return True
    count = text.partition("procs_running ")[2].split(None, 1)
    return not count or not count[0].isdecimal() or int(count[0]) > 1


def n_usable_cores() -> int:
    """Physical cores under the affinity, slow ones included: there others find room too."""
    allowed = _allowed()
    n_allowed = len(allowed) if allowed else os.cpu_count() or 1
    return min(psutil.cpu_count(logical=False) or n_allowed, n_allowed)


def _busy_s() -> float:
    allowed = _allowed()
    if not allowed:
        return _busy_of(psutil.cpu_times())
    each = psutil.cpu_times(percpu=True)
    return sum(_busy_of(each[cpu]) for cpu in allowed if cpu < len(each))


def _busy_of(times: object) -> float:
    """Linux counts a guest's time as its user's already; waiting for the disk is no work."""
    kinds = ("user", "nice", "system", "irq", "softirq", "interrupt", "dpc")
    if sys.platform == "win32":  # interrupts are part of "system" there
        kinds = kinds[:3]
    return float(sum(getattr(times, kind, 0.0) for kind in kinds))


def _allowed() -> frozenset[int]:
    """The processors this process is bound to; empty where it may use all."""
    if sys.platform != "linux":
        return frozenset()
    allowed = frozenset(os.sched_getaffinity(0))
    return frozenset() if len(allowed) == os.cpu_count() else allowed
