"""The real window, the real engine, a real display: a person's first minutes, good and bad."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.helpers.desktop import Desktop, answers, rows, wait_until

LONG = "Write a very long story about a lighthouse, a cat and the sea. Do not stop early."


def _finished(database: Path, n: int = 1) -> bool:
    found = answers(database)
    return len(found) >= n and found[-1][0] != "partial"


def _writing(database: Path, n_letters: int = 40) -> bool:
    found = answers(database)
    return bool(found) and found[-1][0] == "partial" and len(str(found[-1][1])) > n_letters


def test_a_first_chat(window: Desktop, database: Path, tmp_path: Path) -> None:
    window.ask("Give me three names for a small bakery.")
    wait_until(lambda: _finished(database), "an answer")
    (status, text) = answers(database)[0]
    assert status == "done"
    assert len(str(text)) > 10
    engine = window.engine()
    window.screenshot(tmp_path / "chat.png")
    assert (tmp_path / "chat.png").stat().st_size > 10_000
    assert window.quit() == 0
    engine.wait(timeout=2)
    assert rows(database, "SELECT role FROM messages ORDER BY id") == [("user",), ("assistant",)]


def test_stop_keeps_what_was_written_and_the_next_question_works(
    window: Desktop, database: Path
) -> None:
    window.ask(LONG)
    wait_until(lambda: _writing(database), "a growing answer")
    window.key("Escape")
    wait_until(lambda: _finished(database), "the stop", within_s=5)
    status, text = answers(database)[0]
    assert status == "stopped"
    assert len(str(text)) > 40
    window.ask("Say hi.")
    wait_until(lambda: _finished(database, 2), "a second answer")
    assert window.quit() == 0


def test_a_killed_engine_keeps_the_partial_answer_and_is_asked_again(
    window: Desktop, database: Path
) -> None:
    window.ask(LONG)
    wait_until(lambda: _writing(database, n_letters=250), "a growing answer")
    before = str(answers(database)[0][1])
    killed = window.engine()
    os.kill(killed.pid, signal.SIGKILL)
    wait_until(lambda: len(answers(database)) == 2, "the second try", within_s=10)
    status, text = answers(database)[0]
    assert status == "failed"
    assert str(text).startswith(before)
    (error,) = rows(database, "SELECT error FROM messages WHERE status = 'failed'")[0]
    assert "ran out of memory" in str(error)
    wait_until(lambda: bool(answers(database)[1][1]), "an answer of the new engine")
    assert window.engine().pid != killed.pid
    window.key("Escape")
    wait_until(lambda: _finished(database, 2), "the stop", within_s=5)
    assert window.quit() == 0


def test_a_killed_window_loses_nothing_and_leaves_no_engine(
    window: Desktop, database: Path, screen: str, tmp_path: Path
) -> None:
    window.ask(LONG)
    wait_until(lambda: _writing(database), "a growing answer")
    engine = window.engine()
    before = answers(database)[0][1]
    window.kill()
    engine.wait(timeout=2)
    assert rows(database, "SELECT text FROM messages WHERE role = 'user'") == [(LONG,)]
    status, text = answers(database)[0]
    assert status == "partial"
    assert str(text).startswith(str(before))
    with Desktop(screen, tmp_path / "log") as again:
        again.wait_for_window()
        assert answers(database)[0] == (status, text)
        assert again.quit() == 0


def test_a_second_start_raises_the_first(
    window: Desktop, screen: str, database: Path, tmp_path: Path
) -> None:
    with Desktop(screen, tmp_path / "second") as second:
        assert second.process.wait(20) == 0
    assert window.process.poll() is None
    windows = {p.pid for p in psutil.Process().children() if "app" in p.cmdline()}
    assert windows == {window.process.pid}
    assert (tmp_path / "second").read_text() == ""
    window.ask("Say hi.")
    wait_until(lambda: _finished(database), "an answer")
    assert window.quit() == 0


def test_a_polite_kill_keeps_the_answer_so_far(window: Desktop, database: Path) -> None:
    window.ask(LONG)
    wait_until(lambda: _writing(database), "a growing answer")
    engine = window.engine()
    window.process.terminate()
    assert window.process.wait(10) == 0
    engine.wait(timeout=2)
    assert answers(database)[0][0] == "stopped"


def test_without_a_screen_there_is_a_sentence(tmp_path: Path) -> None:
    import sys

    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    result = subprocess.run(
        [sys.executable, "-P", "-m", "app"], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 1
    assert "There is no screen" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("theme", ["dark"])
def test_the_window_starts_in_another_theme(
    screen: str, home: Path, tmp_path: Path, starter_path: Path, theme: str
) -> None:
    from app import paths
    from app.core import settings as s
    from app.core.settings import Settings

    os.environ["NIBBLE_STARTER"] = str(starter_path)
    Settings(paths.settings_file()).set(s.THEME, theme)
    with Desktop(screen, tmp_path / "log") as window:
        window.wait_for_window()
        picture = tmp_path / "dark.png"
        wait_until(lambda: _corner(window, picture) < 80, "a dark window", within_s=10)
        assert window.quit() == 0


def _corner(window: Desktop, picture: Path) -> int:
    """The brightness, 0 to 255, of a pixel of the page's ground."""
    window.screenshot(picture)
    command = ["convert", str(picture), "-crop", "1x1+400+20", "-colorspace", "gray", "txt:-"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(output.split("gray(")[-1].split(")")[0].split(",")[0].split(".")[0])
