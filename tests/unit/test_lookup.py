"""What is guessed from the conversation."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.engine.lookup import SHORTEST, Lookup


def looked_up(tokens: list[int], n: int = 8) -> list[int]:
    lookup = Lookup()
    lookup.begin(tokens)
    return list(lookup.guess(n)) if lookup.rank() >= 0 else []


def test_what_followed_the_same_words_before_is_guessed() -> None:
    assert looked_up([1, 2, 3, 4, 5, 9, 1, 2, 3]) == [4, 5, 9, 1, 2, 3]
    assert looked_up([1, 2, 3, 4, 5, 9, 1, 2, 3], 2) == [4, 5]


def test_nothing_is_guessed_of_what_is_new() -> None:
    assert looked_up([]) == []
    assert looked_up([1]) == []
    assert looked_up([1, 2, 3, 4, 5]) == []


def test_the_longest_match_wins_and_of_equals_the_latest() -> None:
    assert looked_up([1, 2, 7, 1, 2, 8, 1, 2], 1) == [8]
    assert looked_up([5, 6, 1, 2, 7, 0, 1, 2, 8, 5, 6, 1, 2], 1) == [7]


def test_a_longer_match_is_of_a_higher_rank() -> None:
    text = list(range(100, 140))
    ranks = []
    for n in (2, 3, 5, 8, 12, 20, 40):
        lookup = Lookup()
        lookup.begin([*text, 1, *text[-n - 1 : -1]])
        ranks.append(lookup.rank())
    assert ranks == sorted(ranks)
    assert ranks[0] == 0
    assert ranks[-1] == len(Lookup.hopes) - 1


def test_a_match_is_followed_while_it_holds() -> None:
    text = list(range(100, 160))
    lookup = Lookup()
    lookup.begin([*text, 1, *text[:4]])
    for i in range(4, 50):
        assert lookup.rank() >= 0
        assert list(lookup.guess(3)) == text[i : i + 3]
        lookup.extend([text[i]])
    lookup.extend([1, 2])
    assert lookup.rank() == -1


def test_a_new_answer_knows_nothing_of_another_conversation() -> None:
    lookup = Lookup()
    lookup.begin([1, 2, 3, 1, 2])
    lookup.begin([7, 1, 2])
    assert lookup.rank() == -1


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 20), st.integers(0, 60))
def test_a_guess_is_what_followed_the_end_elsewhere(tokens: list[int], n: int, cut: int) -> None:
    """However the tokens came: in one piece or one after the other."""
    lookup = Lookup()
    lookup.begin(tokens[:cut])
    for token in tokens[cut:]:
        lookup.rank()
        lookup.extend([token])
    if lookup.rank() < 0:
        pairs = list(itertools.pairwise(tokens))
        assert not pairs or pairs[-1] not in pairs[:-1]
        return
    guess = list(lookup.guess(n))
    assert 1 <= len(guess) <= n
    assert any(
        tokens[i : i + len(guess)] == guess and tokens[i - SHORTEST : i] == tokens[-SHORTEST:]
        for i in range(SHORTEST, len(tokens))
    )
