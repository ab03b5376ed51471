"""Which messages fit the context, and what of an answer is reasoning."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import PromptError
from app.core.prompt import ReasoningSplitter, fit_messages
from app.engine.protocol import PromptMessage


def _words(messages: list[PromptMessage]) -> list[int]:
    return list(range(sum(len(m.text.split()) for m in messages)))


def _turns(n: int, words_each: int) -> list[PromptMessage]:
    text = "word " * words_each
    return [PromptMessage(("user", "assistant")[i % 2], text) for i in range(n)]


def test_everything_stays_where_everything_fits() -> None:
    messages = _turns(5, 10)
    fitted = fit_messages(messages, 1024, _words)
    assert fitted.messages == tuple(messages)
    assert fitted.n_dropped == 0


def test_the_oldest_turns_go_first_and_the_system_prompt_stays() -> None:
    messages = [PromptMessage("system", "be kind"), *_turns(21, 100)]
    fitted = fit_messages(messages, 1024, _words)
    assert fitted.messages[0].role == "system"
    assert fitted.messages[1].role == "user"
    assert fitted.messages[-1] is messages[-1]
    assert len(fitted.tokens) <= 768
    assert fitted.n_dropped == 14
    assert len(fitted.messages) == 1 + 7  # 702 words; two more would not fit in 768


def test_a_last_message_too_long_says_how_much_fits() -> None:
    with pytest.raises(PromptError, match=r"This message has 5,000 tokens; 3,584 fit\."):
        fit_messages([PromptMessage("user", "word " * 5000)], 4096, _words)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30), st.integers(256, 2000))
def test_what_is_kept_fits_and_is_the_end(sizes: list[int], n_ctx: int) -> None:
    messages = [
        PromptMessage(("user", "assistant")[i % 2], "w " * size) for i, size in enumerate(sizes)
    ]
    try:
        fitted = fit_messages(messages, n_ctx, _words)
    except PromptError:
        return
    assert len(fitted.tokens) <= n_ctx
    assert tuple(messages[len(messages) - len(fitted.messages) :]) == fitted.messages


def _split(text: str, cuts: list[int], opened_by: str = "") -> tuple[str, str]:
    splitter = ReasoningSplitter(opened_by)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [splitter.feed(text[a:b]) for a, b in itertools.pairwise(edges)]
    pieces.append(splitter.finish())
    return "".join(text for text, _ in pieces), "".join(thought for _, thought in pieces)


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("Paris.", "Paris.", ""),
        ("<think>\nFrance.\n</think>\n\nParis.", "Paris.", "France."),
        ("\n<think>a</think>b", "b", "a"),
        ("[THINK]a[/THINK]b", "b", "a"),
        ("<think>never closed", "", "never closed"),
        ("a <think>later</think>", "a <think>later</think>", ""),
        ("<thin ice", "<thin ice", ""),
        ("<think>a < b </th</think>c", "c", "a < b </th"),
    ],
)
def test_reasoning_is_told_from_the_answer(text: str, answer: str, reasoning: str) -> None:
    assert _split(text, list(range(len(text)))) == (answer, reasoning)
    assert _split(text, []) == (answer, reasoning)


def test_a_template_may_have_opened_the_tag() -> None:
    assert _split("so</think>Paris", [], "<|im_start|>assistant\n<think>\n") == ("Paris", "so")


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "\n", "a", "<", "think", " "])),
    st.lists(st.integers(0, 60)),
)
def test_the_cuts_do_not_matter(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    answer, reasoning = _split(text, cuts)
    whole_answer, whole_reasoning = _split(text, [])
    assert (answer, reasoning.strip("\n")) == (whole_answer, whole_reasoning.strip("\n"))
