"""The command line as scripts use it: exit codes, JSON, one sentence for trouble, no display."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import paths


def _environment(starter: Path) -> dict[str, str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "NIBBLE_STARTER": str(starter)}


def _run(
    starter: Path, *arguments: str, stdin: str | None = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=_environment(starter),
    )


def _json(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_doctor_says_what_is_here(starter_path: Path) -> None:
    report = _json(_run(starter_path, "doctor", "--json"))
    for key in ("version", "llama_cpp", "cpu", "ram_total_bytes", "ram_available_bytes"):
        assert report[key], key
    assert report["problems"] == []
    (cpu,) = [device for device in report["devices"] if device["backend"] == "cpu"]
    assert {"name", "backend", "total_bytes", "free_bytes", "usable"} <= cpu.keys()
    assert "Nothing is wrong." in _run(starter_path, "doctor").stdout


def test_doctor_names_settings_it_cannot_read(starter_path: Path, home: Path) -> None:
    paths.settings_file().parent.mkdir(parents=True)
    paths.settings_file().write_text("{")
    assert "settings could not be read" in str(
        _json(_run(starter_path, "doctor", "--json"))["problems"]
    )


def test_models_lists_what_can_be_loaded(starter_path: Path, home: Path) -> None:
    paths.models_dir().mkdir(parents=True)
    (paths.models_dir() / "broken.gguf").write_bytes(b"GGUF")
    (found,) = _json(_run(starter_path, "models", "--json"))
    assert (found["name"], found["variant"]) == ("SmolLM2 135M", "Q4_1")
    assert found["size_bytes"] == starter_path.stat().st_size


def test_a_pipe_is_answered_without_a_display(starter_path: Path) -> None:
    result = _run(starter_path, "chat", "--max-tokens", "8", stdin="hi\n")
    assert result.returncode == 0
    assert result.stdout.strip()
    assert result.stderr == ""


def test_chat_in_json_lines(starter_path: Path) -> None:
    arguments = ("chat", "-p", "Hello", "--json", "--max-tokens", "12", "--seed", "5")
    result = _run(starter_path, *arguments, "--temp", "0.5")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["event"] for line in lines[:-1]} == {"token"}
    done = lines[-1]
    assert done["event"] == "done"
    assert done["seed"] == 5
    assert {"n_prompt", "n_generated", "tps", "ttft_ms", "stop_reason"} <= done.keys()
    again = _run(starter_path, *arguments, "--temp", "0.5")
    text = "".join(line["text"] for line in lines[:-1])
    assert text == "".join(json.loads(x)["text"] for x in again.stdout.splitlines()[:-1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("chat", "-m", "/nowhere/model.gguf", "-p", "hi"), "is not there"),
        (("chat", "-m", "no such name", "-p", "hi"), "no model called"),
        (("chat",), "There is no prompt."),
        (("bench", "-m", "/"), "is a folder"),
    ],
)
def test_trouble_is_one_sentence_and_a_hint(
    starter_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = _run(starter_path, *arguments)
    assert result.returncode == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 2
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("chat", "--temp", "9"), ("chat", "--ctx", "-5"), ("chat", "--seed", "x")],
)
def test_bad_usage_is_exit_2(starter_path: Path, arguments: tuple[str, ...]) -> None:
    assert _run(starter_path, *arguments).returncode == 2


def test_no_starter_names_the_command_that_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app import cli

    monkeypatch.delenv("NIBBLE_STARTER", raising=False)
    monkeypatch.setattr("app.paths.resources.path", lambda name: tmp_path / name)
    assert cli.run(["chat", "-p", "hi"]) == 1
    assert "./packaging/dev run" in capsys.readouterr().err


def test_ctrl_c_stops_and_says_so_by_its_exit_code(starter_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "app", "chat", "-p", "Write a very long story.", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(starter_path),
    )
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert json.loads(output.splitlines()[-1])["stop_reason"] == "cancelled"
    assert "Traceback" not in errors


def test_a_reader_that_leaves_is_no_traceback(starter_path: Path) -> None:
    command = f"'{sys.executable}' -P -m app doctor --json | head -1"
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=_environment(starter_path)
    )
    assert "Traceback" not in result.stderr
