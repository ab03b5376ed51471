"""Looks after memory while a model is in it, and acts before the system kills something.

Often while the model works, seldom while it waits for a question, never without one. When memory
is about to run out, a waiting model is unloaded by itself; one that works is left to the person,
who is told once. Reading is `app.core.hardware.pressure`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.core.hardware.pressure import Pressure, Reading, judge, read
from app.jobs.engine import EngineJob, EngineState, Phase

WORKING_MS = 2_000
WAITING_MS = 30_000


class MemoryWatch(QObject):
    tight = Signal(object)  # EngineError: a working model is in danger; once until it is over
    freed = Signal(object)  # EngineError: a waiting model was unloaded
    eased = Signal()  # what `tight` said is over

    def __init__(self, engine: EngineJob, look: Callable[[], Reading] = read) -> None:
        super().__init__()
        self._engine, self._look = engine, look
        self._is_tight = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        engine.state_changed.connect(self._on_state)
        self._on_state(engine.state)

    def close(self) -> None:
        self._timer.stop()

    @Slot(object)
    def _on_state(self, state: EngineState) -> None:
        works = state.is_busy or state.phase is Phase.LOADING
        interval = WORKING_MS if works else WAITING_MS if state.phase is Phase.READY else 0
        if not interval:
            self._timer.stop()
            self._ease()
        elif not self._timer.isActive() or interval != self._timer.interval():
            self._timer.start(interval)

    def look(self) -> None:
        reading = self._look()
        pressure = judge(reading)
        if pressure is not Pressure.CRITICAL:
            if pressure is Pressure.NONE:
                self._ease()
        elif self._engine.state.phase is Phase.READY:
            self._free(reading)
        elif not self._is_tight:
            self._is_tight = True
            self.tight.emit(_tight(reading))

    def _free(self, reading: Reading) -> None:
        """The cache of its conversation is kept, so little is lost."""
        self._ease()
        self._engine.unload()
        self.freed.emit(_freed(reading))

    def _ease(self) -> None:
        if self._is_tight:
            self._is_tight = False
            self.eased.emit()


def _tight(reading: Reading) -> EngineError:
    return EngineError(
        QT_TRANSLATE_NOOP("memory", "This computer is about to run out of memory."),
        QT_TRANSLATE_NOOP(
            "memory",
            "Close some programs, free the model's memory, or choose a smaller context or model. "
            "Your conversation is safe.",
        ),
        _detail(reading),
    )


def _freed(reading: Reading) -> EngineError:
    return EngineError(
        QT_TRANSLATE_NOOP("memory", "Memory was running out, so the model was unloaded."),
        QT_TRANSLATE_NOOP("memory", "It is loaded again when you begin to write."),
        _detail(reading),
    )


def _detail(reading: Reading) -> str:
    memory = reading.memory
    return (
        f"available {memory.available_bytes} of {memory.total_bytes} bytes\n"
        f"waiting for memory: some {reading.some_percent} %, all {reading.full_percent} %"
    )
