"""Collects Python's cyclic garbage, on the UI thread and nowhere else.

Python does that on whatever thread happens to make an object. A dead widget in a cycle would then
be destroyed on a worker's thread, under a lock of Qt's that the UI thread may be waiting for while
it holds the interpreter: the window stands still for ever. It happened.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_PAUSE_MS = 1000


class Garbage(QObject):
    """From now on nobody else collects. What exists already is taken to stay."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """What is due by Python's own thresholds."""
        generation = due(gc.get_count(), gc.get_threshold())
        if generation is not None:
            gc.collect(generation)


def due(counts: tuple[int, int, int], thresholds: tuple[int, int, int]) -> int | None:
    """The oldest generation whose turn it is, None for none."""
    if counts[0] <= thresholds[0]:
        return None
    return max(n for n in range(3) if all(counts[k] > thresholds[k] for k in range(n + 1)))
