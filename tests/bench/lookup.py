"""Guessing from what was said before: a text rewritten with one change, and free prose.

With guesses and without take turns on one engine each, on the same prompts and seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.engine.client import BlockingEngine
from app.engine.protocol import Load, Sampling
from tests.bench.asking import Answer, ask, ratio, reference
from tests.bench.prompts import N_CTX, REWRITES, question, sampling_with

_GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0)
_N_REWRITTEN, _N_PROSE = 450, 256
_PROSE_DEPTH = 400
_N_DEPTH = 512


@dataclass(frozen=True)
class _Pair:
    """The same question, answered with guesses and without."""

    guessed: Answer
    plain: Answer

    @property
    def is_same_text(self) -> bool:
        return self.guessed.text == self.plain.text


def measure(model: Path, repetitions: int) -> dict[str, Any]:
    """`model` should read far faster than it writes, or there is nothing to be won."""
    costs = reference("passes", model, "", N_CTX, _N_DEPTH, max(9, repetitions))
    known = tuple((int(n), float(cost)) for n, cost in costs["costs"])
    with BlockingEngine() as guessing, BlockingEngine() as plain:
        guessing.load(Load(str(model), n_ctx=N_CTX, pass_costs=known))
        plain.load(Load(str(model), n_ctx=N_CTX, lookup=False))
        rewritten, prose = [], []
        for number in range(repetitions):
            text = REWRITES[number % len(REWRITES)]
            rewritten.append(_both(guessing, plain, text, _N_REWRITTEN, _GREEDY))
            text = f"Story {number}. {question(_PROSE_DEPTH)}"
            prose.append(_both(guessing, plain, text, _N_PROSE, sampling_with(number)))
    return {"costs": costs, "rewriting": _figures(rewritten), "prose": _figures(prose)}


def _both(
    guessing: BlockingEngine, plain: BlockingEngine, text: str, n_tokens: int, how: Sampling
) -> _Pair:
    return _Pair(ask(guessing, [text], n_tokens, how), ask(plain, [text], n_tokens, how))


def _figures(pairs: list[_Pair]) -> dict[str, Any]:
    guessed = [pair.guessed.done for pair in pairs]
    with_guesses, without = [done.tps for done in guessed], [p.plain.done.tps for p in pairs]
    n_tokens = sum(done.n_generated for done in guessed)
    n_passes = n_tokens - sum(done.n_true for done in guessed)
    return {
        "tps": {"guessing": with_guesses, "plain": without},
        "ratio": ratio(with_guesses, without),
        "n_generated": [done.n_generated for done in guessed],
        "n_guessed": [done.n_guessed for done in guessed],
        "n_true": [done.n_true for done in guessed],
        "tokens_per_pass": n_tokens / max(n_passes, 1),
        "same_text": sum(pair.is_same_text for pair in pairs) / len(pairs),
    }
