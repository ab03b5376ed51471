"""The parent's end of the quantize child: no Qt, no llama.cpp; window and CLI both use it."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.child import Child, death_of
from app.core import hashes
from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError
from quantize import job as protocol
from quantize.job import (
    AnyEvent,
    Cancel,
    Cancelled,
    Failed,
    FileDone,
    Finished,
    Heartbeat,
    Job,
    MatrixJob,
)

SILENCE_LIMIT_S = 30.0
_MAX_LINE_BYTES = 64 * 1024 * 1024
_events: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


@dataclass(frozen=True, slots=True)
class Died:
    """The child is gone before its job ended."""

    error: EngineError


class QuantizeError(AppError):
    """The job could not be done; the sentence is the child's."""


class QuantizerClient:
    """One job in one child; `on_event` is called on a thread of its own.

    The last event is one of Finished, Cancelled, Failed or Died.
    """

    def __init__(self, job: Job | MatrixJob, on_event: Callable[[AnyEvent | Died], None]) -> None:
        self._on_event = on_event
        self._ended = False
        self._verdict: EngineError | None = None
        self._last_heard = time.monotonic()
        name = "quantize" if isinstance(job, Job) else "imatrix"
        self._child = Child(name, self._on_line, self._on_exit, _MAX_LINE_BYTES)
        self._send(job)

    @property
    def pid(self) -> int:
        return self._child.pid

    def cancel(self) -> None:
        self._send(Cancel())

    def pause(self) -> None:
        """Stop computing until `resume`."""
        self._send(protocol.Pause())

    def resume(self) -> None:
        self._send(protocol.Resume())

    def end_if_silent(self) -> None:
        """Call now and then while it runs: a child that says nothing for long is ended."""
        if not self._ended and time.monotonic() - self._last_heard > SILENCE_LIMIT_S:
            text = QT_TRANSLATE_NOOP("quantizer", "Quantizing does not respond, so it was ended.")
            self._end_with(EngineError(text, _NOTHING_LEFT, "no heartbeat"))

    def close(self) -> None:
        """End the child if it still runs; returns when it is gone. No event follows."""
        self._ended = True
        self._child.close()

    def _send(self, command: protocol.Command) -> None:
        self._child.send(msgspec.json.encode(command) + b"\n")

    def _on_line(self, line: bytes) -> None:
        self._last_heard = time.monotonic()
        try:
            event = _events.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            text = QT_TRANSLATE_NOOP("quantizer", "The quantizer does not fit this Nibble.")
            self._end_with(EngineError(text, _NOTHING_LEFT, f"{error}: {line[:200]!r}"))
            return
        if isinstance(event, Heartbeat) or self._ended:
            return
        self._ended = isinstance(event, (Finished, Cancelled, Failed))
        if isinstance(event, FileDone):  # its sum is as good as a download's
            hashes.record(Path(event.path), event.sha256)
        self._on_event(event)

    def _end_with(self, error: EngineError) -> None:
        self._verdict = error
        self._child.kill()

    def _on_exit(self, code: int) -> None:
        if not self._ended:
            self._ended = True
            self._on_event(Died(self._verdict or _death_of(code, self._child.stderr_text)))


def run_job(job: Job | MatrixJob) -> Iterator[AnyEvent]:
    """Run `job` for code that waits: yields its events up to and with Finished or Cancelled.

    A KeyboardInterrupt while waiting cancels the job. Raises AppError for Failed, and when the
    child died.
    """
    events: queue.SimpleQueue[AnyEvent | Died] = queue.SimpleQueue()
    client = QuantizerClient(job, events.put)
    try:
        while True:
            try:
                event = events.get(timeout=5)
            except queue.Empty:
                client.end_if_silent()
                continue
            except KeyboardInterrupt:
                client.cancel()
                continue
            if isinstance(event, Died):
                raise event.error
            if isinstance(event, Failed):
                raise QuantizeError(event.text, event.hint, event.detail)
            yield event
            if isinstance(event, (Finished, Cancelled)):
                return
    finally:
        client.close()


_NOTHING_LEFT = QT_TRANSLATE_NOOP("quantizer", "Nothing half-written was left. Try again.")


def _death_of(code: int, stderr_text: str) -> EngineError:
    """As for the engine's child, in this child's words."""
    error = death_of(code, stderr_text)
    text = QT_TRANSLATE_NOOP("quantizer", "Quantizing stopped unexpectedly.")
    if "SIGKILL" in error.detail.splitlines()[0]:
        text = QT_TRANSLATE_NOOP(
            "quantizer", "Quantizing stopped: this computer ran out of memory."
        )
    return EngineError(text, _NOTHING_LEFT, error.detail)
