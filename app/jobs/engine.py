"""The engine for the window: events on the UI thread, its death survived, its restart capped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import msgspec
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.core.errors import AppError, EngineLostError
from app.engine.client import Died, EngineClient, error_from
from app.engine.protocol import (
    Bench,
    BenchDone,
    BenchProgress,
    Command,
    Done,
    Event,
    Failed,
    Forget,
    Generate,
    Hello,
    Leave,
    Left,
    Load,
    Loaded,
    PromptProgress,
    Stop,
    Text,
    Tune,
    Tuned,
)
from app.engine.requests import load_after_death
from app.jobs.enginestate import EngineState, Phase

__all__ = ["Client", "ClientFactory", "EngineJob", "EngineState", "Phase"]

_WATCH_MS = 2000
_MAX_RESTARTS = 3
_RESTART_WINDOW_S = 120.0


class Client(Protocol):
    """What is used of `EngineClient`; tests put a scripted one in its place."""

    def send(self, command: Command) -> None: ...
    def end_if_silent(self) -> None: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


ClientFactory = Callable[[Callable[[Event | Died], None]], Client]


class EngineJob(QObject):
    """One engine child at a time. Signals come on the thread this object lives on."""

    state_changed = Signal(object)  # EngineState
    text_received = Signal(object)  # Text
    answered = Signal(object)  # Done
    bench_told = Signal(object)  # BenchProgress, BenchDone, or the AppError that ended it
    request_failed = Signal(object)  # AppError, for the request that was running
    tuned = Signal(object)  # Tuned
    request_lost = Signal(object)  # AppError: the engine died over it and is being started again

    _event = Signal(object)

    def __init__(self, make_client: ClientFactory = EngineClient) -> None:
        super().__init__()
        self._make_client = make_client
        self._client: Client | None = None
        self._generation = 0
        self._request_id = 0
        self._bench_id = 0
        self._restarts: list[float] = []
        self._is_unloading = False
        self.llama_cpp = ""  # the build, once a child has said hello
        self.state = EngineState()
        self._event.connect(self._on_event, Qt.ConnectionType.QueuedConnection)
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self._on_watch)

    def start(self) -> None:
        """Start the child early: it imports llama.cpp while the window is being built."""
        if self._client is None:
            self._generation += 1
            generation = self._generation
            self._client = self._make_client(lambda event: self._event.emit((generation, event)))

    def load(self, load: Load) -> None:
        """Load a model in place of the present one; a running answer or load is ended."""
        if self.state.is_busy or self.state.phase is Phase.LOADING:
            self._drop_client()
        self.start()
        self._set(EngineState(Phase.LOADING, load=load))
        self._send(load)

    def refuse(self, error: AppError) -> None:
        """There is nothing to load, and `error` says why."""
        self._set(EngineState(Phase.FAILED, error=error))

    def generate(self, request: Generate) -> int:
        """Ask; the request's own id is put in. Returns that id."""
        self._request_id += 1
        self._set(replace(self.state, phase=Phase.READING, n_read=0, n_to_read=0))
        self._send(_with_id(request, self._request_id))
        return self._request_id

    def stop(self) -> None:
        """End the running answer; what there is of it comes with `answered`."""
        if self.state.is_busy and self._client is not None:
            self._client.send(Stop(self._request_id))

    def leave(self) -> None:
        """The conversation is left; its cache may be kept before another one needs the place."""
        if self.state.phase is Phase.READY:
            self._send(Leave())

    def forget(self, conversation: str) -> None:
        """The conversation is deleted: nothing of it is kept in the engine, nor for it."""
        if self._client is not None and self.state.phase is not Phase.FAILED:
            self._client.send(Forget(conversation))

    def unload(self) -> None:
        """Free the model's memory, once the conversation's cache is kept; `restart` brings it back.

        A question that comes before that is answered, and nothing is unloaded.
        """
        if self.state.phase is Phase.READY and not self._is_unloading:
            self._send(Leave())
            self._is_unloading = True

    def bench(self, command: Bench) -> int:
        """Measure the loaded model, which rests for it; the command's own id is put in. Returns
        that id. What comes of it is told with `bench_told`."""
        self._bench_id -= 1  # below 0: never an answer's
        self._send(msgspec.structs.replace(command, request_id=self._bench_id))
        return self._bench_id

    def tune(self, limit_s: float) -> None:
        """Have the loaded model measured, until something else is wanted; `tuned` tells."""
        if self.state.phase is Phase.READY and not self._is_unloading:
            self._send(Tune(request_id=0, limit_s=limit_s))

    def stop_bench(self) -> None:
        if self._client is not None:
            self._client.send(Stop(self._bench_id))

    def cancel_load(self) -> None:
        if self.state.phase is Phase.LOADING:
            self._drop_client()
            self._set(EngineState())

    def restart(self) -> None:
        """Load the last model again after a failure, or after it was unloaded."""
        if self.state.load is not None:
            self.load(self.state.load)

    def close(self) -> None:
        """End the child; returns when it is gone."""
        self._watch.stop()
        self._event.disconnect(self._on_event)
        if self._client is not None:
            self._client.close()
            self._client = None

    def _send(self, command: Command) -> None:
        assert self._client is not None
        self._is_unloading = False
        self._watch.start()
        try:
            self._client.send(command)
        except AppError as error:
            self._set(replace(self.state, phase=Phase.READY))
            self.request_failed.emit(error)

    def _drop_client(self) -> None:
        if self._client is not None:
            self._generation += 1  # whatever it still says is not heard
            self._client.kill()
            self._client = None

    def _set(self, state: EngineState) -> None:
        self.state = state
        if not state.is_busy and state.phase is not Phase.LOADING:
            self._watch.stop()
        self.state_changed.emit(state)

    @Slot()
    def _on_watch(self) -> None:
        if self._client is not None:
            self._client.end_if_silent()

    @Slot(object)
    def _on_event(self, numbered: tuple[int, Event | Died]) -> None:
        generation, event = numbered
        if generation != self._generation:
            return
        if isinstance(event, Hello):
            self.llama_cpp = event.llama_cpp
        elif isinstance(event, Text):
            self._on_text(event)
        elif isinstance(event, Done):
            self._on_done(event)
        elif isinstance(event, Loaded):
            self._set(EngineState(Phase.READY, self.state.load, event))
        elif isinstance(event, PromptProgress):
            self._set(replace(self.state, n_read=event.n_done, n_to_read=event.n_total))
        elif isinstance(event, Left):
            self._on_left()
        elif isinstance(event, Died):
            self._on_died(event.error)
        elif isinstance(event, Failed) and (event.request_id or 0) >= 0:
            self._on_failed(error_from(event))
        else:
            self._on_measured(event)

    def _on_measured(self, event: Event) -> None:
        if isinstance(event, Tuned):
            if self.state.phase is Phase.READY:
                self._watch.stop()
            self.tuned.emit(event)
        elif isinstance(event, BenchProgress | BenchDone):
            self.bench_told.emit(event)
        elif isinstance(event, Failed):
            self.bench_told.emit(error_from(event))

    def _on_text(self, event: Text) -> None:
        if event.request_id != self._request_id:
            return
        self.text_received.emit(event)
        self._set(replace(self.state, phase=Phase.WRITING, n_past=event.n_past, tps=event.tps))

    # What a request came to is told before the state changes: whoever looks at the new state finds
    # the answer finished.

    def _on_done(self, event: Done) -> None:
        if event.request_id != self._request_id:
            return
        self.answered.emit(event)
        self._set(
            replace(
                self.state,
                phase=Phase.READY,
                n_past=event.n_past,
                tps=event.tps,
                ttft_ms=event.ttft_ms,
            )
        )

    def _on_failed(self, error: AppError) -> None:
        if self.state.is_busy and isinstance(error, EngineLostError):
            self._on_died(error)
        elif self.state.is_busy:
            self.request_failed.emit(error)
            self._set(replace(self.state, phase=Phase.READY))
        else:
            self._set(EngineState(Phase.FAILED, self.state.load, error=error))

    def _on_left(self) -> None:
        if self._is_unloading:
            self._rest()
        elif self.state.phase is Phase.READY:
            self._watch.stop()

    def _rest(self) -> None:
        self._is_unloading = False
        self._drop_client()
        self._set(EngineState(Phase.RESTING, self.state.load, self.state.loaded))

    def _on_died(self, error: AppError) -> None:
        """Dead, or alive and of no more use."""
        was_busy, load, loaded = self.state.is_busy, self.state.load, self.state.loaded
        self._drop_client()
        if self._is_unloading:
            self._rest()
        elif was_busy and load is not None and self._may_restart():
            self.request_lost.emit(error)
            self.load(load_after_death(load, loaded, error))
        else:
            if was_busy:
                self.request_failed.emit(error)
            self._set(EngineState(Phase.FAILED, load, error=error, has_died=True))

    def _may_restart(self) -> bool:
        """A few times in a row only: a model that always kills the engine is left alone."""
        now = time.monotonic()
        self._restarts = [at for at in self._restarts if now - at < _RESTART_WINDOW_S]
        self._restarts.append(now)
        return len(self._restarts) <= _MAX_RESTARTS


def _with_id(request: Generate, request_id: int) -> Generate:
    return msgspec.structs.replace(request, request_id=request_id)
