"""Guessing ahead, stop strings and seeds with the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.engine.client import BlockingEngine
from app.engine.pace import ON_GPU
from app.engine.protocol import Load, Sampling
from tests.helpers.asking import GREEDY, ask, request

LIST = " ".join(
    f"The {a} {b} sells {n} apples."
    for n, (a, b) in enumerate(
        [("old", "man"), ("young", "woman"), ("red", "fox"), ("tall", "child")] * 4
    )
)
REPEAT = f"Repeat this text exactly, word for word:\n{LIST}"


# The starter's weights under flash attention: a pass of several tokens computes exactly what single
# passes do, so the texts must be the same.
LOAD = Load("", n_ctx=2048, n_threads=1, flash_attn="on", pass_costs=tuple(ON_GPU))


@pytest.fixture(scope="module")
def plain(starter_path: Path) -> Iterator[BlockingEngine]:
    with BlockingEngine() as engine:
        engine.load(replace(LOAD, path=str(starter_path), lookup=False))
        yield engine


@pytest.fixture(scope="module")
def guessing(starter_path: Path) -> Iterator[BlockingEngine]:
    with BlockingEngine() as engine:
        engine.load(replace(LOAD, path=str(starter_path)))
        yield engine


STORY = "Tell me a story of a lighthouse and a cat."


@pytest.mark.parametrize(
    ("text", "sampling"),
    [
        (REPEAT, GREEDY),
        (STORY, GREEDY),
        (REPEAT, Sampling(temperature=0.8, seed=11)),
        (REPEAT, Sampling(seed=2, repeat_penalty=1.1, penalty_last_n=256)),
    ],
)
def test_guessing_ahead_writes_what_plain_decoding_writes(
    plain: BlockingEngine, guessing: BlockingEngine, text: str, sampling: Sampling
) -> None:
    command = request(text, max_tokens=60, sampling=sampling)
    slow, fast = ask(plain, command), ask(guessing, command)
    assert fast.text == slow.text
    assert (fast.done.n_generated, fast.done.n_past) == (slow.done.n_generated, slow.done.n_past)
    assert slow.done.n_guessed == 0


def test_a_quoted_text_is_guessed(guessing: BlockingEngine) -> None:
    done = ask(guessing, request(REPEAT, max_tokens=80)).done
    assert done.n_true > 40
    assert done.n_guessed >= done.n_true


def test_weights_that_are_no_floats_are_not_guessed_for_unless_that_was_measured(
    engine: BlockingEngine,
) -> None:
    """On the CPU without flash attention: guessing would change the text."""
    assert ask(engine, request(REPEAT, max_tokens=40)).done.n_guessed == 0


def test_a_quoted_text_takes_few_passes_of_float_weights(starter_f32: Path) -> None:
    with BlockingEngine() as engine:
        engine.load(Load(str(starter_f32), n_ctx=1024, n_threads=1))
        done = ask(engine, request(REPEAT, max_tokens=80)).done
    n_passes = done.n_generated - done.n_true
    assert done.n_generated / n_passes > 2  # of sentences that are much alike


def test_the_cache_holds_only_what_was_written(guessing: BlockingEngine) -> None:
    """What guesses left behind would show in the next turn."""
    first = ask(guessing, request(REPEAT, max_tokens=60))
    again = ask(guessing, request(REPEAT, first.text, "Go on.", max_tokens=20))
    assert again.done.n_cached >= first.done.n_prompt
    ask(guessing, request("Something else altogether."))
    cold = ask(guessing, request(REPEAT, first.text, "Go on.", max_tokens=20))
    assert cold.text == again.text


def test_an_answer_ends_at_its_limit_in_the_midst_of_guesses(guessing: BlockingEngine) -> None:
    for limit in (1, 37):
        done = ask(guessing, request(REPEAT, max_tokens=limit)).done
        assert (done.n_generated, done.stop_reason) == (limit, "length")


def test_a_stop_string_ends_the_answer_and_is_not_shown(engine: BlockingEngine) -> None:
    text = ask(engine, request(REPEAT, max_tokens=60)).text
    assert "apples." in text
    command = request(REPEAT, max_tokens=60, stop=("les. T", "never"))
    stopped = ask(engine, command)
    assert stopped.text == text.partition("les. T")[0]
    assert stopped.done.stop_reason == "stop"


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seed=3, dry_multiplier=0.8),
        Sampling(seed=3, top_n_sigma=1.5),
        Sampling(seed=3, typical_p=0.9),
        Sampling(seed=3, xtc_probability=0.5),
        Sampling(seed=3, mirostat=1),
        Sampling(seed=3, mirostat=2),
        Sampling(seed=3, frequency_penalty=0.5, presence_penalty=0.5),
    ],
)
def test_every_sampler_gives_the_same_text_for_the_same_seed(
    engine: BlockingEngine, sampling: Sampling
) -> None:
    texts = {ask(engine, request("Tell me.", sampling=sampling)).text for _ in range(2)}
    assert len(texts) == 1


def test_a_bias_keeps_a_word_out(engine: BlockingEngine) -> None:
    plain = ask(engine, request("What is the capital of France?", max_tokens=1)).text
    bias = ((plain.strip(), -100.0),)
    biased = Sampling(temperature=0.0, repeat_penalty=1.0, logit_bias=bias)
    other = ask(engine, request("What is the capital of France?", max_tokens=1, sampling=biased))
    assert other.text != plain
