"""A 24-hour life compressed: no message lost, no engine left behind, no memory leaked.

`dev soak` runs the whole day; a seeded hour of it runs every time. `NIBBLE_SOAK_SEED` repeats one.
"""

from __future__ import annotations

import faulthandler
import os
import secrets
import sys
import time
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.helpers.soaking import Plan, Soak, growth

ROOT = Path(__file__).resolve().parents[2]
LEAK = 0.02
LIMIT_S = 2400


@pytest.fixture
def models(starter_path: Path, tmp_path: Path) -> list[Path]:
    """The starter, and a second one: a real other model where there is one."""
    folder = Path(os.environ.get("NIBBLE_TEST_MODELS", ROOT / ".cache" / "models"))
    others = sorted(folder.glob("gemma-3-270m*.gguf"))
    if not others:
        others = [tmp_path / "other.gguf"]
        others[0].symlink_to(starter_path)
    return [starter_path, others[0]]


@pytest.fixture
def _a_day_in_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day's deaths come within minutes, and are no reason to give the model up."""
    monkeypatch.setattr("app.jobs.engine._RESTART_WINDOW_S", 0.5)


@pytest.mark.usefixtures("_a_day_in_minutes")
def test_an_hour(qtbot: QtBot, tmp_path: Path, starter_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.symlink_to(starter_path)
    plan = Plan(seed=7, n_chats=10, n_switches=3, n_kills=2)
    soak = Soak(qtbot, tmp_path, [starter_path, other], plan)
    try:
        soak.run()
    finally:
        soak.finish()
    assert (soak.seen.n_kills, soak.seen.n_switches) == (2, 3)
    assert len(soak.seen.questions) >= 10


@pytest.mark.soak
@pytest.mark.usefixtures("_a_day_in_minutes")
def test_a_day(
    qtbot: QtBot, tmp_path: Path, models: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    # Longer than any other test may take; one that hangs is ended all the same.
    faulthandler.dump_traceback_later(LIMIT_S, exit=True, file=sys.__stderr__)
    seed = int(os.environ.get("NIBBLE_SOAK_SEED", "0")) or secrets.randbelow(10**6) + 1
    n_chats = int(os.environ.get("NIBBLE_SOAK_CHATS", "500"))
    say(f"seed {seed}")
    started = time.monotonic()
    plan = Plan(seed, n_chats, n_switches=n_chats // 10, n_kills=n_chats // 25)
    soak = Soak(qtbot, tmp_path, models, plan)
    try:
        soak.run()
    finally:
        soak.finish()
    seen = soak.seen
    leaks = {"window": growth(seen.window)}
    leaks |= {f"engine with {name}": growth(sizes) for name, sizes in seen.engine.items()}
    say(
        f"{len(seen.questions)} questions, {seen.n_switches} switches, {seen.n_kills} kills, "
        f"{seen.n_branches} answers kept beside their second try, {len(seen.pids)} engines, "
        f"{time.monotonic() - started:.0f} s"
    )
    for name, share in leaks.items():
        say(f"{name}: {share:+.2%}")
    assert all(share <= LEAK for share in leaks.values()), leaks
