"""The guessers of a loaded model, and which of them may guess next.

They are asked in order: a quotation is surer than what a small model thinks. Knows no context and
no sampler; `app.engine.writing` has the guesses checked.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.engine.guesser import Guesser
from app.engine.pace import Pace, PassCosts


class Guessing:
    """Keeps every guesser told of what is written, and counts what comes true."""

    def __init__(self, guessers: Sequence[Guesser], costs: PassCosts) -> None:
        paced = [(guesser, Pace(guesser, costs)) for guesser in guessers]
        self._paced = [(guesser, pace) for guesser, pace in paced if not pace.is_hopeless]
        self._all = guessers
        self._expected: Sequence[int] = ()  # what was guessed, as far as it is not seen yet,
        self._guessed_by: Pace | None = None  # whose guess it was,
        self._rank = 0  # and what was thought of it

    @property
    def is_on(self) -> bool:
        """Whether any guesser can pay here."""
        return bool(self._paced)

    def begin(self, tokens: Sequence[int]) -> None:
        """A new answer, after a conversation of `tokens`."""
        for guesser, pace in self._paced:
            guesser.begin(tokens)
            pace.begin()
        self._expected = ()

    def see(self, token: int) -> None:
        """The model wrote `token`: a guess that says the same has come true."""
        if self._expected and self._guessed_by is not None:
            was_true = self._expected[0] == token
            self._guessed_by.learn(self._rank, was_true)
            self._expected = self._expected[1:] if was_true else ()
        for guesser, _pace in self._paced:
            guesser.extend((token,))

    def guess(self, n_most: int) -> Sequence[int]:
        """At most `n_most` tokens that are worth checking now."""
        self._expected = ()
        for guesser, pace in self._paced:
            rank = guesser.rank()
            if rank < 0:
                continue
            n = min(pace.n_guesses(rank), n_most)
            if n > 0 or (guesser.observes and not self._expected):
                self._expected = guesser.guess(max(n, 1))
                self._guessed_by, self._rank = pace, rank
            if n > 0:
                return self._expected
        return ()

    def close(self) -> None:
        for guesser in self._all:
            guesser.close()
