"""Predicts every load and every answer's speed, and keeps the predictions beside what came of them.

Headers are read, and the computer is looked at, on the task thread; records are written on the
store's. Nothing here can hold up a load or an answer: a prediction that fails is only missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal, Slot

from app import paths
from app.core.errors import AppError
from app.core.hardware import Hardware
from app.core.measured import (
    LEAST_TOKENS,
    MOST_TOKENS,
    LoadRecord,
    SpeedRecord,
    Taken,
)
from app.engine import client
from app.engine.protocol import Done, Load, Loaded
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase
from app.jobs.tasks import TaskThread

if TYPE_CHECKING:
    from app.core.fit import MemoryPlan
    from app.jobs.predicting import Prediction


class Fits(QObject):
    """Follows the engine of `chat`. `predicted` comes with each load: a Prediction, or None while
    there is none. `speeds`: what this computer measured, the newest first."""

    predicted = Signal(object)  # Prediction | None

    def __init__(self, chat: ChatJob, tasks: TaskThread, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chat, self._tasks = chat, tasks
        self.computer: Hardware | None = None  # once it was examined
        self.speeds: tuple[SpeedRecord, ...] = ()
        self._load: Load | None = None  # the engine's
        self._asked: Load | None = None  # what is predicted: that, or what became of it
        self._recorded: Loaded | None = None
        self._is_looking = False
        self.prediction: Prediction | None = None
        chat.engine.state_changed.connect(self._on_state)
        chat.engine.answered.connect(self._on_answered)
        chat.read_store(lambda store: store.speeds(), self._take_speeds)
        self._on_state(chat.engine.state)

    def know(self, found: Hardware) -> None:
        """The computer with its graphics, once it was examined."""
        had_gpus = bool(self.computer and self.computer.used_gpus)
        self.computer = found
        if self._asked is not None and bool(found.used_gpus) != had_gpus:
            self._predict(self._asked)

    @Slot(object)
    def _on_state(self, state: EngineState) -> None:
        if state.load is not self._load:
            self._load = self._asked = state.load
            self._show(None)
            if state.load is not None:
                self._predict(state.load)
        if state.phase is Phase.READY:
            self._record(state)

    def _predict(self, load: Load) -> None:
        known, self._asked = self.computer, load

        def done(prediction: Prediction) -> None:
            if load is self._asked:
                self._show(prediction)
                self._record(self._chat.engine.state)

        self._tasks.submit(lambda: predict(load, known), done, _is_missing)

    def _show(self, prediction: Prediction | None) -> None:
        self.prediction = prediction
        self.predicted.emit(prediction)

    def _record(self, state: EngineState) -> None:
        """Once for each load, when both what was predicted and what came of it are there."""
        loaded, prediction = state.loaded, self.prediction
        if loaded is None or prediction is None or loaded is self._recorded:
            return
        if bool(loaded.n_gpu_layers) and not (self.computer and self.computer.used_gpus):
            self._find_graphics()  # and predict again
            return
        if self._asked is self._load is not None and not _is_of(prediction.plan, loaded):
            self._predict(_as_loaded(self._load, loaded))
            return
        self._recorded = loaded
        record = load_record(loaded, prediction)
        self._chat.write_store(lambda store: store.record_load(record))

    def _find_graphics(self) -> None:
        if self.computer is None and not self._is_looking:
            self._is_looking = True
            self._tasks.submit(lambda: client.examine(paths.models_dir()), self.know, _is_missing)

    @Slot(object)
    def _on_answered(self, done: Done) -> None:
        prediction, loaded = self.prediction, self._chat.engine.state.loaded
        if prediction is None or loaded is not self._recorded or loaded is None:
            return
        if done.n_generated < LEAST_TOKENS or done.n_past > MOST_TOKENS:
            return
        device = prediction.plan.devices[0].device if prediction.plan.n_gpu_layers else "CPU"
        record = SpeedRecord(device, prediction.tps, done.tps)
        self.speeds = (record, *self.speeds)
        self._chat.write_store(
            lambda store: store.record_speed(record, loaded.name, loaded.variant)
        )

    def _take_speeds(self, speeds: tuple[SpeedRecord, ...]) -> None:
        self.speeds = (*self.speeds, *speeds)


def predict(load: Load, known: Hardware | None) -> Prediction:
    """As `app.jobs.predicting` says, imported by the thread that asks."""
    from app.jobs import predicting

    return predicting.predict(load, known)


def _is_of(planned: MemoryPlan, loaded: Loaded) -> bool:
    """Whether the engine loaded what was planned, and not a smaller way for lack of memory."""
    return planned.n_gpu_layers == loaded.n_gpu_layers and planned.n_ctx == loaded.n_ctx


def _as_loaded(load: Load, loaded: Loaded) -> Load:
    return msgspec.structs.replace(load, n_ctx=loaded.n_ctx, n_gpu_layers=loaded.n_gpu_layers)


def load_record(loaded: Loaded, prediction: Prediction) -> LoadRecord:
    """What `loaded` took beside what was predicted for it."""
    memory, planned = loaded.memory, prediction.plan
    return LoadRecord(
        model=loaded.name,
        variant=loaded.variant,
        device=loaded.device,
        n_ctx=loaded.n_ctx,
        kv_type=planned.kv_type,
        n_gpu_layers=planned.n_gpu_layers,
        predicted=prediction.taken,
        actual=Taken(memory.weights_bytes, memory.kv_bytes, memory.compute_bytes),
        host_bytes=planned.host_bytes,
        rss_bytes=memory.rss_bytes,
    )


def _is_missing(_error: AppError) -> None:
    """A file that cannot be read: the load itself says so."""
