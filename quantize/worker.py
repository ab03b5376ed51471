"""The life of the quantize child: one job, its events, and whoever wants it to pause or end.

Commands come as JSON lines on stdin, the job first; events go up on stdout. End of file on stdin is
the end of the parent: the job is cancelled, and what does not end in time is ended.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from quantize.control import Control
from quantize.errors import Cancelled, QuantizeError
from quantize.job import (
    Cancel,
    Command,
    Event,
    Failed,
    Heartbeat,
    Job,
    MatrixJob,
    Pause,
    Resume,
)
from quantize.job import Cancelled as CancelledEvent

_HEARTBEAT_S = 2.0
_GRACE_S = 1.5
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def main(commands: BinaryIO, events: BinaryIO) -> None:
    """Run the job that `commands` begins with; says everything on `events`."""
    job = _commands.decode(commands.readline())
    assert isinstance(job, (Job, MatrixJob)), job
    control = Control()
    emit = _Emitter(events)
    threading.Thread(target=_obey, args=(commands, control), name="commands", daemon=True).start()
    with _Heart(emit):
        run(job, emit, control)


def run(job: Job | MatrixJob, emit: Callable[[Event], None], control: Control) -> None:
    """The job, whose errors become events: the last one says how it ended."""
    from quantize import pipeline  # not at the top: the command line imports this module

    if job.low_priority:
        _give_way()
    try:
        if isinstance(job, MatrixJob):
            pipeline.make_matrix(job, emit, control)
        else:
            pipeline.run(job, emit, control)
    except Cancelled:
        emit(CancelledEvent())
    except QuantizeError as error:
        emit(Failed(error.text, error.hint, error.detail))


class _Emitter:
    """Writes events as lines, from any thread."""

    def __init__(self, events: BinaryIO) -> None:
        self._events = events
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        line = msgspec.json.encode(event) + b"\n"
        with self._lock:
            self._events.write(line)
            self._events.flush()


class _Heart:
    """Beats on a thread of its own while the job runs."""

    def __init__(self, emit: _Emitter) -> None:
        self._emit = emit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT_S):
            self._emit(Heartbeat())


def _obey(commands: BinaryIO, control: Control) -> None:
    """The reader thread: commands until the parent is gone."""
    actions = {Cancel: control.cancel, Pause: control.pause, Resume: control.resume}
    for line in commands:
        actions[type(_commands.decode(line))]()
    control.cancel()
    threading.Event().wait(_GRACE_S)
    os._exit(0)


def _give_way() -> None:
    """Let everything else on this computer go first."""
    import psutil

    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    os.nice(10)
    if hasattr(process, "ionice"):
        process.ionice(psutil.IOPRIO_CLASS_BE, 7)
