"""What of a conversation the model sees, and where its memory begins."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.core.chat import AnswerStats, ChatMessage, Role, Summary, furthest
from app.core.prompt import fit_messages
from app.core.seen import (
    Start,
    chars_per_token,
    expected,
    n_summarised,
    older_part,
    seen,
    start_of_memory,
    system_text,
)

_STATS = AnswerStats(400, 0, 50, 18.4, 70, 0, "stop", 1, n_ctx=4096)


def _conversation(n: int, n_chars: int = 400, **figures: int) -> tuple[ChatMessage, ...]:
    """Messages 1 to n, the user's odd; the last answer has figures."""
    last = n if n % 2 == 0 else n - 1
    stats = replace(_STATS, **figures)
    return tuple(
        ChatMessage(
            i,
            1,
            i - 1 or None,
            Role.USER if i % 2 else Role.ASSISTANT,
            "word " * (n_chars // 5),
            0.0,
            stats=stats if i == last else None,
        )
        for i in range(1, n + 1)
    )


def _summary(up_to: int, number: int = 1) -> Summary:
    return Summary(number, 1, up_to, "They spoke of bread.", up_to, 0.0)


def test_without_a_summary_all_goes_to_the_model() -> None:
    messages = _conversation(5)
    now = seen(messages, "Be kind.", None)
    assert (now.system, now.messages, now.n_summarised) == ("Be kind.", messages, 0)


def test_a_summary_takes_the_place_of_its_messages() -> None:
    now = seen(_conversation(7), "Be kind.", _summary(4))
    assert now.system == ("Be kind.\n\nSummary of the conversation so far:\nThey spoke of bread.")
    assert [m.id for m in now.messages] == [5, 6, 7]
    assert now.n_summarised == 4
    assert system_text("", _summary(4)).startswith("Summary of the conversation so far:")


def test_a_summary_of_another_branch_does_not_count() -> None:
    messages = _conversation(5)
    assert n_summarised(messages, _summary(99)) == 0
    assert "Summary" not in seen(messages, "", _summary(99)).system
    assert furthest([_summary(99)], messages) is None
    assert furthest([_summary(2, 1), _summary(4, 2), _summary(2, 3)], messages) == _summary(4, 2)


def test_answers_that_came_to_nothing_are_not_counted() -> None:
    messages = _conversation(6)
    messages = (*messages[:1], replace(messages[1], text=""), *messages[2:])
    assert n_summarised(messages, _summary(4)) == 3


def test_memory_begins_where_the_last_answer_says() -> None:
    assert start_of_memory(_conversation(6), "", None) is None
    assert start_of_memory(_conversation(6, n_dropped=2), "", None) == Start(3)
    assert start_of_memory(_conversation(6, n_dropped=2), "", _summary(2)) == Start(3)
    assert start_of_memory(_conversation(6), "", _summary(4)) == Start(5)
    after = _conversation(8, n_summarised=2, n_dropped=2)
    assert start_of_memory(after, "", _summary(2)) == Start(5)
    assert seen(after, "", _summary(2)).n_dropped == 2


def test_a_summary_that_is_gone_leaves_its_messages_to_be_seen() -> None:
    after = _conversation(8, n_summarised=4, n_dropped=0)
    assert start_of_memory(after, "", None) is None
    assert seen(after, "", None).n_dropped == 0


def test_another_context_size_moves_the_mark_before_it_is_measured() -> None:
    long = _conversation(40, 2000, n_dropped=30, n_prompt=5000, n_ctx=8192)
    same = start_of_memory(long, "", None, 8192)
    larger = start_of_memory(long, "", None, 16384)
    smaller = start_of_memory(long, "", None, 4096)
    assert same == Start(31)
    assert larger is not None
    assert larger.is_predicted
    assert larger.message_id < 31
    assert smaller is not None
    assert smaller.message_id > 31
    assert start_of_memory(long, "", None, 262_144) is None


def test_a_token_holds_what_the_last_prompt_says() -> None:
    assert chars_per_token(_conversation(1), "") == 4.0
    measured = chars_per_token(_conversation(4, 3000, n_prompt=3024), "")
    assert 2.9 < measured < 3.1


def test_the_next_prompt_is_measured_until_something_is_written() -> None:
    messages = _conversation(4, n_prompt=900, n_generated=100)
    whole = expected(messages, "", None, 4096)
    assert (whole.n_tokens, whole.is_measured, whole.room) == (1000, True, 3584)
    typed = expected(messages, "", None, 4096, n_typed=4000)
    assert not typed.is_measured
    assert typed.n_tokens > 1500
    summarised = expected(messages, "", _summary(2), 4096)
    assert not summarised.is_measured
    assert summarised.n_tokens < 1000


def test_thoughts_are_not_sent_again() -> None:
    *before, answer = _conversation(4, n_prompt=900, n_generated=100)
    thoughtful = replace(answer, reasoning=answer.text)
    assert expected((*before, thoughtful), "", None, 4096).n_tokens == 950


def test_the_older_part_is_what_was_left_out_else_the_older_half() -> None:
    assert older_part(_conversation(2), None) == ()
    assert [m.id for m in older_part(_conversation(4), None)] == [1, 2]
    assert [m.id for m in older_part(_conversation(9), None)] == [1, 2, 3, 4, 5, 6]
    assert [m.id for m in older_part(_conversation(8, n_dropped=2), None)] == [1, 2]
    beyond = _conversation(8, n_summarised=2, n_dropped=2)
    assert [m.id for m in older_part(beyond, _summary(2))] == [3, 4]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_the_mark_and_the_prompt_agree(n: int, up_to: int, n_dropped: int) -> None:
    """Whatever was left out: the mark stands above the first message of the next prompt."""
    messages = _conversation(n, n_dropped=n_dropped)
    summary = _summary(up_to) if up_to else None
    now, start = seen(messages, "", summary), start_of_memory(messages, "", summary)
    assert len(now.messages) + now.n_summarised == n
    if start is not None:
        fitted = fit_messages(
            now.messages[now.n_dropped :], 4096, lambda sent: range(len(sent)), n_dropped=0
        )
        assert fitted.messages[0].id == start.message_id
    part = older_part(messages, summary)
    assert part == now.messages[: len(part)]
    assert len(part) < max(len(now.messages), 1)
