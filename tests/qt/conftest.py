"""Windows for the tests of the window."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.hub import sent
from app.ui import style
from app.ui.theme import theme
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.machines import MACHINES
from tests.helpers.window_kit import WindowKit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The offscreen platform warns of everything that only a window manager could do."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.qt_log_ignore("This plugin does not support", extend=True))


@pytest.fixture(autouse=True)
def _collects_on_this_thread() -> Iterator[None]:
    """As in the window, see app/ui/garbage.py: no worker destroys a widget."""
    if gc.isenabled():
        gc.disable()
        gc.freeze()  # all that was imported: looking through it each time takes as long as a test
    yield
    gc.collect()


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def open_window(
    qtbot: QtBot, tmp_path: Path, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., WindowKit]]:
    """Opens windows on the same folder, one after the other; closes what is still open."""
    machine = MACHINES["laptop-16-no-gpu"]
    monkeypatch.setattr("app.engine.client.examine", lambda _folder: machine)
    computer = "app.ui.models_page.link.ThisComputer.look"
    monkeypatch.setattr(computer, lambda _self: (machine, False))
    sent.forget()  # what an earlier test sent, this start of the program did not
    opened: list[WindowKit] = []

    def open_one(**how: object) -> WindowKit:
        while opened:
            opened.pop().close()
        opened.append(WindowKit(qtbot, tmp_path, fake, **how))
        return opened[0]

    yield open_one
    for kit in opened:
        kit.close()
    theme().follow("light")
    style.apply_text_scale(100)


@pytest.fixture
def kit(open_window: Callable[..., WindowKit]) -> WindowKit:
    """A window at its first start."""
    return open_window()
