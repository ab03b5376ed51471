"""The guards in conftest.py see what they are there to see."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.helpers import leaks


def test_sees_a_child_that_runs() -> None:
    before = leaks.running_children()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert [process.pid for process in leaks.leaked_children(before, 0)] == [child.pid]
    finally:
        child.communicate(b"\n")
    assert leaks.leaked_children(before, 0) == []


def test_a_child_has_a_moment_to_end() -> None:
    before = leaks.running_children()
    wait = "import time; time.sleep(0.2)"
    with subprocess.Popen([sys.executable, "-c", wait]):
        assert leaks.leaked_children(before) == []


def test_sees_a_thread_that_runs() -> None:
    before = threading.enumerate()
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    daemon = threading.Thread(target=go_on.wait, daemon=True)
    thread.start()
    daemon.start()
    try:
        assert leaks.leaked_threads(before, 0) == [thread]
    finally:
        go_on.set()
        thread.join()
        daemon.join()
    assert leaks.leaked_threads(before, 0) == []


def test_every_folder_is_below_the_temporary_home(home: Path) -> None:
    from app import paths

    assert Path.home() == home
    folders = (paths.config_dir(), paths.data_dir(), paths.cache_dir())
    assert all(folder.is_relative_to(home) for folder in folders)
    assert Path(os.environ["XDG_RUNTIME_DIR"]).stat().st_mode & 0o777 == 0o700
