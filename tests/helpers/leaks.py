"""What a test must not leave running: child processes, threads, QThreads.

Each function is given what was there before and returns the rest, after a short grace.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar

import psutil

if TYPE_CHECKING:
    from PySide6.QtCore import QThread

T = TypeVar("T")
GRACE_S = 2.0
# Python's own helper of multiprocessing lives until the interpreter ends.
_MEANT_TO_STAY = "multiprocessing.resource_tracker"


def running_children() -> list[psutil.Process]:
    """All descendants that still run; one that ended but was not waited for does not count."""
    return [child for child in psutil.Process().children(recursive=True) if _counts(child)]


def _counts(child: psutil.Process) -> bool:
    try:
        if child.status() == psutil.STATUS_ZOMBIE:
            return False
        return not any(_MEANT_TO_STAY in part for part in child.cmdline())
    except psutil.NoSuchProcess:
        return False


def leaked_children(
    before: Collection[psutil.Process], grace_s: float | None = None
) -> list[psutil.Process]:
    """Children that were started since `before` and are still there."""
    return _wait_until_empty(lambda: [c for c in running_children() if c not in before], grace_s)


def leaked_threads(
    before: Collection[threading.Thread], grace_s: float | None = None
) -> list[threading.Thread]:
    """Threads since `before` that would keep the interpreter from ending."""

    def find() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t not in before and not t.daemon]

    return _wait_until_empty(find, grace_s)


def leaked_qthreads(started: Collection[QThread], grace_s: float | None = None) -> list[QThread]:
    """Those of `started` that still run; one that Qt has deleted does not."""
    return _wait_until_empty(lambda: [t for t in started if _is_running(t)], grace_s)


def _is_running(thread: QThread) -> bool:
    try:
        return thread.isRunning()
    except RuntimeError:  # the C++ object is gone
        return False


def _wait_until_empty(find: Callable[[], list[T]], grace_s: float | None) -> list[T]:
    deadline = time.monotonic() + (GRACE_S if grace_s is None else grace_s)
    while (found := find()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
