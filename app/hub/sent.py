"""Whether anything has left this computer since Nibble started: every request is noted here.

Knows nothing of what was sent. The window says "nothing has left this computer" only while that is
so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

_lock = threading.Lock()
_has_sent = False
_listeners: list[Callable[[], None]] = []


def note_sent() -> None:
    """A request goes out now. Called on any thread."""
    global _has_sent
    with _lock:
        is_first, _has_sent = not _has_sent, True
        listeners = tuple(_listeners) if is_first else ()
    for listener in listeners:
        listener()


def has_sent() -> bool:
    return _has_sent


def listen(listener: Callable[[], None]) -> None:
    """Call `listener` with the first request, on the thread that makes it."""
    with _lock:
        _listeners.append(listener)


def stop_listening(listener: Callable[[], None]) -> None:
    with _lock:
        if listener in _listeners:
            _listeners.remove(listener)


def forget() -> None:
    """For tests: as after a start."""
    global _has_sent
    with _lock:
        _has_sent = False
