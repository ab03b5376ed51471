"""Starts, watches and ends every child process; also the children's way in.

A child is this program again with `--child NAME`. It speaks lines on stdin and stdout; its stderr
is kept in a ring for the day it dies. End of file on its stdin means "exit", so a parent that is
killed takes its children along. Knows nothing of what the lines say.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import BinaryIO, NoReturn, cast

from app.core.errors import QT_TRANSLATE_NOOP, EngineError

# The modules whose main(commands, events) is a child's life.
CHILDREN = {
    "engine": "app.engine.worker",
    "probe": "app.engine.probe",
    "fit": "app.engine.fitting",
    "quantize": "quantize.worker",
    "imatrix": "quantize.worker",
}
# How much a child yields to the window, as `nice` counts: enough that a click is answered first,
# and nothing where the processor is free anyway. Jobs of hours yield more, by themselves.
_NICENESS = {"engine": 3}
_STDERR_LINES = 200
# NTSTATUS codes with which Windows ends a process, and what the same death is called elsewhere.
_WINDOWS_DEATHS = {0xC000001D: "SIGILL", 0xC0000005: "SIGSEGV", 0xC0000017: "SIGKILL"}
_EXIT_GRACE_S = 2.0


class Child:
    """A running child. Callbacks come on a thread of its own, `on_exit` last and once."""

    def __init__(
        self,
        name: str,
        on_line: Callable[[bytes], None],
        on_exit: Callable[[int], None],
        max_line_bytes: int,
    ) -> None:
        self._on_line = on_line
        self._on_exit = on_exit
        self._max_line_bytes = max_line_bytes
        self._stderr: collections.deque[str] = collections.deque(maxlen=_STDERR_LINES)
        self._process = subprocess.Popen(
            command_line(name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._write_lock = threading.Lock()
        self._stderr_reader = threading.Thread(
            target=self._read_stderr, name=f"{name} stderr", daemon=True
        )
        self._reader = threading.Thread(target=self._read_lines, name=f"{name} lines", daemon=True)
        self._stderr_reader.start()
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr_text(self) -> str:
        return "".join(self._stderr)

    def send(self, line: bytes) -> bool:
        """Write one line; False when the child is gone (`on_exit` tells the rest)."""
        stdin = cast(BinaryIO, self._process.stdin)
        try:
            with self._write_lock:
                stdin.write(line)
                stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def kill(self) -> None:
        self._process.kill()

    def close(self, grace_s: float = _EXIT_GRACE_S) -> None:
        """End the child politely, then not; returns when it is gone and its threads are done."""
        with contextlib.suppress(OSError):
            cast(BinaryIO, self._process.stdin).close()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if threading.current_thread() is not self._reader:
            self._reader.join()

    def _read_lines(self) -> None:
        stdout = cast(BinaryIO, self._process.stdout)
        while line := stdout.readline(self._max_line_bytes + 1):
            self._on_line(line)
        code = self._process.wait()
        self._stderr_reader.join(_EXIT_GRACE_S)
        stdout.close()
        self._on_exit(code)

    def _read_stderr(self) -> None:
        stderr = cast(BinaryIO, self._process.stderr)
        for line in iter(lambda: stderr.readline(4096), b""):
            self._stderr.append(line.decode("utf-8", "replace"))
        stderr.close()


def command_line(name: str) -> list[str]:
    """How to start the child `name`: from a frozen bundle, or from this interpreter.

    -P keeps the current directory, which may be anybody's, off the import path.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, "--child", name]
    return [sys.executable, "-P", "-m", "app", "--child", name]


def run_child(name: str) -> NoReturn:
    """Be the child `name`, on the standard streams, and end with it.

    Stdout is duplicated and fd 1 pointed at stderr first, so that no native print and no stray
    print() can break into a line. The end is os._exit: a thread waits in a read of stdin, and an
    orderly shutdown of the interpreter aborts on that.
    """
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to handle
    _yield_to_parent(name)
    code = 1
    try:
        importlib.import_module(CHILDREN[name]).main(sys.stdin.buffer, events)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            events.flush()
            sys.stderr.flush()
        os._exit(code)


def _yield_to_parent(name: str) -> None:
    """Lower the priority before any thread starts: on Linux each thread has its own."""
    niceness = _NICENESS.get(name, 0)
    if not niceness:
        return
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            import psutil  # the other children start without it

            psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            os.nice(niceness)


def exit_at_end_of(commands: BinaryIO) -> None:
    """For a child that takes no commands: end with the parent, whatever the main thread does."""

    def wait() -> None:
        while commands.read(4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def death_of(code: int, stderr_text: str) -> EngineError:
    """The sentence for a child that ended by itself with `code` (negative: by that signal)."""
    name = _signal_name(code)
    if name == "SIGKILL":
        text = QT_TRANSLATE_NOOP("child", "The model stopped: this computer ran out of memory.")
        hint = QT_TRANSLATE_NOOP(
            "child",
            "Your conversation is safe. Close some programs, or choose a smaller model.",
        )
    elif name == "SIGILL":
        text = QT_TRANSLATE_NOOP("child", "This processor lacks instructions that the engine uses.")
        hint = QT_TRANSLATE_NOOP("child", "Get the Nibble package that runs on every processor.")
    elif name == "SIGBUS":
        text = QT_TRANSLATE_NOOP("child", "The model stopped: its file can no longer be read.")
        hint = QT_TRANSLATE_NOOP(
            "child", "Your conversation is safe. Check the disk and try again."
        )
    else:
        text = QT_TRANSLATE_NOOP("child", "The model stopped unexpectedly.")
        hint = QT_TRANSLATE_NOOP("child", "Your conversation is safe. Try again.")
    return EngineError(text, hint, f"exit {name or code}\n{stderr_text}")


def _signal_name(code: int) -> str:
    if code >= 0:
        return _WINDOWS_DEATHS.get(code, "")
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
