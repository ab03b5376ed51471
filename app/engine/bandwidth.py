"""How fast this computer reads its memory: what the speed of an answer hangs on.

A thread for each physical core reads pieces of what no cache can hold, over and over for half a
second, with numpy's `max` over bytes: one vector load and one instruction for each 16 bytes or
more, so that the memory is waited for and not the arithmetic. The best round counts: other programs
can only make it slower. Runs in a child.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil

from app.core.hardware.platforms import this_platform
from app.core.hardware.types import Bandwidth

_SECONDS = 0.4
_MOST_THREADS = 16
_TOTAL_BYTES = 384 << 20  # four times the largest last-level cache of a desktop
_LEAST_BYTES = 16 << 20
_PIECE_BYTES = 2 << 20
_FREE_SHARE = 8  # takes an eighth of what is free at most
_QUIET = 0.8  # of the processor time that the threads could have had


def measure(seconds: float = _SECONDS) -> Bandwidth:
    """Read for about `seconds`, after filling the pieces (untouched memory is no memory yet)."""
    platform = this_platform()
    n_threads = min(platform.cpu().n_cores, _MOST_THREADS)
    room = min(_TOTAL_BYTES, platform.memory().available_bytes // _FREE_SHARE)
    n_pieces = max(_LEAST_BYTES, room) // _PIECE_BYTES
    with ThreadPoolExecutor(n_threads) as pool:
        pieces = list(pool.map(lambda i: np.full(_PIECE_BYTES, i % 251, np.uint8), range(n_pieces)))
        return _read_rounds(pool, pieces, n_threads, seconds)


def _read_rounds(
    pool: ThreadPoolExecutor, pieces: list[np.ndarray], n_threads: int, seconds: float
) -> Bandwidth:
    n_bytes = len(pieces) * _PIECE_BYTES
    start, used_before = time.perf_counter(), _processor_seconds()
    best = float("inf")
    while (now := time.perf_counter()) - start < seconds or best == float("inf"):
        left = iter(pieces)
        list(pool.map(lambda _, left=left: _read(left), range(n_threads)))
        best = min(best, time.perf_counter() - now)
    elapsed = time.perf_counter() - start
    share = (_processor_seconds() - used_before) / (elapsed * n_threads)
    return Bandwidth(round(n_bytes / best), n_threads, n_bytes, elapsed, share > _QUIET)


def _read(left: Iterator[np.ndarray]) -> None:
    """Read what no other thread has taken: cores of different speeds end at the same time."""
    for piece in left:
        np.max(piece)


def _processor_seconds() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)
