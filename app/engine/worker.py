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

from app.core.errors import AppError, ModelFileError, PromptError
from app.engine import protocol
from app.engine.context import StoppedError
from app.engine.model import NativeLog
from app.engine.native import LLAMA_CPP_VERSION, StopFlag, lib
from app.engine.protocol import (
    Bench,
    BenchDone,
    Command,
    Event,
    Failed,
    Generate,
    Heartbeat,
    Hello,
    Load,
    PromptMessage,
    Sampling,
    Stop,
)
from app.engine.session import Session
from app.engine.usage import peak_rss_bytes

HEARTBEAT_S = 2.0


class Worker:
    """Reads commands from `commands`, writes events to `events`, until end of file."""

    def __init__(self, commands: BinaryIO, events: BinaryIO) -> None:
        self._commands = commands
        self._events = events
        self._write_lock = threading.Lock()
        self._queue: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._stop = StopFlag()
        self._stopped_ids: set[int] = set()
        self._busy = threading.Event()
        self._log = NativeLog()
        self._session: Session | None = None

    def run(self) -> None:
        lib.llama_backend_init()
        threading.Thread(target=self._read_commands, name="commands", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        self.emit(Hello(protocol.PROTOCOL_VERSION, LLAMA_CPP_VERSION, os.getpid()))
        while True:
            command = self._queue.get()
            self._busy.set()
            self._execute(command)
            self._busy.clear()

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
                self._queue.put(command)
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
        elif isinstance(command, Bench):
            self.emit(self._bench(command))

    def _load(self, command: Load) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        self._session = Session(command, self._log, self._stop)
        self.emit(self._session.loaded)

    def _loaded_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("a request before Load")
        return self._session

    def _bench(self, command: Bench) -> BenchDone:
        session = self._loaded_session()
        prompt, decode, first = [], [], []
        for _ in range(command.repetitions):
            prompt.append(session.measure_prompt(command.n_prompt))
            decode.append(session.measure_decode(command.n_gen))
            session.forget()
            first.append(session.generate(_SHORT_QUESTION, lambda _event: None).ttft_ms)
        return BenchDone(
            request_id=command.request_id,
            pp_tps=tuple(prompt),
            tg_tps=tuple(decode),
            ttft_ms=tuple(first),
            peak_bytes=peak_rss_bytes(),
            n_threads=session.n_threads,
        )


_SHORT_QUESTION = Generate(
    request_id=0,
    messages=(PromptMessage("user", "What is the capital of France?"),),
    sampling=Sampling(temperature=0.0),
    max_tokens=1,
)


def failed(error: AppError, request_id: int | None = None) -> Failed:
    """`error` as an event."""
    kinds = {ModelFileError: "model", PromptError: "prompt"}
    kind = kinds.get(type(error), "engine")
    return Failed(kind, error.text, error.hint, error.detail, request_id)


def main(commands: BinaryIO, events: BinaryIO) -> None:
    """The child called "engine"."""
    Worker(commands, events).run()
