"""Which messages fit the context."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.errors import PromptError
from app.core.prompt import DOWN_TO, FittedPrompt, fit_messages, room_for
from app.engine.protocol import PromptMessage


def _words(messages: Sequence[PromptMessage]) -> list[int]:
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
    assert len(fitted.tokens) == 302  # of 768; two more would be more than 60 % of them
    assert fitted.n_dropped == 18


def test_what_was_dropped_makes_room_for_several_turns() -> None:
    """The prompt begins where it began until it is full again: the cache can keep it."""
    system, turns = PromptMessage("system", "be kind"), _turns(41, 50)
    starts, n_dropped = [], 0
    for n in range(1, 42, 2):
        fitted = fit_messages([system, *turns[:n]], 1024, _words, n_dropped=n_dropped)
        n_dropped = fitted.n_dropped
        starts.append(n_dropped)
    assert starts == sorted(starts)
    assert len(set(starts)) == 5  # and not one for each of the 13 turns after the first drop
    assert starts[-1] > 0


def test_a_larger_context_takes_old_turns_in_again() -> None:
    turns = _turns(41, 50)
    small = fit_messages(turns, 1024, _words)
    larger = fit_messages(turns, 2048, _words, n_dropped=small.n_dropped)
    assert 0 < larger.n_dropped < small.n_dropped
    assert fit_messages(turns, 8192, _words, n_dropped=larger.n_dropped).n_dropped == 0


def test_an_unknown_beginning_is_no_beginning() -> None:
    turns = _turns(21, 100)
    fresh = fit_messages(turns, 1024, _words)
    assert fit_messages(turns, 1024, _words, n_dropped=17) == fresh  # would begin with an answer
    assert fit_messages(turns, 1024, _words, n_dropped=400) == fresh


def test_stopping_says_how_to_go_on() -> None:
    with pytest.raises(PromptError) as caught:
        fit_messages(_turns(21, 60), 1024, _words, overflow="stop")
    assert str(caught.value.text) == (
        "This conversation has 1,260 tokens; 768 fit into the context."
    )
    assert str(caught.value.hint) == (
        "Summarise the older part, choose a larger context in the inspector, "
        "or begin a new conversation."
    )


def test_a_last_message_too_long_says_how_much_fits() -> None:
    with pytest.raises(PromptError, match=r"This message has 5,000 tokens; 3,584 fit\."):
        fit_messages([PromptMessage("user", "word " * 5000)], 4096, _words)


def test_a_system_prompt_longer_than_the_context_is_named() -> None:
    messages = [PromptMessage("system", "word " * 900), PromptMessage("user", "Hi")]
    with pytest.raises(PromptError, match=r"The system prompt has ~90\d tokens; 384 fit\."):
        fit_messages(messages, 512, _words)


def test_a_megabyte_is_not_even_counted() -> None:
    counted: list[int] = []

    def count(messages: Sequence[PromptMessage]) -> list[int]:
        counted.append(sum(len(m.text) for m in messages))
        return _words(messages)

    huge = PromptMessage("user", "word " * 200_000)
    with pytest.raises(PromptError, match=r"This message has ~250,000 tokens; 3,584 fit\."):
        fit_messages([*_turns(200, 40), huge], 4096, count)
    assert counted == []
    turns = [*_turns(20, 40), huge, *_turns(201, 40)[1:], PromptMessage("user", "and now?")]
    assert fit_messages(turns, 4096, count).n_dropped > 20
    assert len(counted) <= 9
    assert max(counted) <= 12 * 4096


def test_the_longest_answer_has_a_place() -> None:
    assert room_for(4096) == 3584
    assert room_for(1024) == 768
    assert room_for(4096, 64) == 4032
    assert room_for(4096, 1500) == 2596
    assert room_for(4096, 100_000) == 2048


def test_no_messages_are_no_prompt() -> None:
    assert fit_messages([], 1024, _words) == FittedPrompt((), [], 0)


_SIZES = st.lists(st.integers(0, 300), min_size=1, max_size=30)


def _conversation(sizes: list[int]) -> list[PromptMessage]:
    return [
        PromptMessage(("user", "assistant")[i % 2], "w " * size) for i, size in enumerate(sizes)
    ]


@given(_SIZES, st.integers(256, 2000), st.integers(0, 40), st.integers(0, 1000), st.booleans())
@example([0, 78, 0, 115, 0], 256, 0, 0, False)  # nothing is learnt from an empty message
def test_what_is_kept_fits_and_is_the_end(
    sizes: list[int], n_ctx: int, n_dropped: int, max_tokens: int, has_system: bool
) -> None:
    system = [PromptMessage("system", "be kind")] if has_system else []
    turns = _conversation(sizes)
    how = {"max_tokens": max_tokens, "n_dropped": n_dropped}
    try:
        fitted = fit_messages([*system, *turns], n_ctx, _words, **how)
    except PromptError:
        last = max((i for i, m in enumerate(turns) if m.role == "user"), default=0)
        assert len(_words([*system, *turns[last:]])) > room_for(n_ctx, max_tokens)
        return
    assert fitted.messages == (*system, *turns[fitted.n_dropped :])
    assert len(fitted.tokens) <= room_for(n_ctx, max_tokens)
    assert turns[fitted.n_dropped].role == "user"
    if fitted.n_dropped == 0:
        return
    assert len(_words([*system, *turns])) > room_for(n_ctx, max_tokens)
    earlier = turns[max(i for i in range(fitted.n_dropped) if turns[i].role == "user") :]
    assert len(_words([*system, *earlier])) > int(room_for(n_ctx, max_tokens) * DOWN_TO)


@given(_SIZES, st.integers(256, 2000))
def test_a_beginning_stays_until_the_context_is_full_again(sizes: list[int], n_ctx: int) -> None:
    turns, n_dropped = _conversation(sizes), 0
    for n in range(1, len(turns) + 1, 2):
        try:
            fitted = fit_messages(turns[:n], n_ctx, _words, n_dropped=n_dropped)
        except PromptError:
            return
        assert fitted.n_dropped >= n_dropped
        if fitted.n_dropped > n_dropped:
            assert len(_words(turns[n_dropped:n])) > room_for(n_ctx)
        n_dropped = fitted.n_dropped
