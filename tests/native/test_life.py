"""The engine of the window killed, stopped and cancelled at every phase, with the real one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app import paths
from app.child import command_line
from app.core import settings as s
from app.core.chat import Status
from app.engine import protocol
from app.engine.protocol import Generate, Hello, Leave, Load, Loaded, PromptMessage, Text
from app.jobs.engine import Phase
from tests.helpers.living import Living

ROOT = Path(__file__).resolve().parents[2]
LONG = "Here is a list of words. " + "apple pear plum cherry " * 120  # more than one batch


@pytest.fixture
def app(qtbot: QtBot, tmp_path: Path, starter_path: Path) -> Iterator[Living]:
    result = Living(qtbot, tmp_path, starter_path)
    yield result
    result.chat.close()


# --- killed -----------------------------------------------------------------------------------


def test_killed_while_loading_the_question_is_answered(app: Living) -> None:
    app.chat.load_model(app.model)
    app.send("Say hello.")
    app.wait(lambda: app.chat.is_answering)
    app.signal()
    answer = app.answered()
    assert (answer.status, bool(answer.text)) == (Status.DONE, True)


def test_killed_while_reading_the_question_is_asked_again(app: Living) -> None:
    app.load()
    app.send(LONG)
    app.wait(lambda: app.engine.state.n_read > 0)
    app.signal()
    answer = app.answered()
    assert (answer.status, len(app.messages)) == (Status.DONE, 2)
    assert answer.stats is not None
    assert answer.stats.n_cached == 0


def test_killed_while_writing_the_new_answer_is_whole(app: Living) -> None:
    app.load()
    app.send("Name three colours.")
    whole = app.answered().text
    app.chat.new_conversation()
    app.settings.set(s.MAX_TOKENS, 11)  # another question to the cache, not to the model
    app.send("Name three colours.")
    app.reach(Phase.WRITING)
    app.signal()
    app.wait(lambda: app.engine.state.phase is Phase.LOADING)
    answer = app.answered()
    assert answer.status is Status.DONE
    assert whole.startswith(answer.text.rstrip())


def test_killed_twice_the_answer_says_why(app: Living) -> None:
    app.settings.set(s.MAX_TOKENS, 2000)
    app.load()
    app.send("Write a very long story.")
    app.reach(Phase.WRITING)
    app.signal()
    app.reach(Phase.LOADING)
    app.reach(Phase.WRITING)
    app.signal()
    answer = app.answered()
    assert answer.status is Status.FAILED
    assert "ran out of memory" in answer.error
    app.reach(Phase.READY)


def test_killed_while_the_cache_is_kept_the_next_question_is_answered(app: Living) -> None:
    app.load()
    app.send("Say hello.")
    app.answered()
    app.chat.new_conversation()  # leaves
    app.signal()
    app.send("And now?")
    answer = app.answered()
    assert (answer.status, app.messages[0].text) == (Status.DONE, "And now?")


def test_the_conversation_is_rebuilt_from_what_was_kept(app: Living) -> None:
    """Its cache lies on disk since it was left, and a kill does not change that."""
    app.load()
    app.send(LONG[:2000])
    n_prompt = app.answered().stats.n_prompt
    app.engine.unload()
    app.reach(Phase.RESTING)
    assert any(paths.states_dir().iterdir())
    app.chat.wake()
    app.reach(Phase.READY)
    app.signal()
    app.reach(Phase.FAILED)
    app.send("Go on.")
    stats = app.answered().stats
    assert stats is not None
    assert stats.n_cached > n_prompt // 2


# --- stopped ----------------------------------------------------------------------------------


def test_a_stopped_engine_is_noticed_and_the_question_asked_again(
    app: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine.client.SILENCE_LIMIT_S", 5.0)
    app.load()
    app.engine._watch.setInterval(200)
    app.send(LONG)
    app.reach(Phase.READING)
    stopped = psutil.Process(app.pid)
    app.signal(signal.SIGSTOP)
    app.reach(Phase.LOADING)
    assert not stopped.is_running()
    assert app.answered().status is Status.DONE


# --- unloaded ---------------------------------------------------------------------------------


def test_an_unloaded_model_s_process_is_gone_and_comes_back_with_a_question(app: Living) -> None:
    app.load()
    child = psutil.Process(app.pid)
    app.chat.free_memory()
    app.reach(Phase.RESTING)
    assert not child.is_running()
    app.send("Say hello.")
    answer = app.answered()
    assert answer.status is Status.DONE
    assert app.store.message(answer.id).model_name == "SmolLM2 135M"


# --- cancelled --------------------------------------------------------------------------------


def test_cancelled_while_loading(app: Living) -> None:
    app.chat.load_model(app.model)
    app.engine.cancel_load()
    assert app.engine.state.phase is Phase.NONE
    app.load()


def test_cancelled_while_waiting_for_the_model(app: Living) -> None:
    app.chat.load_model(app.model)
    app.send("Say hello.")
    app.wait(lambda: app.chat.is_answering)
    app.chat.stop()
    assert app.answered().status is Status.STOPPED
    app.reach(Phase.READY)
    assert not app.chat.is_answering


def test_cancelled_while_reading_and_while_writing(app: Living) -> None:
    app.settings.set(s.MAX_TOKENS, 2000)
    app.load()
    app.send(LONG)
    app.wait(lambda: app.engine.state.n_read > 0)
    app.chat.stop()
    assert app.answered().status is Status.STOPPED
    app.chat.new_conversation()
    app.send("Write a very long story.")
    app.reach(Phase.WRITING)
    app.chat.stop()
    answer = app.answered()
    assert (answer.status, bool(answer.text)) == (Status.STOPPED, True)
    app.reach(Phase.READY)


def test_cancelled_while_the_cache_is_kept(app: Living) -> None:
    """A question takes the place of the unloading; stopping it leaves a working engine."""
    app.load()
    app.send("Say hello.")
    app.answered()
    app.engine.unload()
    app.send("And now?")
    app.reach(Phase.READING, Phase.WRITING)
    app.chat.stop()
    app.answered()
    app.reach(Phase.READY)


# --- switched ---------------------------------------------------------------------------------


def test_another_model_during_an_answer_and_two_quick_switches(app: Living, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.symlink_to(app.model)
    app.settings.set(s.MAX_TOKENS, 2000)
    app.load()
    app.send("Write a very long story.")
    app.reach(Phase.WRITING)
    app.chat.load_model(other)
    assert app.answered().status is Status.STOPPED
    app.chat.load_model(app.model)
    app.chat.load_model(other)
    app.reach(Phase.READY)
    loaded = app.engine.state.loaded
    assert loaded is not None
    assert loaded.path == str(other)
    assert len(psutil.Process().children()) == 1


# --- the parent goes --------------------------------------------------------------------------

_SAVES_FOR_EVER = """
import sys, time
from app.engine.session import Session
Session.leave = lambda self: time.sleep(60) or 0
from app.child import run_child
run_child("engine")
"""


def _spawn(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize("phase", ["loading", "reading", "writing", "saving"])
def test_a_child_whose_parent_goes_ends_soon_whatever_it_does(
    starter_path: Path, phase: str
) -> None:
    saves = [sys.executable, "-c", _SAVES_FOR_EVER]
    child = _spawn(saves if phase == "saving" else command_line("engine"))
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        for command, answer in _way_to(phase, starter_path):
            child.stdin.write(protocol.encode(command))
            child.stdin.flush()
            while answer is not None:
                if isinstance(protocol.decode_event(child.stdout.readline()), answer):
                    break
        child.stdin.close()
        child.wait(timeout=10)  # 3 seconds after the end of file at the latest, on a busy machine
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _way_to(phase: str, model: Path) -> list[tuple[protocol.Command, type[protocol.Frame] | None]]:
    load = Load(str(model), n_ctx=4096)
    question = "Write a very long story." if phase == "writing" else LONG
    generate = Generate(1, (PromptMessage("user", question),))
    if phase == "loading":
        return [(load, Hello)]
    if phase == "saving":
        return [(load, Loaded), (Leave(), None)]
    return [(load, Loaded), (generate, Text if phase == "writing" else None)]
