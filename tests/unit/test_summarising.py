"""How a summary is made in steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.chat import ChatMessage, Role, Summary
from app.core.summarising import Summarising, pieces_of, shortened, whole_sentences


def _run(plan: Summarising, answer: str = "They spoke.", limit: int = 500) -> list[str]:
    questions = []
    while (step := plan.step) is not None:
        questions.append(step.question)
        assert len(questions) < limit
        plan.take(answer)
    return questions


def test_what_fits_is_summarised_at_once() -> None:
    plan = Summarising(["User: How do I bake bread?", "Assistant: With flour."], 4096, 4.0)
    step = plan.step
    assert step is not None
    assert (step.n, step.n_steps, step.joins, step.max_tokens) == (1, 1, False, 400)
    assert "User: How do I bake bread?\n\nAssistant: With flour." in step.question
    assert len(_run(plan, " They spoke of bread.\n")) == 1
    assert plan.text == "They spoke of bread."


def test_what_does_not_fit_is_summarised_in_parts_and_then_together() -> None:
    pieces = [f"User: {n} " + "word " * 300 for n in range(20)]
    questions = _run(Summarising(pieces, 4096, 4.0))
    assert all(sum(f"User: {n} word" in q for q in questions[:-1]) == 1 for n in range(20))
    assert "summaries of the parts" in questions[-1]
    assert questions[-1].count("They spoke.") == len(questions) - 1


def test_a_huge_message_is_read_at_both_ends() -> None:
    huge = "User: begin " + "word " * 200_000 + "end"
    (question,) = _run(Summarising([huge], 4096, 4.0))
    assert len(question) < 4096 * 4
    assert "User: begin" in question
    assert "[…]" in question
    assert "end" in question


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=40), st.integers(256, 8192))
def test_it_comes_to_an_end_and_no_step_is_too_long(sizes: list[int], n_ctx: int) -> None:
    plan = Summarising(["x" * size for size in sizes], n_ctx, 4.0)
    questions = _run(plan, "y" * 1600)
    assert plan.text
    assert all(len(q) <= max(n_ctx * 4, 1000) for q in questions)


def test_the_pieces_say_who_spoke_and_what_was_before() -> None:
    messages = [
        ChatMessage(3, 1, 2, Role.USER, " And rye? ", 0.0),
        ChatMessage(4, 1, 3, Role.ASSISTANT, "Longer.", 0.0),
    ]
    before = Summary(1, 1, 2, "They spoke of bread.", 2, 0.0)
    assert pieces_of(messages, before) == [
        "Earlier: They spoke of bread.",
        "User: And rye?",
        "Assistant: Longer.",
    ]


def test_a_summary_that_was_cut_off_ends_with_a_sentence() -> None:
    assert whole_sentences("One. Two. And th") == "One. Two."
    assert whole_sentences("One. Two.") == "One. Two."
    assert whole_sentences("no sentence at all") == "no sentence at all"
    assert whole_sentences("Hm. a very long rest that is most of it") == (
        "Hm. a very long rest that is most of it"
    )


@given(st.text(max_size=400), st.integers(20, 300))
def test_shortened_is_short(text: str, n_chars: int) -> None:
    assert len(shortened(text, n_chars)) <= n_chars
