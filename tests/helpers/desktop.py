"""A real window on a real X display, driven as a person would: by keys, seen by its pixels."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

WITHIN_S = 120.0


def wait_until(condition: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Poll until `condition()` is true. Raises AssertionError naming `what`."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within_s:.0f} s"
        time.sleep(0.05)


@contextmanager
def display(size: str = "1280x820x24") -> Iterator[str]:
    """An X server on a display number that it finds itself."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", size, "-noreset"],
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


@dataclass
class Desktop:
    """One running window. `rows` reads its database beside it."""

    display: str
    log: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] = field(init=False)
    window: str = field(init=False, default="")

    def __enter__(self) -> Desktop:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app", *self.arguments],
                env={**os.environ, "DISPLAY": self.display, "QT_QPA_PLATFORM": "xcb"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def wait_for_window(self) -> None:
        wait_until(self._find_window, f"a visible window ({self.log.read_text()[-2000:]})")
        self.focus()

    def focus(self, window: str = "") -> None:
        """Give a window the keys; nobody else does where no window manager runs."""
        self._xdotool("windowfocus", "--sync", window or self.window)

    def choose_file(self, path: Path) -> None:
        """In the file dialog that is coming up: its name, and Enter; again where keys got lost."""
        wait_until(lambda: len(self.windows()) > 1, "a file dialog")
        for _ in range(5):
            dialog = next((each for each in self.windows() if each != self.window), None)
            if dialog is None:
                break
            self.focus(dialog)
            self.key("ctrl+a")
            self.type(str(path))
            self.key("Return")
            with suppress(AssertionError):
                wait_until(lambda: len(self.windows()) == 1, "the dialog's end", within_s=5)
        self.focus()

    def windows(self) -> list[str]:
        """The visible ones, dialogs included."""
        return self._xdotool("search", "--onlyvisible", "--pid", str(self.process.pid)).split()

    def _find_window(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        found = self.windows()
        self.window = found[-1] if found else ""
        return bool(found)

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "2", text)

    def key(self, *keys: str) -> None:
        self._xdotool("key", *keys)

    def click(self, x: int, y: int) -> None:
        """In the window's own pixels."""
        self._xdotool("mousemove", "--window", self.window, str(x), str(y), "click", "1")

    def ask(self, text: str) -> None:
        self.type(text)
        self.key("Return")

    def screenshot(self, path: Path) -> None:
        subprocess.run(
            ["import", "-window", "root", str(path)],
            env={**os.environ, "DISPLAY": self.display},
            check=True,
        )

    def engine(self) -> psutil.Process:
        """The engine child."""
        found: list[psutil.Process] = []

        def search() -> bool:
            children = psutil.Process(self.process.pid).children(recursive=True)
            found[:] = [child for child in children if "engine" in child.cmdline()]
            return bool(found)

        wait_until(search, "an engine child")
        return found[-1]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def quit(self) -> int:
        """Ctrl+Q, as a person would. Returns the exit code."""
        self.focus()
        self.key("ctrl+q")
        return self.process.wait(15)

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, "DISPLAY": self.display},
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout


def rows(database: Path, sql: str) -> list[tuple[object, ...]]:
    """What is committed in the window's database; empty while there is none."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(sql).fetchall()
        except sqlite3.OperationalError:  # the schema is being made
            return []


def answers(database: Path) -> list[tuple[object, ...]]:
    """(status, text) of every answer, oldest first."""
    sql = "SELECT status, text FROM messages WHERE role = 'assistant' ORDER BY id"
    return rows(database, sql)
