"""llama.cpp's native samplers, in the order of its common/sampling.cpp at the pinned commit."""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any

from app.engine.biases import token_biases
from app.engine.grammar import Grammar
from app.engine.native import lib
from app.engine.numbers import broken
from app.engine.protocol import Sampling

_DRY_BREAKERS = (b"\n", b":", b'"', b"*")
_MIN_KEEP = 1
_MIROSTAT_CANDIDATES = 100


class SamplerChain:
    """Bias, penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature, the draw.

    Greedy at temperature 0; Mirostat takes the place of all after the bias. With a grammar, a token
    that it does not allow is drawn again among those it does. `is_free`: what is written now is not
    the answer yet, so a grammar that has not begun does not bind it; `opens_reasoning` says of a
    first token whether it is of that kind. Raises EngineError for a grammar that does not parse.
    """

    def __init__(
        self,
        sampling: Sampling,
        vocab: Any,
        n_vocab: int,
        opens_reasoning: Callable[[int], bool] = lambda _token: False,
    ) -> None:
        self.seed = secrets.randbits(31) if sampling.seed is None else sampling.seed
        self.is_free = False
        self._grammar = (
            Grammar(sampling.grammar, vocab, n_vocab, opens_reasoning) if sampling.grammar else None
        )
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for sampler in _samplers(sampling, self.seed, vocab, n_vocab):
            lib.llama_sampler_chain_add(self._chain, sampler)
        self._remembers = _looks_back(sampling)

    def accept_prompt(self, tokens: Sequence[int]) -> None:
        """Let the penalties know the end of the prompt, as llama.cpp's server does."""
        if self._remembers:
            for token in tokens[-self._remembers :]:
                lib.llama_sampler_accept(self._chain, token)

    def sample(self, context: Any, position: int = -1) -> int:
        """The next token, from the logits of the pass's last (or that) token; accepted too.

        Raises EngineError where the grammar leaves no token, ModelFileError where the logits are no
        numbers.
        """
        if self._grammar is not None and (self._grammar.has_begun or not self.is_free):
            return self._grammar.sample(self._chain, context, position)
        token = int(lib.llama_sampler_sample(self._chain, context, position))
        if not isfinite(lib.llama_get_logits_ith(context, position)[token]):
            raise broken()
        return token

    def close(self) -> None:
        if self._grammar is not None:
            self._grammar.close()
            self._grammar = None
        if self._chain is not None:
            lib.llama_sampler_free(self._chain)
            self._chain = None


def _looks_back(sampling: Sampling) -> int:
    """How many tokens the penalties want to know."""
    last_n = sampling.penalty_last_n if _penalizes(sampling) else 0
    return max(last_n, sampling.dry_penalty_last_n if sampling.dry_multiplier > 0 else 0)


def _penalizes(s: Sampling) -> bool:
    asked = s.repeat_penalty != 1.0 or s.frequency_penalty != 0 or s.presence_penalty != 0
    return asked and s.penalty_last_n > 0


def _samplers(sampling: Sampling, seed: int, vocab: Any, n_vocab: int) -> Iterator[Any]:
    biases = token_biases(sampling.logit_bias, vocab, n_vocab)
    if biases:
        yield _logit_bias(biases, n_vocab)
    if sampling.mirostat and sampling.temperature > 0:
        yield from _mirostat(sampling, seed, n_vocab)
        return
    yield from _penalties(sampling, vocab, n_vocab)
    if sampling.temperature <= 0.0:
        yield lib.llama_sampler_init_greedy()
        return
    for wanted, make in _filters(sampling, seed):
        if wanted:
            yield make()
    yield lib.llama_sampler_init_temp(sampling.temperature)
    yield lib.llama_sampler_init_dist(seed)


def _filters(s: Sampling, seed: int) -> Iterator[tuple[bool, Callable[[], Any]]]:
    """Each with whether it does anything: one that does not costs a pass over the vocabulary."""
    yield s.top_n_sigma > 0, lambda: lib.llama_sampler_init_top_n_sigma(s.top_n_sigma)
    yield s.top_k > 0, lambda: lib.llama_sampler_init_top_k(s.top_k)
    yield s.typical_p < 1, lambda: lib.llama_sampler_init_typical(s.typical_p, _MIN_KEEP)
    yield s.top_p < 1, lambda: lib.llama_sampler_init_top_p(s.top_p, _MIN_KEEP)
    yield s.min_p > 0, lambda: lib.llama_sampler_init_min_p(s.min_p, _MIN_KEEP)
    yield (
        s.xtc_probability > 0,
        lambda: lib.llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, _MIN_KEEP, seed),
    )


def _penalties(s: Sampling, vocab: Any, n_vocab: int) -> Iterator[Any]:
    if _penalizes(s):
        yield lib.llama_sampler_init_penalties(
            n_vocab, s.penalty_last_n, s.repeat_penalty, s.frequency_penalty, s.presence_penalty
        )
    if s.dry_multiplier > 0 and s.dry_penalty_last_n > 0:
        breakers = (ctypes.c_char_p * len(_DRY_BREAKERS))(*_DRY_BREAKERS)
        yield lib.llama_sampler_init_dry(
            vocab,
            s.dry_multiplier,
            s.dry_base,
            s.dry_allowed_length,
            s.dry_penalty_last_n,
            breakers,
            len(breakers),
        )


def _mirostat(s: Sampling, seed: int, n_vocab: int) -> Iterator[Any]:
    yield lib.llama_sampler_init_temp(s.temperature)
    tau, eta = s.mirostat_tau, s.mirostat_eta
    if s.mirostat == 1:
        yield lib.llama_sampler_init_mirostat(n_vocab, seed, tau, eta, _MIROSTAT_CANDIDATES)
    else:
        yield lib.llama_sampler_init_mirostat_v2(seed, tau, eta)


def _logit_bias(known: Sequence[tuple[int, float]], n_vocab: int) -> Any:
    biases = (lib.llama_logit_bias * len(known))()
    for entry, (token, bias) in zip(biases, known, strict=True):
        entry.token, entry.bias = token, bias
    return lib.llama_sampler_init_logit_bias(n_vocab, len(known), biases)
