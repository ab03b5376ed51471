"""Guesses the next tokens from what was said before: no second model, a dictionary.

Answers quote: a rewritten text, code with one line changed, a name of four tokens. Where the last
few tokens stood before, what followed them there is the guess (prompt-lookup decoding, Saxena
2023). Pure Python, knows no model, and nothing of whether guessing pays.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence

SHORTEST = 2  # tokens that have to agree for a guess
_LONGEST = 32  # beyond this a longer match says no more
_CANDIDATES = 12  # places that are compared, the latest first
_RANKS = (3, 4, 6, 9, 16, _LONGEST)  # where the next rank of matches begins, in tokens


class Lookup:
    """The conversation so far, and where each pair of tokens stands in it.

    A guess's rank tells how long the match is that it comes from: longer ones come true more often.
    """

    name = "lookup"
    token_cost = 0.0
    hopes = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
    observes = True

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._after: dict[tuple[int, int], list[int]] = {}
        self._source = self._length = 0  # the match in hand: what follows it, and how long it is

    def begin(self, tokens: Sequence[int]) -> None:
        """A new answer, after a conversation of `tokens`."""
        self.tokens, self._after = [], {}
        self._source = self._length = 0
        self.extend(tokens)

    def extend(self, tokens: Iterable[int]) -> None:
        """What was read or written next. A pair is known once something has followed it."""
        known = self.tokens
        for token in tokens:
            end = len(known)
            if end >= SHORTEST:
                self._after.setdefault((known[-2], known[-1]), []).append(end)
            if self._length and known[self._source] == token:
                self._source += 1
                self._length += 1
            else:
                self._length = 0
            known.append(token)

    def rank(self) -> int:
        """What to think of a guess made now, as an index into `hopes`; -1: there is none."""
        if not self._length:
            self._search()
        return bisect(_RANKS, self._length) if self._length else -1

    def guess(self, n_tokens: int) -> Sequence[int]:
        """At most `n_tokens` that may come next; none where `rank` is -1."""
        if not self._length:
            return ()
        return self.tokens[self._source : self._source + n_tokens]

    def close(self) -> None:
        pass

    def _search(self) -> None:
        """The longest match among the latest places; the latest of those as long."""
        if len(self.tokens) < SHORTEST:
            return
        places = self._after.get((self.tokens[-2], self.tokens[-1]), ())
        for source in reversed(places[-_CANDIDATES:]):
            length = self._agreeing(source)
            if length > self._length:
                self._source, self._length = source, length
            if length == _LONGEST:
                return

    def _agreeing(self, source: int) -> int:
        """How many tokens before `source` are those at the end, _LONGEST at most."""
        known, end, n = self.tokens, len(self.tokens), SHORTEST
        limit = min(source, _LONGEST)
        while n < limit and known[source - 1 - n] == known[end - 1 - n]:
            n += 1
        return n
