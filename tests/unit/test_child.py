"""How the death of a child is told."""

from __future__ import annotations

import signal
import sys

import pytest

from app.child import command_line, death_of


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("SIGKILL", "ran out of memory"),
        ("SIGILL", "lacks instructions"),
        ("SIGBUS", "can no longer be read"),
        ("SIGABRT", "stopped unexpectedly"),
        ("SIGSEGV", "stopped unexpectedly"),
    ],
)
def test_a_signal_becomes_a_sentence_with_a_way_on(number: str, words: str) -> None:
    error = death_of(-signal.Signals[number], "GGML_ASSERT(x) failed")
    assert words in str(error.text)
    assert error.hint
    assert number in error.detail
    assert "GGML_ASSERT" in error.detail


def test_windows_names_its_deaths_otherwise() -> None:
    assert "lacks instructions" in str(death_of(0xC000001D, "").text)
    assert "unexpectedly" in str(death_of(1, "").text)


def test_a_bundle_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/nibble/nibble")
    assert command_line("engine") == ["/opt/nibble/nibble", "--child", "engine"]


def test_the_current_folder_is_not_on_the_childs_import_path() -> None:
    assert "-P" in command_line("engine")
