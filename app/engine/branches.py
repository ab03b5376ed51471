"""The branches of a conversation in one KV cache, so that going back to one reads nothing again.

An answer asked for anew, a question worded anew: what was there before is another sequence of the
same cache. Sequences share the cells of what they have in common, so a branch costs only what is
its own. All of that is room that the current one may take: the branch used least lately goes first.

For models whose layers all see everything; a cache that forgets by itself has one sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.engine.native import lib

MIN_TAIL = 64  # tokens; fewer are read again sooner than they are worth a place


@dataclass
class Branch:
    """A sequence of the cache, which holds exactly `tokens`."""

    sequence: int
    tokens: list[int] = field(default_factory=list)


class Branches:
    """At most `n_sequences` in `memory`; one of them is the current one."""

    def __init__(self, memory: Any, n_sequences: int) -> None:
        self._memory = memory
        self._n_sequences = n_sequences
        self._by_use = [Branch(0)]  # the current one is the last

    @property
    def current(self) -> Branch:
        return self._by_use[-1]

    def turn_to(self, tokens: Sequence[int], *, fork: bool) -> None:
        """Make the branch current that shares most with `tokens`.

        `fork`: where much of it would have to be cut off for them, cut a copy.
        """
        # the later one wins a tie: it was used more lately
        shared, _, best = max(
            (common_prefix(branch.tokens, tokens), i, branch)
            for i, branch in enumerate(self._by_use)
        )
        if fork and len(best.tokens) - shared >= MIN_TAIL and self._n_sequences > 1:
            self._fork(best, shared)
        else:
            self._by_use.remove(best)
            self._by_use.append(best)

    def evict(self) -> bool:
        """Give up the branch used least lately; False: there is only the current one."""
        if len(self._by_use) == 1:
            return False
        self._remove(self._by_use[0])
        return True

    def keep_current(self) -> None:
        while self.evict():
            pass

    def clear(self) -> None:
        lib.llama_memory_clear(self._memory, True)
        self._by_use = [Branch(0)]

    def _fork(self, old: Branch, n_shared: int) -> None:
        if len(self._by_use) == self._n_sequences:
            self._remove(next(branch for branch in self._by_use if branch is not old))
        free = set(range(self._n_sequences)) - {branch.sequence for branch in self._by_use}
        new = Branch(min(free), old.tokens[:n_shared])
        lib.llama_memory_seq_cp(self._memory, old.sequence, new.sequence, 0, n_shared)
        self._by_use.append(new)

    def _remove(self, branch: Branch) -> None:
        lib.llama_memory_seq_rm(self._memory, branch.sequence, -1, -1)
        self._by_use.remove(branch)


def common_prefix(old: Sequence[int], new: Sequence[int]) -> int:
    """How many leading tokens the two share."""
    n = min(len(old), len(new))
    return next((i for i in range(n) if old[i] != new[i]), n)
