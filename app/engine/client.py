"""The parent's end of the engine child. No Qt, no llama.cpp: the window and the CLI both use it.

The other children's ends are found here too, imported when first used: the window starts with this.
"""

from __future__ import annotations

import importlib
import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.child import Child, death_of
from app.core.errors import (
    QT_TRANSLATE_NOOP,
    AppError,
    EngineError,
    EngineLostError,
    Message,
    ModelFileError,
    PromptError,
)
from app.engine import protocol
from app.engine.protocol import Command, Event, Failed, Hello
from app.engine.silence import Silence

if TYPE_CHECKING:
    from app.engine.exact import exact_plan
    from app.engine.examine import examine, probe, probe_devices
else:
    _HOMES = {
        "exact_plan": "exact",
        **dict.fromkeys(("examine", "probe", "probe_devices"), "examine"),
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"app.engine.{_HOMES[name]}"), name)


__all__ = [
    "BlockingEngine",
    "Died",
    "EngineClient",
    "error_from",
    "exact_plan",
    "examine",
    "probe",
    "probe_devices",
]

SILENCE_LIMIT_S = 15.0
_EXIT_GRACE_S = 4.0  # the child keeps a conversation's cache before it goes
_ENDING = (
    protocol.Loaded,
    protocol.Done,
    protocol.BenchDone,
    protocol.Left,
    protocol.Tuned,
    protocol.Failed,
)
_UNANSWERED = (protocol.Stop, protocol.Forget)


@dataclass(frozen=True, slots=True)
class Died:
    """The child is gone without having been asked to go."""

    error: EngineError


class EngineClient:
    """Starts the child on construction; `on_event` is called on a thread of its own."""

    def __init__(self, on_event: Callable[[Event | Died], None]) -> None:
        self._on_event = on_event
        self._closing = False
        self._n_running = 0
        self._silence = Silence()
        self._verdict: EngineError | None = None
        self._child = Child("engine", self._on_line, self._on_exit, protocol.MAX_FRAME_BYTES)

    @property
    def pid(self) -> int:
        return self._child.pid

    def send(self, command: Command) -> None:
        """Hand over a command. Where the child is gone, Died comes instead of an answer.

        Raises EngineError for a command too large to send.
        """
        try:
            line = protocol.encode(command)
        except protocol.ProtocolError as error:
            raise EngineError(
                QT_TRANSLATE_NOOP("engine", "This conversation is too large to send to the model."),
                QT_TRANSLATE_NOOP("engine", "Shorten the message, or start a new conversation."),
                str(error),
            ) from error
        if not isinstance(command, _UNANSWERED):
            self._n_running += 1
        self._silence.begin()
        self._child.send(line)

    def end_if_silent(self) -> None:
        """Call now and then while something runs: a child that says nothing for long is ended."""
        if self._n_running > 0 and self._silence.seconds() > SILENCE_LIMIT_S:
            self._end_with(
                QT_TRANSLATE_NOOP("engine", "The model does not respond, so it was ended."),
                "no heartbeat",
            )

    def kill(self) -> None:
        """End the child at once, whatever it is doing; no Died follows."""
        self._closing = True
        self._child.kill()
        self._child.close()

    def close(self) -> None:
        """End the child; returns when it is gone."""
        self._closing = True
        self._child.close(_EXIT_GRACE_S)

    def _on_line(self, line: bytes) -> None:
        self._silence.heard()
        try:
            event = protocol.decode_event(line)
            if isinstance(event, Hello) and event.protocol != protocol.PROTOCOL_VERSION:
                raise protocol.ProtocolError(f"protocol {event.protocol}")
        except protocol.ProtocolError as error:
            self._end_with(
                QT_TRANSLATE_NOOP("engine", "The engine does not fit this version of Nibble."),
                str(error),
            )
            return
        if isinstance(event, _ENDING):
            self._n_running -= 1
        if not isinstance(event, protocol.Heartbeat):
            self._on_event(event)

    def _end_with(self, text: Message, detail: str) -> None:
        hint = QT_TRANSLATE_NOOP("engine", "Your conversation is safe. Try again.")
        self._verdict = EngineError(text, hint, detail)
        self._child.kill()

    def _on_exit(self, code: int) -> None:
        if not self._closing:
            self._on_event(Died(self._verdict or death_of(code, self._child.stderr_text)))


def error_from(failed: Failed) -> AppError:
    """The exception that a Failed event stands for."""
    kinds = {"model": ModelFileError, "prompt": PromptError, "lost": EngineLostError}
    kind = kinds.get(failed.kind, EngineError)
    return kind(failed.text, failed.hint, failed.detail)


class BlockingEngine:
    """The engine for code that waits: the command line, and tests."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event | Died] = queue.SimpleQueue()
        self.client = EngineClient(self._events.put)

    def __enter__(self) -> BlockingEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def send(self, command: Command) -> None:
        self.client.send(command)

    def next_event(self) -> Event:
        """The next event but Hello. Raises AppError for Failed, and when the child died."""
        while True:
            try:
                event = self._events.get(timeout=5)
            except queue.Empty:
                self.client.end_if_silent()
                continue
            if isinstance(event, Died):
                raise event.error
            if isinstance(event, Failed):
                raise error_from(event)
            if not isinstance(event, Hello):
                return event

    def load(self, command: protocol.Load) -> protocol.Loaded:
        self.send(command)
        event = self.next_event()
        assert isinstance(event, protocol.Loaded), event
        return event
