"""Benchmarks of the loaded model: run when nothing is being answered, kept by model and computer.

A question always goes first: it stops a benchmark, of which then nothing is kept. The child
measures; headers and the computer are looked at on the task thread. What knows headers is imported
when a benchmark begins: the window starts with this module.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app import paths
from app.core import hardware
from app.core.benchmarks import BenchRecord, machine_of
from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError
from app.core.hardware import Hardware
from app.core.store import Store
from app.engine import client
from app.engine.protocol import Bench, BenchDone, BenchProgress, Loaded
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase
from app.jobs.tasks import TaskThread

if TYPE_CHECKING:
    from app.core.fit import ModelShape

REPETITIONS = 3

_CAME_FIRST = QT_TRANSLATE_NOOP("benchmark", "Your question went first, so the benchmark stopped.")
_ENDED = QT_TRANSLATE_NOOP("benchmark", "The model is gone, so the benchmark stopped.")


@dataclass(frozen=True, slots=True)
class BenchmarkState:
    """`loaded`: the model that can be measured now, or is. `records`: all of this computer, the
    newest first; None until they have been read. `progress` None: the computer is looked at."""

    loaded: Loaded | None = None
    is_running: bool = False
    progress: BenchProgress | None = None
    records: tuple[BenchRecord, ...] | None = None
    error: AppError | None = None


class Benchmarks(QObject):
    """Follows the engine of `chat`. `changed` comes with a BenchmarkState."""

    changed = Signal(object)

    def __init__(self, chat: ChatJob, tasks: TaskThread, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chat, self._tasks, self._engine = chat, tasks, chat.engine
        self.state = BenchmarkState()
        self._run: _Run | None = None
        self._is_reading = False
        self._engine.bench_told.connect(self._on_told)
        self._engine.state_changed.connect(self._on_engine)
        self._on_engine(self._engine.state)

    # --- what the user does -------------------------------------------------------------------

    @property
    def can_start(self) -> bool:
        is_ready = self._engine.state.phase is Phase.READY
        return is_ready and self._run is None and not self._chat.is_answering

    def start(self) -> None:
        """Measure the loaded model, if it has nothing else to do."""
        loaded = self._engine.state.loaded
        if not self.can_start or loaded is None:
            return
        run = self._run = _Run(loaded)
        self._set(loaded=loaded, is_running=True, progress=None, error=None)
        path = Path(loaded.path)
        self._tasks.submit(
            lambda: _look(path),
            lambda found: self._begin(run, *found),
            lambda error: self._end(run, error),
        )

    def cancel(self) -> None:
        """End it; nothing is kept of it."""
        self._stop(None)

    # --- running ------------------------------------------------------------------------------

    def _begin(self, run: _Run, shape: ModelShape, computer: Hardware) -> None:
        if run is not self._run:
            return
        from app.engine.benched import usual_bench

        run.shape, run.computer = shape, computer
        run.asked = usual_bench(run.loaded.n_ctx, REPETITIONS)
        run.request_id = self._engine.bench(run.asked)

    def _stop(self, error: AppError | None) -> None:
        """At once for who looks at it; the child needs a moment more."""
        run = self._run
        if run is not None:
            if run.request_id:
                self._engine.stop_bench()
            self._end(run, error)

    def _end(self, run: _Run, error: AppError | None) -> None:
        if run is self._run:
            self._run = None
            loaded = self._engine.state.loaded
            self._set(loaded=loaded, is_running=False, progress=None, error=error)

    @Slot(object)
    def _on_told(self, event: BenchProgress | BenchDone | AppError) -> None:
        run = self._run
        if run is None or not run.request_id:
            return
        if isinstance(event, AppError):
            self._end(run, event)
        elif event.request_id != run.request_id:
            return
        elif isinstance(event, BenchProgress):
            self._set(progress=event)
        else:
            self._keep(run, event)
            self._end(run, None)

    def _keep(self, run: _Run, done: BenchDone) -> None:
        if done.was_stopped or run.shape is None or run.computer is None or run.asked is None:
            return
        from app.engine.benched import record_of

        measured = record_of(run.loaded, run.asked, done, run.shape, run.computer)
        record = replace(measured, created_at=time.time())
        machine = machine_of(run.computer)
        self._set(records=(record, *(self.state.records or ())))

        def keep(store: Store) -> None:
            store.record_benchmark(machine, record)

        self._chat.write_store(keep)

    @Slot(object)
    def _on_engine(self, state: EngineState) -> None:
        if state.phase is Phase.READY and not self._is_reading:
            self._is_reading = True
            self._tasks.submit(_machine, self._read)
        if self._run is None:
            self._set(loaded=state.loaded)
        elif state.is_busy:
            self._stop(EngineError(_CAME_FIRST))
        elif state.loaded is not self._run.loaded or state.phase is not Phase.READY:
            self._stop(state.error or EngineError(_ENDED))

    # --- what was measured before -------------------------------------------------------------

    def _read(self, machine: str) -> None:
        def done(found: tuple[BenchRecord, ...]) -> None:
            self._set(records=(*(self.state.records or ()), *found))

        self._chat.read_store(lambda store: store.benchmarks(machine), done)

    def _set(self, **changes: object) -> None:
        state = replace(self.state, **changes)  # type: ignore[arg-type]
        if state != self.state:
            self.state = state
            self.changed.emit(state)


class _Run:
    """One benchmark of `loaded`; the rest is known once the child has been asked."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.request_id = 0
        self.asked: Bench | None = None
        self.shape: ModelShape | None = None
        self.computer: Hardware | None = None


def _look(path: Path) -> tuple[ModelShape, Hardware]:
    from app.engine.benched import shape_in

    return shape_in(path), client.examine(paths.models_dir())


def _machine() -> str:
    return machine_of(hardware.measure(paths.models_dir()))
