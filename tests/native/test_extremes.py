"""Contexts, messages and conversations of every size: the engine answers, or says why not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import PromptError
from app.engine.client import BlockingEngine
from app.engine.protocol import Load, Stop
from tests.helpers import small_models
from tests.helpers.asking import ask, request, wait

TRAINED = 4096
MEGABYTE = "All work and no play makes a dull day. " * 26_000


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models.make(tmp_path_factory.mktemp("small"), "Llama-3.2-tiny-Instruct")


@pytest.fixture(scope="module")
def loaded_small(small: Path) -> Iterator[BlockingEngine]:
    with BlockingEngine() as engine:
        engine.load(Load(str(small), 1024, 1))
        yield engine


def test_any_number_is_a_context_or_one_sentence(small: Path, own_engine: BlockingEngine) -> None:
    for n_ctx in (0, -1, -(2**31), 2**31, 2**33, 2**62):
        assert own_engine.load(Load(str(small), n_ctx, 1)).n_ctx == TRAINED
    assert own_engine.load(Load(str(small), 1, 1)).n_ctx <= 256
    assert ask(own_engine, request("Hello", max_tokens=3)).done.n_generated


def test_a_message_of_a_megabyte_is_refused_at_once(loaded_small: BlockingEngine) -> None:
    assert len(MEGABYTE) > 1_000_000
    for texts in ((MEGABYTE,), ("Hello", "Hi", MEGABYTE)):
        with pytest.raises(PromptError, match="This message has ~"):
            ask(loaded_small, request(*texts))
    assert ask(loaded_small, request("Hello", max_tokens=3)).done.n_generated


def test_an_old_message_of_a_megabyte_is_left_out(loaded_small: BlockingEngine) -> None:
    done = ask(loaded_small, request(MEGABYTE, "Yes.", "Who was he?", max_tokens=3)).done
    assert done.n_dropped == 2


def test_two_hundred_turns_go_on(loaded_small: BlockingEngine) -> None:
    """Each reads only what is new, except where old turns are left out to make room."""
    texts, n_read, n_dropped = ["And what then?"], 0, 0
    for _ in range(200):
        command = request(*texts, max_tokens=4, conversation="1")
        done = ask(loaded_small, command).done
        n_read += done.n_prompt - done.n_cached
        n_dropped = max(n_dropped, done.n_dropped)
        texts += ["This and that.", "And what then?"]
    assert n_dropped > 200
    assert n_read < 200 * 200


def test_stopping_at_any_moment_leaves_an_engine_that_answers(
    loaded_small: BlockingEngine,
) -> None:
    expected = ask(loaded_small, request("Who was he? " * 20, max_tokens=8)).text
    for delay_s in (0.0, 0.002, 0.01, 0.05):
        command = request("Who was he? " * 40, max_tokens=500, conversation=f"{delay_s}")
        loaded_small.send(command)
        time.sleep(delay_s)
        loaded_small.send(Stop(command.request_id))
        assert wait(loaded_small).done.stop_reason in ("cancelled", "stop", "length", "context")
        assert ask(loaded_small, request("Who was he? " * 20, max_tokens=8)).text == expected
