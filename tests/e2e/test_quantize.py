"""Quantizing in the real window, with the real child, by keys alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from app import paths
from app.core import settings as s
from app.core.settings import Settings
from quantize.gguf_header import read_header
from tests.helpers.desktop import Desktop, answers, wait_until


def _files() -> list[Path]:
    return sorted(paths.models_dir().glob("*.gguf"))


def _leftovers() -> list[str]:
    """What lies in the models folder beside whole files."""
    folder = paths.models_dir()
    found = folder.iterdir() if folder.is_dir() else ()
    return [path.name for path in found if path.suffix != ".gguf" or path.name.startswith(".")]


def _children(window: Desktop) -> list[psutil.Process]:
    children = psutil.Process(window.process.pid).children(recursive=True)
    return [child for child in children if _quantizes(child)]


def _quantizes(child: psutil.Process) -> bool:
    try:
        return "quantize" in child.cmdline()
    except psutil.NoSuchProcess:  # it has just ended
        return False


@pytest.fixture
def planned(window: Desktop, starter_path: Path) -> Desktop:
    """The window with the table for the starter: a GGUF file, chosen in the file dialog."""
    window.key("ctrl+3")
    window.key("Tab", "Tab", "Tab")
    window.key("space")
    window.choose_file(starter_path)
    wait_until(lambda: _children(window), "a child that plans")
    wait_until(lambda: not _children(window), "the plan")
    return window


def test_a_model_is_made_and_chatted_with(planned: Desktop, database: Path, tmp_path: Path) -> None:
    planned.key("ctrl+Return")
    wait_until(lambda: len(_files()) == 2, "two files")
    wait_until(lambda: not _children(planned), "the child's end")
    assert {read_header(file).variant for file in _files()} == {"Q8_0", "Q4_K_M"}
    assert _leftovers() == []
    planned.screenshot(tmp_path / "results.png")
    planned.key("space")  # "Chat with it" has the focus
    loaded = lambda: Settings(paths.settings_file()).get(s.MODEL)  # noqa: E731
    wait_until(lambda: Path(str(loaded())) in _files(), "the new model in the chat")
    planned.ask("Say hi.")
    wait_until(lambda: answers(database) and answers(database)[0][0] == "done", "an answer")
    assert planned.quit() == 0


def test_a_killed_child_leaves_nothing_and_the_window_goes_on(
    planned: Desktop, database: Path
) -> None:
    planned.key("ctrl+Return")
    wait_until(lambda: _children(planned), "a child that works")
    os.kill(_children(planned)[0].pid, signal.SIGKILL)
    wait_until(lambda: not _children(planned), "its end")
    assert _files() == []
    planned.key("ctrl+1")
    planned.ask("Say hi.")
    wait_until(lambda: answers(database) and answers(database)[0][0] == "done", "an answer")
    assert planned.quit() == 0


def test_a_polite_kill_cancels_and_leaves_nothing(planned: Desktop) -> None:
    planned.key("ctrl+Return")
    wait_until(lambda: _children(planned), "a child that works")
    planned.process.terminate()
    assert planned.process.wait(15) == 0
    assert _files() == []
    assert _leftovers() == []
