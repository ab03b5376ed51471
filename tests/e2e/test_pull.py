"""A download in the real window: killed in the middle, gone on with, chatted with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app import paths
from app.core import settings as s
from app.core.catalog import load_catalog
from app.core.settings import Settings
from app.hub.pull import download_folder
from tests.helpers.desktop import Desktop, answers, wait_until
from tests.helpers.fake_hub import FakeHub

MB = 1_000_000


@pytest.fixture
def hub(starter_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub where all variants of the catalogue's first model are the starter model."""
    first = load_catalog()[0]
    repos = {file.repo for file in first.files}
    with FakeHub() as made:
        for repo in repos:
            own = [file for file in first.files if file.repo == repo]
            made.add_repo(repo, {path: starter_path for f in own for path, _, _ in f.files})
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        monkeypatch.setenv("NIBBLE_STARTER", str(starter_path))
        yield made


@pytest.fixture
def target(hub: FakeHub, home: Path) -> Path:
    """Where the file of the largest variant is to be, which is the one to take."""
    file = load_catalog()[0].files[0]
    assert not file.commit  # else its hash is not the starter's
    return download_folder(file.repo) / file.files[0][0]


# In a window of 1280 x 820: the button of the recommended row, and that of the last row in the dock
# (from the right and from the bottom).
DOWNLOAD = (1208, 246)
MAIN_BUTTON = (1280 - 24 - 28 - 8 - 40, 820 - 28 - 8 - 18)


def _begin(window: Desktop, hub: FakeHub) -> None:
    """The page opens on the first model, its recommended variant chosen."""
    window.key("ctrl+2")
    _click_until(window, DOWNLOAD, lambda: hub.traffic > 2 * MB, "the download to begin")


def _click_until(
    window: Desktop, place: tuple[int, int], condition: Callable[[], object], what: str
) -> None:
    """Click; again, where what is to be clicked was not there yet."""
    for _ in range(10):
        window.click(*place)
        with suppress(AssertionError):
            wait_until(condition, what, within_s=5)
            return
    wait_until(condition, what, within_s=5)


def test_a_killed_download_goes_on_and_its_model_chats(
    screen: str,
    hub: FakeHub,
    target: Path,
    tmp_path: Path,
    starter_path: Path,
    database: Path,
) -> None:
    settings = Settings(paths.settings_file())
    settings.set(s.MAX_TOKENS, 60)
    settings.set(s.SEED, 3)
    size = starter_path.stat().st_size

    hub.faults.bytes_per_s = 2 * MB
    with Desktop(screen, tmp_path / "log") as window:
        window.wait_for_window()
        _begin(window, hub)
        wait_until(lambda: hub.traffic > 60 * MB, "a good part of the file")
        window.kill()
    assert not target.exists()
    assert hub.traffic < size

    hub.faults.bytes_per_s = 0
    hub.forget()
    with Desktop(screen, tmp_path / "log") as window:
        window.wait_for_window()
        window.screenshot(tmp_path / "again.png")
        window.key("ctrl+2")
        _click_until(window, MAIN_BUTTON, lambda: hub.traffic > MB, "the download to go on")
        wait_until(target.exists, "the whole file")
        assert hub.traffic < size - 10 * MB
        loaded = lambda: Settings(paths.settings_file()).get(s.MODEL)  # noqa: E731
        _click_until(
            window, MAIN_BUTTON, lambda: loaded() == str(target), "the new model in the chat"
        )
        window.ask("Say hi.")
        wait_until(lambda: answers(database) and answers(database)[0][0] == "done", "an answer")
        assert window.quit() == 0
    assert (
        hashlib.sha256(target.read_bytes()).digest()
        == hashlib.sha256(starter_path.read_bytes()).digest()
    )
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_closing_while_a_download_runs_is_quick_and_keeps_what_came(
    screen: str,
    hub: FakeHub,
    target: Path,
    tmp_path: Path,
) -> None:
    hub.faults.bytes_per_s = MB
    with Desktop(screen, tmp_path / "log") as window:
        window.wait_for_window()
        _begin(window, hub)
        wait_until(lambda: hub.traffic > 10 * MB, "a part of the file")
        assert window.quit() == 0
    assert not target.exists()
    assert len(list(target.parent.iterdir())) == 3  # the part, what is known of it, the list
    assert "Traceback" not in (tmp_path / "log").read_text()
