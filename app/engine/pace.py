"""How many tokens to guess: what a pass costs against how many of its guesses come true.

What a pass costs is a table that was measured once, what comes true is counted, and no clock is
looked at: the same seed gives the same text, however busy the computer is. Pure Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from app.engine.guesser import Guesser

PassCosts = Sequence[tuple[int, float]]

# Passes over n tokens against one over a single token, where nothing was measured. Float weights:
# the starter widened to F32 on one core of a server's CPU; GPUs: more than is usual.
FLOAT_ON_CPU: PassCosts = ((2, 1.45), (4, 1.75), (8, 2.4), (16, 4.0))
ON_GPU: PassCosts = ((2, 1.15), (4, 1.3), (8, 1.7), (16, 2.6))
_WORTH = 1.04  # what guessing has to promise against plain decoding
_WEIGHT = 0.08  # of one guess in the share that comes true
_REST = 16  # passes until a guesser that cannot be watched is tried again; doubled each time
_MAX_REST = 512
_STEPS = 64  # shares are told apart this finely


class Pace:
    """For one guesser in one answer. `costs`: (n_tokens, ratio to a pass over one), rising; there
    are no passes larger than the last one, which may be the last that computes the same."""

    def __init__(self, guesser: Guesser, costs: PassCosts) -> None:
        self._costs = ((1, 1.0), *(cost for cost in costs if cost[0] > 1))
        self._token_cost = guesser.token_cost
        self._hopes = guesser.hopes
        self._watches = guesser.observes
        self._sizes: dict[int, int] = {}
        self.begin()

    @property
    def is_hopeless(self) -> bool:
        """Whether not even guesses that all come true would pay."""
        return not self._best(_STEPS)

    def begin(self) -> None:
        """A new answer, of which nothing is known."""
        self._shares = list(self._hopes)
        self._idle, self._rest = 0, _REST

    def n_guesses(self, rank: int) -> int:
        """The number of guesses of this rank that promises most tokens per time; 0: none."""
        step = round(self._shares[rank] * _STEPS)
        size = self._sizes.get(step)
        if size is None:
            size = self._sizes[step] = self._best(step)
        if size or self._watches:
            return size
        return self._retry()

    def learn(self, rank: int, was_true: bool) -> None:
        """A guess of this rank was compared with what the model wrote."""
        self._shares[rank] += _WEIGHT * (was_true - self._shares[rank])

    def _retry(self) -> int:
        """A guesser whose guesses cannot be had for nothing gets a new chance, ever more rarely."""
        self._idle += 1
        if self._idle < self._rest or self.is_hopeless:
            return 0
        self._idle, self._rest = 0, min(2 * self._rest, _MAX_REST)
        return 1

    def _best(self, step: int) -> int:
        share = min(step / _STEPS, 0.98)
        best, best_rate, expected = 0, _WORTH, 1.0
        for size in range(1, self._costs[-1][0]):
            expected += share**size
            rate = expected / (self._cost(size + 1) + size * self._token_cost)
            if rate > best_rate:
                best, best_rate = size, rate
        return best

    def _cost(self, n_tokens: int) -> float:
        """Of a pass, in passes over one token: by a straight line between the two sizes known."""
        for (low, low_cost), (high, high_cost) in pairwise(self._costs):
            if n_tokens <= high:
                slope = (high_cost - low_cost) / (high - low)
                return low_cost + slope * (n_tokens - low)
        return float(n_tokens)
