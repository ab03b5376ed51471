"""Looks at this computer on the task thread: memory at each load of a model, all of it once."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from app import paths
from app.core import hardware
from app.core.hardware import Hardware
from app.engine import client
from app.jobs.engine import EngineJob, EngineState, Phase
from app.jobs.tasks import TaskThread

PAUSE_MS = 2000


class HardwareLook(QObject):
    """`free_found` comes with each load; `measured`, then `examined`, after `look`."""

    free_found = Signal(object)  # bytes of memory that were free when the load began
    measured = Signal(object)  # Hardware, as far as it is known without asking a driver
    examined = Signal(object)  # Hardware with graphics, and how fast memory is read

    def __init__(self, engine: EngineJob, tasks: TaskThread, parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._tasks = engine, tasks
        self._wants_all = False
        self._load: object = None
        engine.state_changed.connect(self._on_state)
        self._on_state(engine.state)

    def look(self) -> None:
        """Find out what there is. The drivers wait for the model to load: both need the cores."""
        self._tasks.submit(_measure, self.measured.emit)
        self._wants_all = True
        self._on_state(self._engine.state)

    def _on_state(self, state: EngineState) -> None:
        if state.phase is Phase.LOADING and state.load is not self._load:
            self._load = state.load
            self._tasks.submit(_free_bytes, self.free_found.emit)
        elif self._wants_all and state.phase is not Phase.LOADING and not state.is_busy:
            self._wants_all = False
            self._tasks.submit(_examine, self.examined.emit)


class FreeLook(QObject):
    """What is free now: asked for whenever something happens, looked up every PAUSE_MS at most."""

    found = Signal(object)  # Hardware, as far as it is known without asking a driver

    def __init__(self, tasks: TaskThread, parent: QObject) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._is_asked = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._on_pause)

    def look(self) -> None:
        if self._pause.isActive():
            self._is_asked = True
            return
        self._pause.start()
        self._tasks.submit(_measure, self.found.emit)

    def _on_pause(self) -> None:
        if self._is_asked:
            self._is_asked = False
            self.look()

    def close(self) -> None:
        self._pause.stop()


def _free_bytes() -> int:
    return _measure().ram_available_bytes


def _measure() -> Hardware:
    return hardware.measure(paths.models_dir())


def _examine() -> Hardware:
    return client.examine(paths.models_dir())
