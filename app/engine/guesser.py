"""What guesses tokens: the conversation itself, or a small model. One shape for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class Guesser(Protocol):
    """Says what may come next. It may be wrong: the model checks every guess.

    `token_cost`: of making one guess, in passes of the model over one token. `hopes`: for each rank
    of guesses the share that is expected to come true, before any is known. `observes`: a guess
    costs nothing, so it can be compared with what the model writes even where it is not used.
    """

    @property
    def token_cost(self) -> float: ...

    @property
    def hopes(self) -> Sequence[float]: ...

    @property
    def observes(self) -> bool: ...

    def begin(self, tokens: Sequence[int]) -> None:
        """A new answer, after a conversation of `tokens`."""

    def extend(self, tokens: Iterable[int]) -> None:
        """What the model has read or written next."""

    def rank(self) -> int:
        """What to think of a guess made now, as an index into `hopes`; -1: there is none."""

    def guess(self, n_tokens: int) -> Sequence[int]:
        """At most `n_tokens` that may come next."""

    def close(self) -> None:
        """Give back what it holds."""
