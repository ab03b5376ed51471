"""llama.cpp's native sampler chain, in the order of its common/sampling.cpp."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from app.engine.native import lib
from app.engine.protocol import Sampling

PENALTY_LAST_N = 64


class SamplerChain:
    """Penalties, top-k, top-p, min-p, temperature, then the draw; greedy at temperature 0."""

    def __init__(self, sampling: Sampling, n_vocab: int) -> None:
        self.seed = secrets.randbits(31) if sampling.seed is None else sampling.seed
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for sampler in _samplers(sampling, self.seed, n_vocab):
            lib.llama_sampler_chain_add(self._chain, sampler)
        self._penalizes = sampling.repeat_penalty != 1.0

    def accept_prompt(self, tokens: Sequence[int]) -> None:
        """Let the penalties know the end of the prompt, as llama.cpp's server does."""
        if self._penalizes:
            for token in tokens[-PENALTY_LAST_N:]:
                lib.llama_sampler_accept(self._chain, token)

    def sample(self, context: Any) -> int:
        """The next token, from the logits of the last position; it is accepted too."""
        return int(lib.llama_sampler_sample(self._chain, context, -1))

    def close(self) -> None:
        if self._chain is not None:
            lib.llama_sampler_free(self._chain)
            self._chain = None


def _samplers(sampling: Sampling, seed: int, n_vocab: int) -> list[Any]:
    chain = []
    if sampling.repeat_penalty != 1.0:
        penalty = lib.llama_sampler_init_penalties(
            n_vocab, PENALTY_LAST_N, sampling.repeat_penalty, 0.0, 0.0
        )
        chain.append(penalty)
    if sampling.temperature <= 0.0:
        return [*chain, lib.llama_sampler_init_greedy()]
    if sampling.top_k > 0:
        chain.append(lib.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1.0:
        chain.append(lib.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0.0:
        chain.append(lib.llama_sampler_init_min_p(sampling.min_p, 1))
    chain.append(lib.llama_sampler_init_temp(sampling.temperature))
    return [*chain, lib.llama_sampler_init_dist(seed)]
