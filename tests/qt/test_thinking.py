"""Thinking and base models, from the settings to the engine and back into the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core import settings as s
from tests.helpers.window_kit import WindowKit


@pytest.mark.parametrize(("choice", "thinking"), [("auto", None), ("on", True), ("off", False)])
def test_the_choice_goes_along_with_a_question(
    kit: WindowKit, choice: str, thinking: bool | None
) -> None:
    kit.settings.set(s.THINKING, choice)
    kit.ask("What is bread?")
    assert kit.fake.requests[0].thinking is thinking


def test_what_was_thought_goes_along_with_later_questions(kit: WindowKit) -> None:
    kit.ask("What is bread?")
    kit.fake.say("", "They want to bake.")
    kit.answer("Dough.")
    kit.ask("Why?")
    kit.wait(lambda: len(kit.fake.requests) == 2)
    assert [(m.text, m.reasoning) for m in kit.fake.requests[1].messages] == [
        ("What is bread?", ""),
        ("Dough.", "They want to bake."),
        ("Why?", ""),
    ]


def test_a_base_model_is_said_to_be_one(kit: WindowKit) -> None:
    note = kit.window.chat_page.column.base_note
    assert not note.isVisible()
    kit.fake.has_chat_template = False
    kit.chat.load_model(Path("/models/base.gguf"))
    kit.wait(note.isVisible)
    assert "base model" in note.text()
    kit.fake.has_chat_template = True
    kit.chat.load_model(Path("/models/chat.gguf"))
    kit.wait(lambda: not note.isVisible())
