"""The inspector's settings: what is chosen, what the model's maker wants, what a load takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace as with_state
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.core import library
from app.core import settings as s
from app.core.errors import Message
from app.engine.protocol import Loaded
from app.jobs.drafts import DraftChoice, Drafts
from app.jobs.engine import Phase
from app.jobs.tasks import TaskThread
from app.ui import sampling
from tests.helpers.window_kit import WindowKit

# Needed by nothing that is there when the window becomes visible.
LATER = (
    "app.core.fit",
    "app.core.hardware.machine",
    "app.core.recommend",
    "app.hub",
    "app.jobs.catalogue",
    "app.jobs.downloads",
    "app.jobs.drafts",
    "app.jobs.predicting",
    "app.engine.examine",
    "app.ui.models_page",
    "app.ui.settingspage",
    "quantize.gguf_header",
)


@pytest.fixture
def kit(open_window: Callable[..., WindowKit]) -> WindowKit:
    """Past the first start, which shows no inspector."""
    kit = open_window()
    kit.ask("Hi")
    kit.answer("Hello")
    return kit


@pytest.fixture
def with_starter(
    open_window: Callable[..., WindowKit], starter_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WindowKit:
    monkeypatch.setattr("tests.helpers.window_kit.MODEL", str(starter_path))
    return open_window()


def become(kit: WindowKit, **what: object) -> Loaded:
    """As if a model had been loaded that differs in `what`."""
    loaded = replace(kit.engine.state.loaded, **what)
    kit.engine._set(with_state(kit.engine.state, loaded=loaded))
    return loaded


def test_the_window_is_there_before_what_it_does_not_need() -> None:
    program = "import sys, app.ui.application, app.ui.window; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    imported = done.stdout.split()
    assert [name for name in LATER if name in imported] == []


# --- sampling ---------------------------------------------------------------------------------


def test_every_sampler_has_its_place_once() -> None:
    groups = (sampling.MAIN, sampling.LENGTH, sampling.REPETITION, sampling.VARIETY)
    placed = [each for group in (*groups, sampling.MIROSTAT, sampling.FORM) for each in group]
    assert sorted(each.key for each in placed) == sorted(each.key for each in s.SAMPLING)


def test_folds_are_made_when_they_are_opened(kit: WindowKit) -> None:
    fold = kit.page.inspector.sampling.folds[sampling.VARIETY]
    assert fold.content is None
    QTest.keyClick(fold.button, Qt.Key.Key_Space)
    assert kit.page.inspector.sampling.row(s.XTC_PROBABILITY).editor.isVisible()
    QTest.keyClick(fold.button, Qt.Key.Key_Space)
    assert not kit.page.inspector.sampling.row(s.XTC_PROBABILITY).editor.isVisible()


def test_what_is_changed_is_marked_and_can_be_set_back(kit: WindowKit) -> None:
    section = kit.page.inspector.sampling
    row, fold = section.row(s.DRY_MULTIPLIER), section.folds[sampling.REPETITION]
    fold.open()
    assert not row.reset_button.isVisible()
    row.editor.setValue(0.8)
    assert row.reset_button.isVisible()
    assert row.name.property("strong")
    assert fold.button.text() == "Repetition · 1 changed"
    row.reset_button.click()
    assert row.editor.value() == 0
    assert not row.reset_button.isVisible()
    assert fold.button.text() == "Repetition"
    kit.page.flush()
    assert not kit.settings.is_set(s.DRY_MULTIPLIER)


def test_the_models_defaults_hold_until_somebody_chooses(kit: WindowKit) -> None:
    row = kit.page.inspector.sampling.row(s.TEMPERATURE)
    become(kit, sampling=(("temperature", 0.6000000238418579), ("mirostat", 2.0)))
    assert (row.editor.value(), row.note.text()) == (0.6, "Model's default 0.60")
    assert not row.is_changed
    assert kit.page.inspector.sampling.row(s.MIROSTAT).editor.currentData() == "2"
    kit.page.flush()
    assert not kit.settings.is_set(s.TEMPERATURE), "shown is not chosen"
    row.editor.setValue(s.TEMPERATURE.default)
    kit.page.flush()
    assert kit.settings.is_set(s.TEMPERATURE), "the app's default can be chosen over the model's"
    assert row.is_changed
    assert row.note.isVisible()
    become(kit, sampling=())
    assert row.editor.value() == s.TEMPERATURE.default
    assert not row.note.isVisible()


def test_a_mistake_in_a_schema_is_said_at_once(kit: WindowKit) -> None:
    section = kit.page.inspector.sampling
    section.folds[sampling.FORM].open()
    row = section.row(s.JSON_SCHEMA)
    QTest.keyClicks(row.editor, '{"type"')
    assert row.mistake == "The JSON is not finished."
    assert row.note.isVisible()
    assert row.mistake in row.editor.accessibleDescription()
    QTest.keyClicks(row.editor, ': "object"}')
    assert not row.note.isVisible()
    grammar = section.row(s.GRAMMAR)
    grammar.editor.setPlainText('root ::= "a"')
    assert not grammar.mistake
    row.editor.hand_over()
    assert grammar.mistake == "Not used while there is a JSON schema."


# --- thinking ---------------------------------------------------------------------------------


def test_thinking_is_offered_where_the_model_can(kit: WindowKit) -> None:
    inspector, toggle = kit.page.inspector, kit.page.about.think.button
    assert not inspector.thinking.isVisible()
    assert not toggle.isVisible()
    become(kit, can_think=True)
    assert inspector.thinking.isVisible()
    assert toggle.isVisible()
    assert not toggle.isChecked()
    toggle.click()
    assert kit.window.prefs.get(s.THINKING) == "on"
    assert inspector.thinking.choice.current == 1
    inspector.thinking.choice.chosen.emit(2)
    assert kit.window.prefs.get(s.THINKING) == "off"
    assert not toggle.isChecked()
    become(kit, can_think=False)
    assert not toggle.isVisible()


# --- what a load takes ------------------------------------------------------------------------


def test_a_precision_says_what_it_saves(with_starter: WindowKit) -> None:
    kit, section = with_starter, with_starter.page.inspector.n_ctx
    kit.wait(lambda: bool(section.saving.text()))
    assert section.saving.text() == "94 MB in f16; q8_0 would save 44 MB, q4_0 68 MB"
    section.row.editor.setValue(8192)
    kit.window.prefs.set(s.KV_TYPE, "q8_0")
    assert section.saving.text() == "q8_0 saves 88 MB of 189 MB"
    assert section.saving.text() in section.kv_row.editor.accessibleDescription()


def test_a_precision_and_a_draft_model_need_a_reload(kit: WindowKit, tmp_path: Path) -> None:
    section = kit.page.inspector.n_ctx
    draft = tmp_path / "small.gguf"
    draft.touch()
    assert not section.draft.isVisible()
    assert not section.reload_button.isVisible()
    section.draft.show_choices((DraftChoice(str(draft), "Small Q4_K_M", 98_000_000),))
    box = section.draft.box
    assert [box.itemText(at) for at in range(box.count())] == ["None", "Small Q4_K_M (98 MB)"]
    box.setCurrentIndex(1)
    box.activated.emit(1)
    kit.window.prefs.set(s.KV_TYPE, "q8_0")
    assert section.reload_button.isVisible()
    section.reload_button.click()
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert (kit.fake.loads[-1].kv_type, kit.fake.loads[-1].draft_path) == ("q8_0", str(draft))
    assert not section.reload_button.isVisible()


def test_what_a_load_gave_up_is_said_in_one_sentence(kit: WindowKit) -> None:
    sentence = "Only 20 of 32 layers fit the graphics card; the rest runs on the processor."
    become(kit, n_smaller=1, notice=Message("engine", sentence))
    assert kit.window.trouble.texts == [sentence]
    become(kit, n_smaller=2, notice=None, n_gpu_layers=12)
    (text,) = kit.window.trouble.texts
    assert "4,096 tokens of context and 12 layers" in text
    become(kit, n_smaller=0, notice=None)
    assert kit.window.trouble.texts == []


# --- figures ----------------------------------------------------------------------------------


def test_what_was_remembered_and_guessed_is_told(kit: WindowKit) -> None:
    kit.fake.done = {"n_prompt": 3000, "n_cached": 2950, "n_guessed": 60, "n_true": 41}
    kit.ask("Hi")
    message = kit.answer("Hello")
    lines = ["2,950 of 3,000 tokens were remembered", "41 of 60 guesses came true"]
    assert kit.page.inspector.speed.reused.text().splitlines() == lines
    about = kit.window.status._speed.toolTip()
    assert all(line in about for line in lines)
    again = kit.store.message(message.id).stats
    assert again is not None
    assert (again.n_guessed, again.n_true) == (60, 41)


def test_small_models_with_the_same_tokens_can_guess(
    qtbot: QtBot, starter_path: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large.gguf"
    large.symlink_to(starter_path)
    starter = library.describe(starter_path)
    broken = with_state(starter, path=tmp_path / "gone.gguf")
    tasks = TaskThread("tasks")
    drafts = Drafts(tasks)
    with qtbot.waitSignal(drafts.found, timeout=5000) as found:
        drafts.look(str(large), 4 * starter.size_bytes, (starter, broken))
    assert [choice.path for choice in found.args[0]] == [str(starter_path)]
    with qtbot.waitSignal(drafts.found, timeout=5000) as found:
        drafts.look(str(large), 2 * starter.size_bytes, (starter,))
    assert found.args[0] == (), "half as large is too slow to help"
    tasks.close()
