"""The Benchmark section and its dialog: run, shown, kept; a question goes first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.core.benchmarks import BenchRecord
from app.core.store import Store
from app.engine.protocol import Load, Stop
from app.ui.benchmark.dialog import BenchmarkDialog
from tests.helpers.machines import MACHINES
from tests.helpers.window_kit import WindowKit

MACHINE = "the computer of the tests"


@pytest.fixture
def measuring(
    open_window: Callable[..., WindowKit], starter_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WindowKit:
    """A window with a real file loaded and nothing measured yet."""
    monkeypatch.setattr("app.jobs.benchmark.machine_of", lambda _computer: MACHINE)
    kit = open_window()
    kit.engine.load(Load(str(starter_path)))
    kit.wait(lambda: kit.page.benchmark.job.state.records is not None)
    return kit


def begin(kit: WindowKit) -> BenchmarkDialog:
    """Open the dialog as a key does; returns once the engine measures."""
    n_before = len(kit.fake.benches)
    link = kit.page.benchmark
    link.open()
    kit.wait(lambda: len(kit.fake.benches) > n_before)
    assert link.dialog is not None
    return link.dialog


def stored(kit: WindowKit, machine: str = MACHINE) -> tuple[BenchRecord, ...]:
    answers: list[tuple[BenchRecord, ...]] = []

    def read(store: Store) -> tuple[BenchRecord, ...]:
        return store.benchmarks(machine)

    kit.chat.read_store(read, answers.append)
    kit.wait(lambda: bool(answers))
    return answers[0]


def texts(dialog: BenchmarkDialog) -> list[str]:
    return [label.text() for label in dialog.findChildren(QLabel) if label.isVisible()]


def test_the_button_measures_shows_and_keeps(measuring: WindowKit) -> None:
    kit, section = measuring, measuring.page.inspector.benchmark
    assert section.open_button.isEnabled()
    QTest.keyClick(section.open_button, Qt.Key.Key_Space)
    kit.wait(lambda: bool(kit.fake.benches))
    dialog = kit.page.benchmark.dialog
    assert dialog is not None
    kit.fake.progress_bench(0.25, 42.0)
    kit.wait(lambda: "Measuring writing, about 42 s left" in texts(dialog))
    kit.fake.finish_bench()
    kit.wait(lambda: "148" in texts(dialog))
    (record,) = stored(kit)
    assert (record.name, record.tg_tps, record.pp_tps) == ("SmolLM2 135M Q4_1", 148.2, 611.0)
    assert record.created_at > 0
    assert stored(kit, "another computer") == ()
    shown = texts(dialog)
    assert {"0.06 s", "1.34 s", "0.09 s", "0.12 s", "309 MB"} <= set(shown)
    assert dialog.start_button.text() == "Measure again"


def test_the_share_of_the_bandwidth_is_said(measuring: WindowKit) -> None:
    """98 MB of weights and half of 128 tokens of cache, 148.2 times a second."""
    dialog = begin(measuring)
    measuring.fake.finish_bench()
    measuring.wait(lambda: not measuring.page.benchmark.job.state.is_running)
    (record,) = stored(measuring)
    bandwidth = MACHINES["laptop-16-no-gpu"].ram_bandwidth
    expected = 148.2 * 99.8e6 / bandwidth
    assert record.bandwidth_share == pytest.approx(expected, rel=0.03)
    assert f"{round(100 * record.bandwidth_share)} % of {bandwidth / 1e9:.1f} GB/s" in texts(dialog)


def test_a_question_goes_first(measuring: WindowKit) -> None:
    kit = measuring
    dialog = begin(kit)
    kit.ask("Hello")
    assert Stop(kit.fake.benches[-1].request_id) in kit.fake.commands
    kit.answer("Hi.")
    kit.wait(lambda: not kit.page.benchmark.job.state.is_running)
    assert any("Your question went first" in text for text in texts(dialog))
    assert stored(kit) == ()
    assert dialog.start_button.isEnabled()


def test_cancel_keeps_nothing_and_leaves_the_model_as_it_is(measuring: WindowKit) -> None:
    kit = measuring
    dialog = begin(kit)
    QTest.keyClick(dialog.running.cancel_button, Qt.Key.Key_Space)
    assert kit.page.benchmark.job.can_start
    assert stored(kit) == ()
    assert kit.engine.state.loaded is not None
    assert not dialog.running.isVisible()


def test_a_failure_is_said_and_another_try_is_possible(measuring: WindowKit) -> None:
    kit = measuring
    dialog = begin(kit)
    kit.fake.fail_bench("The context is full.")
    kit.wait(lambda: "The context is full." in texts(dialog))
    assert kit.engine.state.loaded is not None  # the model is still there
    dialog.start_button.click()
    kit.wait(lambda: len(kit.fake.benches) == 2)
    assert "The context is full." not in texts(dialog)


def test_an_engine_that_dies_ends_it(measuring: WindowKit) -> None:
    kit = measuring
    begin(kit)
    kit.fake.die()
    kit.wait(lambda: not kit.page.benchmark.job.state.is_running)
    assert kit.page.benchmark.job.state.error is not None


def test_results_stand_beside_each_other_after_a_restart(
    measuring: WindowKit, open_window: Callable[..., WindowKit], starter_path: Path
) -> None:
    begin(measuring)
    measuring.fake.finish_bench()
    measuring.wait(lambda: not measuring.page.benchmark.job.state.is_running)
    (record,) = stored(measuring)
    kit = open_window()
    kit.engine.load(Load(str(starter_path)))
    job = kit.page.benchmark.job
    kit.wait(lambda: job.state.records is not None and job.state.loaded is not None)
    assert job.state.records == stored(kit)
    assert [r.tg_tps for r in job.state.records or ()] == [record.tg_tps]
    n_before = len(kit.fake.benches)
    kit.page.benchmark.open()
    dialog = kit.page.benchmark.dialog
    assert dialog is not None
    assert len(kit.fake.benches) == n_before  # what is known is shown, not measured again
    (row,) = dialog.others.rows
    assert row.accessibleName().startswith("SmolLM2 135M Q4_1: 148 tokens/s, reads 611")
    assert row.focusPolicy() & Qt.FocusPolicy.TabFocus
