"""Starts the real window once on a display of its own and closes it: does the app start at all?

The home folder is empty and temporary, as for a first start. Linux with X11 only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devtools.console import SetupError, say

_APPEARS_WITHIN_S = 30.0
_MUST_LIVE_S = 3.0
_ENDS_WITHIN_S = 10.0
_TITLE = "Nibble"


def smoke(python: Path, starter: Path) -> int:
    """Raises SetupError when the window does not come, dies, or leaves processes behind."""
    with tempfile.TemporaryDirectory(prefix="nibble-smoke-") as folder, _display() as display:
        env = _first_start(Path(folder), display, starter)
        log = Path(folder) / "log"
        with log.open("wb") as output, _app(python, env, output) as app:
            try:
                seconds = _use(app, env)
                _check_nothing_left(folder)
            except SetupError:
                say(log.read_text(errors="replace")[-4000:])
                raise
        said = log.read_text(errors="replace")
        if "Traceback" in said:
            say(said[-4000:])
            raise SetupError("The window worked, but a Python error was reported (above).")
    say(f"The window opened after {seconds:.1f} s, stayed and closed in order.")
    return 0


def _use(app: subprocess.Popen[bytes], env: dict[str, str]) -> float:
    """Wait for the window, let it live, close it. Returns the seconds until it appeared."""
    started_at = time.monotonic()
    window = _wait_for_window(app, env)
    seconds = time.monotonic() - started_at
    time.sleep(_MUST_LIVE_S)
    if app.poll() is not None:
        raise SetupError(
            f"The window died within {_MUST_LIVE_S:.0f} s (exit code {app.returncode})."
        )
    _close(app, env, window)
    return seconds


def _first_start(folder: Path, display: str, starter: Path) -> dict[str, str]:
    """An environment without anything of this user's but the starter model."""
    kept = {"PATH", "LANG", "TERM"}
    env = {name: value for name, value in os.environ.items() if name in kept}
    env |= {"HOME": str(folder), "DISPLAY": display, "NIBBLE_STARTER": str(starter)}
    env |= {"QT_QPA_PLATFORM": "xcb", "PYTHONFAULTHANDLER": "1"}
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        env[f"XDG_{name}_HOME"] = str(folder / name.lower())
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    env["XDG_RUNTIME_DIR"] = str(runtime)
    return env


@contextmanager
def _display() -> Iterator[str]:
    """An X server on a display number that it finds itself."""
    read_end, write_end = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(write_end),
        "-screen",
        "0",
        "1400x900x24",
        "-nolisten",
        "tcp",
    ]
    server = subprocess.Popen(
        command, pass_fds=[write_end], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise SetupError("Xvfb did not start.")
        yield f":{number}"
    finally:
        _end(server)


@contextmanager
def _app(python: Path, env: dict[str, str], output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    app = subprocess.Popen(
        [str(python), "-P", "-m", "app"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    try:
        yield app
    finally:
        _end(app)


def _wait_for_window(app: subprocess.Popen[bytes], env: dict[str, str]) -> str:
    deadline = time.monotonic() + _APPEARS_WITHIN_S
    while time.monotonic() < deadline:
        if app.poll() is not None:
            raise SetupError(
                f"Nibble ended before its window appeared (exit code {app.returncode})."
            )
        found = _xdotool(env, "search", "--onlyvisible", "--name", _TITLE).split()
        if found:
            return found[0]
        time.sleep(0.1)
    raise SetupError(f"No window called {_TITLE} appeared within {_APPEARS_WITHIN_S:.0f} s.")


def _close(app: subprocess.Popen[bytes], env: dict[str, str], window: str) -> None:
    """Ctrl+Q as a person would; there is no window manager, so the focus is set by hand."""
    _xdotool(env, "windowfocus", "--sync", window, "key", "ctrl+q")
    try:
        code = app.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise SetupError(f"Ctrl+Q did not end Nibble within {_ENDS_WITHIN_S:.0f} s.") from None
    if code:
        raise SetupError(f"Nibble ended with exit code {code}.")


def _check_nothing_left(folder: str) -> None:
    """The engine must go with the window: no process may still have the temporary home folder."""
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while left := _processes_with_home(folder):
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise SetupError(f"Nibble left {len(left)} process(es) running after it ended.")
        time.sleep(0.1)


def _processes_with_home(folder: str) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"HOME={folder}\0".encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:
            continue  # another user's, or gone by now
    return found


def _xdotool(env: dict[str, str], *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["xdotool", *arguments], env=env, capture_output=True, text=True, timeout=10
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
