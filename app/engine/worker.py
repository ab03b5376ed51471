"""The engine child's life: commands in, events out, one model at a time. Returns never.

The main thread does the work. A reader thread takes commands, so that Stop reaches a running
request; at end of file on stdin it ends the process at once, whatever the main thread is doing.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import BinaryIO

from app.core.errors import AppError, EngineLostError, ModelFileError, PromptError
from app.engine import protocol
from app.engine.benchmark import Benchmark
from app.engine.context import StoppedError
from app.engine.model import NativeLog
from app.engine.native import LLAMA_CPP_VERSION, StopFlag, lib
from app.engine.protocol import (
    Bench,
    Command,
    Event,
    Failed,
    Forget,
    Generate,
    Heartbeat,
    Hello,
    Leave,
    Left,
    Load,
    Stop,
    Tune,
    Tuned,
)
from app.engine.session import Session
from app.engine.tuning import Tuning
from app.engine.usage import forget_peak, give_memory_back

HEARTBEAT_S = 2.0
_LAST_WORDS_S = 3.0


class Worker:
    """Reads commands from `commands`, writes events to `events`, until end of file."""

    def __init__(self, commands: BinaryIO, events: BinaryIO) -> None:
        self._commands = commands
        self._events = events
        self._write_lock = threading.Lock()
        self._queue: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._stop = StopFlag()
        self._stopped_ids: set[int] = set()
        self._busy = threading.Event()
        self._tuning = False
        self._tuning_lock = threading.Lock()
        self._log = NativeLog()
        self._session: Session | None = None

    def run(self) -> None:
        lib.llama_backend_init()
        threading.Thread(target=self._read_commands, name="commands", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        self.emit(Hello(protocol.PROTOCOL_VERSION, LLAMA_CPP_VERSION, os.getpid()))
        while (command := self._queue.get()) is not None:
            self._busy.set()
            self._execute(command)
            self._busy.clear()
        if self._session is not None:
            self._session.leave()
        os._exit(0)

    def emit(self, event: Event) -> None:
        line = protocol.encode(event)
        with self._write_lock:
            self._events.write(line)
            self._events.flush()

    def _read_commands(self) -> None:
        while line := self._commands.readline(protocol.MAX_FRAME_BYTES + 1):
            command = protocol.decode_command(line)
            if isinstance(command, Stop):
                self._stopped_ids.add(command.request_id)
                self._stop.set()
            else:
                self._put(command)
        self._end()

    def _put(self, command: Command) -> None:
        """Nobody waits for a tune: whatever comes ends it."""
        with self._tuning_lock:
            self._queue.put(command)
            if self._tuning:
                self._stop.set()

    def _end(self) -> None:
        """The parent is gone: stop, keep the conversation's cache, and be gone soon too."""
        self._stop.set()
        self._queue.put(None)
        time.sleep(_LAST_WORDS_S)
        os._exit(0)

    def _beat(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(HEARTBEAT_S)
            if self._busy.is_set():
                self.emit(Heartbeat())

    def _execute(self, command: Command) -> None:
        request_id = getattr(command, "request_id", None)
        self._stop.clear()
        if request_id in self._stopped_ids:
            self._stop.set()
        try:
            self._dispatch(command)
        except StoppedError:
            pass
        except AppError as error:
            self.emit(failed(error, request_id))
        self._stopped_ids.discard(request_id or 0)

    def _dispatch(self, command: Command) -> None:
        if isinstance(command, Load):
            self._load(command)
        elif isinstance(command, Generate):
            self.emit(self._loaded_session().generate(command, self.emit))
        elif isinstance(command, Leave):
            self.emit(Left(self._session.leave() if self._session else 0))
        elif isinstance(command, Forget):
            if self._session is not None:
                self._session.forget(command.conversation)
        elif isinstance(command, Tune):
            self.emit(self._tune(command))
        elif isinstance(command, Bench):
            session = self._loaded_session()
            self.emit(Benchmark(session, command, self.emit, self._stop).run())

    def _tune(self, command: Tune) -> Tuned:
        session = self._loaded_session()
        with self._tuning_lock:
            self._tuning = self._queue.empty()
            if not self._tuning:
                self._stop.set()
        try:
            return Tuning(session.model, session.loaded, self._log, self._stop).run(command)
        finally:
            with self._tuning_lock:
                self._tuning = False

    def _load(self, command: Load) -> None:
        if self._session is not None:
            self._session.leave()
            self._session.close()
            self._session = None
            give_memory_back()
        forget_peak()
        self._session = Session(command, self._log, self._stop)
        self.emit(self._session.loaded)

    def _loaded_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("a request before Load")
        return self._session


def failed(error: AppError, request_id: int | None = None) -> Failed:
    """`error` as an event."""
    kinds = {ModelFileError: "model", PromptError: "prompt", EngineLostError: "lost"}
    kind = kinds.get(type(error), "engine")
    return Failed(kind, error.text, error.hint, error.detail, request_id)


def main(commands: BinaryIO, events: BinaryIO) -> None:
    """The child called "engine"."""
    Worker(commands, events).run()
