"""Looks at this computer on the task thread: memory at each load of a model, all of it once."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app import paths
from app.core import hardware
from app.core.hardware import Hardware
from app.engine.client import probe_devices
from app.jobs.engine import EngineJob, EngineState, Phase
from app.jobs.tasks import TaskThread


class HardwareLook(QObject):
    """`free_found` comes with each load; `measured` and what the probe finds, after `look`."""

    free_found = Signal(object)  # bytes of memory that were free when the load began
    measured = Signal(object)  # Hardware
    probed = Signal(object)  # tuple[Device, ...]
    probe_failed = Signal(object)  # AppError

    def __init__(self, engine: EngineJob, tasks: TaskThread, parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._tasks = engine, tasks
        self._wants_probe = False
        self._load: object = None
        engine.state_changed.connect(self._on_state)
        self._on_state(engine.state)

    def look(self) -> None:
        """Find out what there is. The probe waits for the model to load: both need the cores."""
        self._tasks.submit(_measure, self.measured.emit)
        self._wants_probe = True
        self._on_state(self._engine.state)

    def _on_state(self, state: EngineState) -> None:
        if state.phase is Phase.LOADING and state.load is not self._load:
            self._load = state.load
            self._tasks.submit(_free_bytes, self.free_found.emit)
        elif self._wants_probe and state.phase is not Phase.LOADING and not state.is_busy:
            self._wants_probe = False
            self._tasks.submit(probe_devices, self.probed.emit, self.probe_failed.emit)


def _free_bytes() -> int:
    return _measure().ram_available_bytes


def _measure() -> Hardware:
    return hardware.measure(paths.models_dir())
