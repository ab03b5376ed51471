"""`nibble chat`: what binds an answer and what makes it faster, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app import cli

QUESTION = ("chat", "--json", "-p", "Is Paris in France?", "--seed", "3")


@pytest.fixture(autouse=True)
def _starter(starter_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("NIBBLE_STARTER", str(starter_path))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, dict[str, object]]:
    """(text, figures) of the answer."""
    assert cli.run([*QUESTION, *arguments]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return "".join(line["text"] for line in lines if line["event"] == "token"), lines[-1]


def test_an_answer_of_a_schema_or_a_grammar(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"enum": ["yes", "no"]}')
    text, done = answer(capsys, "--json-schema", str(schema))
    assert json.loads(text) in ("yes", "no")
    assert done["n_guessed"] == done["n_true"] == 0
    text, _ = answer(capsys, "--grammar", 'root ::= "Oui" | "Non"', "--temp", "1.5")
    assert text in ("Oui", "Non")


def test_flags_for_sampling_and_stopping(capsys: pytest.CaptureFixture[str]) -> None:
    greedy = ("--max-tokens", "16", "--temp", "0")
    text, _ = answer(capsys, *greedy)
    same, _ = answer(capsys, "--max-tokens", "16", "--temp", "1.9", "--top-k", "1", "--no-lookup")
    assert same[:10] == text[:10]
    part = text[6:9]
    stopped, done = answer(capsys, *greedy, "--stop", "never written", "--stop", part)
    assert stopped == text.partition(part)[0]
    assert done["stop_reason"] == "stop"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--json-schema", "{"), "JSON schema"),
        (("--grammar", 'root ::= "'), "grammar"),
        (("--draft", "no such name"), "no model called"),
    ],
)
def test_a_mistake_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert cli.run([*QUESTION, *arguments]) == 1
    assert words in capsys.readouterr().err


def test_a_draft_model_that_cannot_help_is_said(
    capsys: pytest.CaptureFixture[str], starter_path: Path, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.gguf"
    draft.symlink_to(starter_path)
    assert cli.run([*QUESTION, "--draft", str(draft), "--max-tokens", "3"]) == 0
    assert "draft model is not used" in capsys.readouterr().err
