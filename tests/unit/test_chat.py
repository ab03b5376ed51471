"""The conversation tree."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.core.chat import (
    AnswerStats,
    ChatMessage,
    Role,
    Status,
    can_go_on,
    latest_leaf,
    path_to,
    siblings,
    title_from,
)


def _message(message_id: int, parent_id: int | None) -> ChatMessage:
    return ChatMessage(message_id, 1, parent_id, Role.USER, f"text {message_id}", 0.0)


def _tree(*pairs: tuple[int, int | None]) -> dict[int, ChatMessage]:
    return {message_id: _message(message_id, parent) for message_id, parent in pairs}


def test_the_path_goes_from_the_root_to_the_head() -> None:
    tree = _tree((1, None), (2, 1), (3, 1), (4, 3))
    assert [m.id for m in path_to(4, tree)] == [1, 3, 4]
    assert path_to(None, tree) == ()


def test_a_loop_of_parents_ends_the_path() -> None:
    assert {m.id for m in path_to(1, _tree((1, 2), (2, 1)))} == {1, 2}


def test_siblings_know_each_other_oldest_first() -> None:
    tree = _tree((1, None), (5, 1), (2, 1), (6, 5))
    assert siblings(tree.values()) == {2: (2, 5), 5: (2, 5)}


def test_a_branch_is_read_on_to_its_newest_leaf() -> None:
    tree = _tree((1, None), (2, 1), (3, 1), (4, 2), (5, 2), (6, 5))
    assert latest_leaf(2, tree.values()) == 6
    assert latest_leaf(3, tree.values()) == 3


@given(st.text(), st.integers(2, 80))
def test_a_title_is_one_line_and_short(text: str, limit: int) -> None:
    title = title_from(text, limit)
    assert len(title) <= limit + 1
    assert "\n" not in title


def test_a_title_is_cut_at_a_word() -> None:
    assert title_from("Give me three names for a small bakery, please", 30) == (
        "Give me three names for a…"
    )


def test_what_ended_too_early_can_go_on() -> None:
    def answer(stop_reason: str, **changes: object) -> ChatMessage:
        n_generated = changes.pop("n_generated", 100)
        stats = AnswerStats(50, 0, n_generated, 18.0, 70.0, 0.0, stop_reason, 1, n_ctx=1024)
        whole = ChatMessage(2, 1, 1, Role.ASSISTANT, "One, two", 0.0, stats=stats)
        return replace(whole, **changes)

    assert can_go_on(answer("length"))
    assert can_go_on(answer("context"))
    assert not can_go_on(answer("context", n_generated=900))  # there is no room to be made
    assert can_go_on(answer("cancelled", status=Status.STOPPED))
    assert not can_go_on(answer("stop"))
    assert not can_go_on(answer("length", reasoning="Hm."))
    assert not can_go_on(answer("length", text=""))
    assert not can_go_on(answer("length", role=Role.USER))
    assert not can_go_on(answer("length", status=Status.FAILED))
