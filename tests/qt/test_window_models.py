"""Choosing a model, and what is shown when it cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel

from app.core import settings as s
from app.core.errors import Message, ModelFileError
from app.engine.protocol import Failed
from app.jobs.engine import Phase
from app.jobs.subjects import Origin
from app.ui.chatcolumn import View
from app.ui.controls import Badge
from app.ui.models_page.listquery import ORIGINS
from app.ui.window import CHAT, MODELS
from tests.helpers.fake_engine import bad_file
from tests.helpers.window_kit import MODEL, WindowKit, named


def test_the_first_start_says_what_there_is(kit: WindowKit) -> None:
    kit.wait_for_tasks()
    assert kit.column.view is View.FIRST_START
    assert not kit.column.bar.isVisible()
    assert not kit.page.list.isVisible()
    words = [label.text() for label in kit.page.findChildren(QLabel) if label.isVisible()]
    assert {"You can chat now", "SmolLM2 135M", "187 GB free"} <= set(words)
    assert any(" free of " in text for text in words)
    assert named(kit.page, Badge, "Ready")
    kit.ask("Hi")
    assert kit.column.bar.isVisible()
    assert kit.page.list.isVisible()
    assert kit.page.inspector.isVisible()


def test_a_bad_file_is_refused_and_the_model_stays(kit: WindowKit, tmp_path: Path) -> None:
    kit.ask("Hi")
    kit.answer("Hello")
    with kit.qtbot.waitSignal(kit.window.models.refused):
        kit.column.bar.picker.chosen.emit(bad_file(tmp_path))
    trouble = kit.column.model_trouble
    assert trouble.isVisible()
    assert "broken.gguf" in trouble.text
    assert trouble.hint
    assert kit.engine.state.phase is Phase.READY
    assert kit.transcript_texts() == ["Hi", "Hello"]
    assert kit.settings.get(s.MODEL) != str(tmp_path / "broken.gguf")
    kit.ask("And you?")
    kit.answer("Fine")
    assert len(kit.fake.loads) == 1
    assert trouble.isVisible()  # until it is dismissed
    named(trouble, QAbstractButton, "Dismiss").click()
    assert not trouble.isVisible()


def test_a_model_the_engine_cannot_load_is_said_with_its_detail(kit: WindowKit) -> None:
    kit.ask("Hi")
    kit.answer("Hello")
    kit.fake.load_error = Failed(
        "model",
        Message("test", "This model is of a kind that cannot be loaded."),
        Message("test", "Choose another one."),
        "unknown model architecture: 'mamba9'",
    )
    kit.chat.load_model(Path("/models/odd.gguf"))
    trouble = kit.column.model_trouble
    kit.wait(trouble.isVisible)
    assert trouble.text == "This model is of a kind that cannot be loaded."
    assert kit.transcript_texts() == ["Hi", "Hello"]
    details = named(trouble, QAbstractButton, "Details")
    details.click()
    assert trouble.detail_box.isVisible()
    assert "mamba9" in trouble.detail_box.toPlainText()
    assert "Model stopped" in kit.window.status.phase_text
    kit.fake.load_error = None
    named(trouble, QAbstractButton, "Try again").click()
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert not trouble.isVisible()


def test_without_a_starter_a_file_can_be_opened(
    open_window: Callable[..., WindowKit], starter_path: Path
) -> None:
    error = ModelFileError(
        Message("test", "The starter model is not on this computer."),
        Message("test", "“./packaging/dev run” gets it (93 MB)."),
    )
    kit = open_window(refused=error)
    trouble = kit.column.model_trouble
    assert trouble.isVisible()
    assert trouble.text == "The starter model is not on this computer."
    assert "packaging/dev run" in trouble.hint
    kit.window.models.choose(starter_path)
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert not trouble.isVisible()
    kit.page.flush()
    assert kit.settings.get(s.MODEL) == str(starter_path)


def test_the_picker_lists_and_ticks(kit: WindowKit, starter_path: Path) -> None:
    kit.ask("Hi")
    kit.wait_for_tasks()
    picker = kit.column.bar.picker
    picker.open_menu()
    actions = picker.menu_entries.actions()
    assert "SmolLM2 135M" in actions[0].text()
    assert not actions[0].isChecked()  # another file is loaded
    assert [action.text() for action in actions[-2:]] == ["Open a file…", "Free its memory now"]
    picker.menu_entries.close()
    kit.answer("Hello")
    actions[0].trigger()
    kit.wait(lambda: len(kit.fake.loads) == 2 and kit.engine.state.phase is Phase.READY)
    picker.open_menu()
    assert picker.menu_entries.actions()[0].isChecked()
    picker.menu_entries.close()
    assert picker.accessibleName() == "Model: SmolLM2 135M Q4_1"


def test_a_model_that_has_loaded_is_remembered(kit: WindowKit) -> None:
    kit.page.flush()
    assert kit.settings.get(s.MODEL) == MODEL
    assert MODEL in kit.settings.get(s.RECENT_MODELS)


def test_a_long_load_can_be_cancelled(kit: WindowKit) -> None:
    kit.fake.loads_by_itself = False
    kit.chat.load_model(Path("/models/large.gguf"))
    loading = kit.column.loading
    kit.wait(loading.isVisible)
    named(loading, QAbstractButton, "Cancel").click()
    assert kit.engine.state.phase is Phase.NONE
    assert not loading.isVisible()


def test_the_models_page_lists_and_loads(kit: WindowKit, starter_path: Path) -> None:
    kit.window.show_page(MODELS)
    page = kit.window.current_page
    page.list.chips.choose(ORIGINS.index(Origin.HERE))
    kit.wait(lambda: [row.name for row in page.list.model.rows] == ["SmolLM2 135M"])
    page.open_model(page.list.model.rows[0].key)
    assert [row.variant for row in page.detail.model.rows] == ["Q4_1"]
    with kit.qtbot.waitSignal(kit.window.models.accepted):
        QTest.keyClick(page.detail.table, Qt.Key.Key_Return)
    assert kit.window.page == CHAT
    kit.wait(lambda: kit.fake.loads[-1].path == str(starter_path))


def test_the_inspector_measures(kit: WindowKit) -> None:
    kit.wait_for_tasks()
    kit.ask("Hi")
    kit.answer("Hello")
    inspector = kit.page.inspector
    assert inspector.memory.actual.bar.accessibleDescription().startswith("252 MB of ")
    assert inspector.context.bar.accessibleDescription() == "58 of 4,096 tokens"
    assert inspector.speed.words == ("18.4", "0.41 s", "measured, last answer")
    assert kit.window.status.context_text == "58 of 4,096 tokens"


def test_a_larger_context_needs_a_reload(kit: WindowKit) -> None:
    kit.ask("Hi")
    kit.answer("Hello")
    section = kit.page.inspector.n_ctx
    assert not section.reload_button.isVisible()
    section.row.editor.setValue(8192)
    assert section.reload_button.isVisible()
    section.reload_button.click()
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    assert kit.fake.loads[-1].n_ctx == 8192
    assert not section.reload_button.isVisible()


def test_sampling_goes_along_with_the_next_request(kit: WindowKit) -> None:
    kit.ask("Hi")
    kit.answer("Hello")
    row = kit.page.inspector.sampling.row(s.TEMPERATURE)
    row.editor.setValue(1.25)
    kit.ask("Again")
    assert kit.fake.requests[-1].sampling.temperature == pytest.approx(1.25)


def test_the_system_prompt_belongs_to_the_conversation(kit: WindowKit) -> None:
    kit.page.inspector.prompt.setPlainText("Answer in rhymes.")
    kit.ask("Hi")
    assert kit.fake.requests[0].messages[0].text == "Answer in rhymes."
    kit.answer("Hello")
    kit.page.new_conversation()
    assert kit.page.inspector.prompt.toPlainText() == ""
    kit.window.prefs.set(s.SYSTEM_PROMPT, "Be brief.")
    assert kit.page.inspector.prompt.toPlainText() == "Be brief."
    kit.ask("Hi")
    assert kit.fake.requests[1].messages[0].text == "Be brief."


def test_figures_are_shown_a_few_times_a_second(kit: WindowKit) -> None:
    """Not with every token: the cores are wanted for decoding."""
    kit.ask("Hi")
    kit.fake.say("One ")
    kit.wait(lambda: kit.engine.state.phase is Phase.WRITING)
    shown: list[object] = []
    kit.window.feed.changed.connect(shown.append)
    for number in range(50):
        kit.fake.say(f"{number} ", tps=float(number))
    kit.wait(lambda: kit.window.status.speed_text == "49.0 tokens/s")
    assert len(shown) <= 2
