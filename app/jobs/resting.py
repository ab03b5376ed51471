"""When the model's memory is given back: after so many idle minutes, or at once when asked.

The policy only; `EngineJob` unloads. Whoever begins to write wakes the model up again.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from app.core import settings as s
from app.core.settings import Settings
from app.jobs.engine import EngineJob, EngineState, Phase

_MINUTE_MS = 60_000


class Resting(QObject):
    def __init__(self, engine: EngineJob, settings: Settings) -> None:
        super().__init__()
        self._engine, self._settings = engine, settings
        self._is_wanted = False  # as soon as the engine has stopped what it does
        self.idle = QTimer(self)
        self.idle.timeout.connect(engine.unload)
        # Not from within the change of state: others have yet to hear of it.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(engine.unload)
        engine.state_changed.connect(self._on_state)

    def wake(self) -> None:
        """Someone writes: load what was unloaded, and do not unload under their hands."""
        state = self._engine.state
        if state.phase is Phase.RESTING:
            self._engine.restart()
        elif self.idle.isActive():
            self.idle.start()

    def free_now(self) -> None:
        """Unload, ending what the engine does; the answer so far stays."""
        phase = self._engine.state.phase
        self._is_wanted = self._engine.state.is_busy
        if phase is Phase.LOADING:
            self._engine.cancel_load()
        elif phase is Phase.READY:
            self._engine.unload()
        else:
            self._engine.stop()

    def set_idle_time(self, minutes: int) -> None:
        """The setting has changed, and may not be written yet."""
        if self._engine.state.phase is Phase.READY:
            self._wait(minutes)

    @Slot(object)
    def _on_state(self, state: EngineState) -> None:
        if state.phase is not Phase.READY:
            self.idle.stop()
            self._is_wanted = self._is_wanted and state.is_busy
        elif self._is_wanted:
            self._is_wanted = False
            self._soon.start(0)
        else:
            self._wait(self._settings.get(s.IDLE_UNLOAD_MIN))

    def _wait(self, minutes: int) -> None:
        if minutes:
            self.idle.start(minutes * _MINUTE_MS)
        else:
            self.idle.stop()
