"""Reads model files again in quiet times: changed ones, and those that look like duplicates.

Hashing 40 GB takes minutes of a disk and a core, and nobody waits for it. So it begins when the
engine has been idle for a while, waits whenever the engine works, at the lowest priority, and is
dropped when the window closes; the next start takes it up again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.core.errors import AppError
from app.jobs.engine import EngineJob, EngineState, Phase
from quantize.control import Control
from quantize.errors import Cancelled

if TYPE_CHECKING:
    from app.core.hashes import Known

    Rehash = Callable[[Path, Control, str], Known]

IDLE_MS = 10_000
_log = logging.getLogger(__name__)


def _rehash(path: Path, control: Control, expected: str) -> Known:
    from app.core import hashes  # not wanted before the window is there

    return hashes.rehash(path, control, expected=expected)


class LibraryCheck(QObject):
    """One file after the other on a thread of its own, which ends when all are read."""

    checked = Signal(object, object)  # Path, Known
    finished = Signal()

    _read = Signal(object)

    def __init__(
        self,
        engine: EngineJob,
        parent: QObject | None = None,
        *,
        idle_ms: int = IDLE_MS,
        rehash: Rehash = _rehash,
    ) -> None:
        super().__init__(parent)
        self._engine, self._rehash = engine, rehash
        self._asked: dict[Path, str] = {}
        self._waiting: dict[Path, str] = {}
        self._current: Path | None = None
        self._control = Control()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(idle_ms)
        self._idle.timeout.connect(self._on_idle)
        self._read.connect(self._on_read, Qt.ConnectionType.QueuedConnection)
        engine.state_changed.connect(self._on_state)

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def want(self, files: Mapping[Path, str]) -> None:
        """Read `files`, and nothing that was wanted before, when it is quiet.

        Each comes with the sum that it should have, or "".
        """
        self._waiting = {path: files[path] for path in files if path != self._current}
        if self._waiting and not self._is_closed:
            self._idle.start()

    def want_now(self, files: Mapping[Path, str]) -> None:
        """Read `files` first and begin as soon as the engine rests: someone asked."""
        self._asked.update(files)
        self._on_idle()

    def stop(self) -> None:
        """Let go of the file that is being read; `want` begins anew."""
        self._idle.stop()
        self._control.cancel()
        if self._thread is not None:
            self._thread.join()
            self._thread = self._current = None

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._asked.clear()
        self._waiting.clear()
        self.stop()
        self._read.disconnect(self._on_read)

    @Slot(object)
    def _on_state(self, state: EngineState) -> None:
        """The engine comes first; when it has been quiet for a while, it goes on."""
        if state.is_busy or state.phase is Phase.LOADING:
            self._control.pause()
            self._idle.stop()
        elif (self._is_wanted or self.is_running) and not self._is_closed:
            self._idle.start()

    def _on_idle(self) -> None:
        state = self._engine.state
        if self._is_closed or state.is_busy or state.phase is Phase.LOADING:
            return
        if self.is_running:
            self._control.resume()
        elif self._is_wanted:
            self._start()

    @property
    def _is_wanted(self) -> bool:
        return bool(self._asked or self._waiting)

    def _start(self) -> None:
        files = self._asked or self._waiting
        path = self._current = next(iter(files))
        expected = files.pop(path)
        control = self._control = Control()
        self._thread = threading.Thread(
            target=self._run, args=(path, expected, control), name="hashes", daemon=True
        )
        self._thread.start()

    def _run(self, path: Path, expected: str, control: Control) -> None:
        _be_last()
        try:
            known: Known | None = self._rehash(path, control, expected)
        except Cancelled:
            known = None
        except AppError as error:
            _log.info("%s", error)
            known = None
        self._read.emit((path, known, control))

    @Slot(object)
    def _on_read(self, outcome: tuple[Path, Known | None, Control]) -> None:
        path, known, control = outcome
        if control.cancelled:
            return
        self._thread = self._current = None
        if known is not None:
            self.checked.emit(path, known)
        if self._is_wanted:
            self._on_idle()
        else:
            self.finished.emit()


def _be_last() -> None:
    """This thread gets what no other wants. Linux has priorities per thread; others do without."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
