"""How much is guessed: by what passes cost and what comes true, never by a clock."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest

from app.engine.guessing import Guessing
from app.engine.lookup import Lookup
from app.engine.pace import FLOAT_ON_CPU, ON_GPU, Pace, PassCosts

DEAR: PassCosts = ((2, 1.9), (4, 3.2), (8, 5.8), (16, 10.7))
LINEAR: PassCosts = ((2, 2.0), (16, 16.0))


class Other:
    """A guesser that costs something, such as a small model."""

    hopes = (0.7,)
    observes = False

    def __init__(self, token_cost: float = 0.1) -> None:
        self.token_cost = token_cost
        self.is_closed = False

    def begin(self, tokens: Sequence[int]) -> None:
        pass

    def extend(self, tokens: Iterable[int]) -> None:
        pass

    def rank(self) -> int:
        return 0

    def guess(self, n_tokens: int) -> Sequence[int]:
        return [5] * n_tokens

    def close(self) -> None:
        self.is_closed = True


def speed(share: float, costs: PassCosts, guesser: Lookup | Other, n: int = 1000) -> float:
    """Tokens per pass over one token's time, where each guess comes true with `share`."""
    pace, dice = Pace(guesser, costs), random.Random(7)
    n_tokens, time = 0, 0.0
    for _ in range(n):
        size = pace.n_guesses(0)
        n_true = 0
        while n_true < size and dice.random() < share:
            n_true += 1
        watched = size or guesser.observes
        for was_true in [True] * n_true + ([False] if n_true < size else []):
            pace.learn(0, was_true)
        if watched and not size:
            pace.learn(0, dice.random() < share)
        n_tokens += n_true + 1
        time += dict(all_costs(costs))[size + 1] + size * guesser.token_cost
    return n_tokens / time


def all_costs(costs: PassCosts) -> Iterable[tuple[int, float]]:
    """The table for every size, by straight lines."""
    known = ((1, 1.0), *costs)
    for n in range(1, costs[-1][0] + 1):
        low = max(point for point in known if point[0] <= n)
        high = min(point for point in known if point[0] >= n)
        span = max(1, high[0] - low[0])
        yield n, low[1] + (high[1] - low[1]) * (n - low[0]) / span


@pytest.mark.parametrize("costs", [FLOAT_ON_CPU, ON_GPU])
def test_guessing_pays_where_text_is_quoted(costs: PassCosts) -> None:
    assert speed(0.95, costs, Lookup()) > 2.5


@pytest.mark.parametrize("costs", [FLOAT_ON_CPU, ON_GPU, DEAR, LINEAR])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.4, 0.7])
def test_it_never_costs_what_it_cannot_bring_back(costs: PassCosts, share: float) -> None:
    assert speed(share, costs, Lookup()) > 0.97
    assert speed(share, costs, Other()) > 0.97


def test_the_size_grows_with_what_comes_true() -> None:
    pace = Pace(Lookup(), FLOAT_ON_CPU)
    sizes = []
    for _ in range(60):
        sizes.append(pace.n_guesses(3))
        pace.learn(3, was_true=True)
    assert sizes == sorted(sizes)
    assert sizes[-1] == FLOAT_ON_CPU[-1][0] - 1
    for _ in range(60):
        pace.learn(3, was_true=False)
    assert pace.n_guesses(3) == 0
    assert pace.n_guesses(6) > 0  # what is thought of longer matches has not changed


def test_where_passes_cost_as_much_as_their_tokens_nothing_is_guessed() -> None:
    assert Pace(Lookup(), LINEAR).is_hopeless
    assert Pace(Lookup(), ()).is_hopeless
    assert not Pace(Lookup(), FLOAT_ON_CPU).is_hopeless
    assert not Guessing([Lookup()], ()).is_on


def test_no_pass_is_larger_than_the_last_whose_cost_is_known() -> None:
    pace = Pace(Lookup(), ((1, 1.0), (2, 1.2), (4, 1.5)))
    assert [pace.n_guesses(rank) for rank in range(7)][-1] == 3


def test_a_guesser_that_was_wrong_is_tried_again_ever_more_rarely() -> None:
    pace = Pace(Other(), FLOAT_ON_CPU)
    tried = []
    for number in range(2000):
        if pace.n_guesses(0):
            tried.append(number)
            pace.learn(0, was_true=False)
    late = [b - a for a, b in zip(tried[-4:], tried[-3:], strict=False)]
    assert late == sorted(late)
    assert late[-1] >= 256
    pace.begin()
    assert pace.n_guesses(0) > 0


def test_a_quotation_goes_before_what_a_small_model_thinks() -> None:
    guessing = Guessing([Lookup(), Other()], FLOAT_ON_CPU)
    text = list(range(100, 130))
    guessing.begin([*text, *text[:10]])
    assert list(guessing.guess(2)) == text[10:12]
    guessing.see(1)
    assert list(guessing.guess(2)) == [5, 5]
    assert guessing.guess(0) == ()


def test_guesses_that_are_not_made_are_watched_all_the_same() -> None:
    """Short matches are not worth a pass at first; where they come true, they become so."""
    guessing = Guessing([Lookup()], DEAR)
    text = [n % 7 for n in range(60)]
    guessing.begin([])
    made = []
    for token in text * 8:
        guessing.see(token)
        made.append(len(guessing.guess(16)))
    assert made[:9] == [0] * 9
    assert made[-1] > 4


def test_all_guessers_are_closed_also_those_that_are_never_asked() -> None:
    other = Other()
    Guessing([other], ()).close()
    assert other.is_closed
