"""A display shared by the module, and a window with an empty home for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import paths
from app.core import settings as s
from app.core.settings import Settings
from tests.helpers import desktop
from tests.helpers.desktop import Desktop


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    with desktop.display() as number:
        yield number


@pytest.fixture
def database(home: Path) -> Path:
    return paths.database_file()


@pytest.fixture
def window(
    screen: str,
    home: Path,
    tmp_path: Path,
    starter_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desktop]:
    monkeypatch.setenv("NIBBLE_STARTER", str(starter_path))
    # Without an end the small model may ramble until its context is full: minutes, if slow.
    settings = Settings(paths.settings_file())
    settings.set(s.MAX_TOKENS, 400)
    settings.set(s.SEED, 3)
    with Desktop(screen, tmp_path / "log") as running:
        running.wait_for_window()
        yield running
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log, log
