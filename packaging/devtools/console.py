"""What the person at the terminal sees: one sentence per failure, one line per long wait."""

from __future__ import annotations

import queue
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_QUIET_S = 20.0  # between two lines where the output is not a terminal
_TAIL_LINES = 30


class SetupError(Exception):
    """Something about this machine stands in the way: one sentence, and what to do about it."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


class CommandError(SetupError):
    """A command failed; `tail` is the end of what it said."""

    def __init__(self, text: str, tail: Sequence[str]) -> None:
        super().__init__(text)
        self.tail = tuple(tail)


def say(text: str) -> None:
    """To stderr: stdout belongs to the program that is started in the end."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """One line that is rewritten in place, or on a log a new line now and then."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._printed_at = float("-inf")
        self._heading = ""

    def show(self, heading: str, details: str) -> None:
        """`heading` says what is going on; a log gets a line at once when it changes."""
        if self._tty:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + (heading + details)[:width])
            sys.stderr.flush()
        elif heading != self._heading or time.monotonic() - self._printed_at >= _QUIET_S:
            say(heading + details)
            self._printed_at = time.monotonic()
        self._heading = heading

    def clear(self) -> None:
        if self._tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class Phase:
    """Reads a command's output line by line and knows what to call the moment."""

    def __init__(self, heading: str) -> None:
        self.heading = heading
        self.details = ""

    def read(self, line: str) -> None:
        """Override to change `heading` and `details`."""


def clock(seconds: float) -> str:
    """200 -> "3:20"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def run_visibly(
    command: Sequence[str], phase: Phase, log: Path, env: Mapping[str, str] | None = None
) -> None:
    """Run `command` behind a progress line, its output in `log`. Raises CommandError."""
    log.parent.mkdir(exist_ok=True)
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    tail: deque[str] = deque(maxlen=_TAIL_LINES)

    try:
        with log.open("w", encoding="utf-8") as file:

            def read(line: str) -> None:
                file.write(line)
                tail.append(line.rstrip())
                phase.read(line)

            _follow(process, phase, read)
        code = process.wait()
    finally:
        process.terminate()
        process.wait()
    if code:
        what = phase.heading.split(" (")[0]
        raise CommandError(f"{what} failed (exit code {code}).", tail)


def _follow(process: subprocess.Popen[str], phase: Phase, read: Callable[[str], None]) -> None:
    """Hand every line to `read` and keep the clock in the progress line going until the end."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
    progress = Progress()
    heading, started_at = phase.heading, time.monotonic()
    while True:
        progress.show(phase.heading, f": {clock(time.monotonic() - started_at)}{phase.details}")
        try:
            line = lines.get(timeout=0.5)
        except queue.Empty:
            continue
        if line is None:
            break
        read(line)
        if phase.heading != heading:
            heading, started_at = phase.heading, time.monotonic()
    progress.clear()


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)
