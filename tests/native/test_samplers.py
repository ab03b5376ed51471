"""Every sampler of the chain against the same written down in numpy, on random logits."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.engine.biases import token_biases
from app.engine.model import Model, NativeLog
from app.engine.native import lib
from app.engine.protocol import Sampling
from app.engine.sampling import SamplerChain

N = 997
NEUTRAL = Sampling(
    temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0, penalty_last_n=64, seed=1
)


@pytest.fixture(scope="module")
def model(starter_path: Path) -> Iterator[Model]:
    loaded = Model(starter_path, 0, NativeLog(), lambda _: True)
    yield loaded
    loaded.close()


def neutral(**changes: object) -> Sampling:
    return Sampling(**{**{f: getattr(NEUTRAL, f) for f in Sampling.__struct_fields__}, **changes})


def chain_on(
    logits: np.ndarray, sampling: Sampling, vocab: object, past: tuple[int, ...] = ()
) -> tuple[np.ndarray, int]:
    """What the chain makes of `logits`: probabilities by token, 0 for the dropped; the draw."""
    chain = SamplerChain(sampling, vocab, len(logits))
    try:
        chain.accept_prompt(past)
        data = (lib.llama_token_data * len(logits))(
            *((i, float(logit), 0.0) for i, logit in enumerate(logits))
        )
        array = lib.llama_token_data_array(data, len(logits), -1, False)
        lib.llama_sampler_apply(chain._chain, ctypes.byref(array))
        left = [(array.data[i].id, array.data[i].logit) for i in range(array.size)]
        drawn = array.data[array.selected].id
    finally:
        chain.close()
    kept = np.full(len(logits), -np.inf)
    for token, logit in left:
        kept[token] = logit
    return softmax(kept), int(drawn)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def only(p: np.ndarray, keep: np.ndarray) -> np.ndarray:
    kept = np.where(keep, p, 0.0)
    return kept / kept.sum()


def top_k(logits: np.ndarray, k: int) -> np.ndarray:
    return only(softmax(logits), np.argsort(np.argsort(-logits)) < k)


def top_p(logits: np.ndarray, share: float) -> np.ndarray:
    p = softmax(logits)
    order = np.argsort(-p)
    before = np.concatenate([[0.0], np.cumsum(p[order])[:-1]])
    keep = np.zeros(len(p), bool)
    keep[order[before < share]] = True
    return only(p, keep)


def min_p(logits: np.ndarray, share: float) -> np.ndarray:
    p = softmax(logits)
    return only(p, p >= share * p.max())


def typical(logits: np.ndarray, share: float) -> np.ndarray:
    p = softmax(logits)
    entropy = -(p * np.log(p)).sum()
    order = np.argsort(np.abs(-np.log(p) - entropy))
    sums = np.cumsum(p[order])
    n = int(np.argmax(sums > share)) + 1 if (sums > share).any() else len(p)
    keep = np.zeros(len(p), bool)
    keep[order[:n]] = True
    return only(p, keep)


def top_n_sigma(logits: np.ndarray, n: float) -> np.ndarray:
    return only(softmax(logits), logits >= logits.max() - n * logits.std())


CASES: dict[str, tuple[dict[str, object], Callable[[np.ndarray], np.ndarray]]] = {
    "none": ({}, softmax),
    "temperature": ({"temperature": 0.37}, lambda x: softmax(x / 0.37)),
    "top_k": ({"top_k": 13}, lambda x: top_k(x, 13)),
    "top_p": ({"top_p": 0.8}, lambda x: top_p(x, 0.8)),
    "min_p": ({"min_p": 0.07}, lambda x: min_p(x, 0.07)),
    "typical": ({"typical_p": 0.6}, lambda x: typical(x, 0.6)),
    "top_n_sigma": ({"top_n_sigma": 1.3}, lambda x: top_n_sigma(x, 1.3)),
    "all in order": (
        {"top_k": 50, "top_p": 0.9, "min_p": 0.02, "temperature": 1.6},
        lambda x: in_order(x),
    ),
}


def in_order(logits: np.ndarray) -> np.ndarray:
    """Temperature last: what is dropped is decided by the model's own probabilities."""
    for keep in (top_k(logits, 50), top_p, min_p):
        p = keep if isinstance(keep, np.ndarray) else keep(logits, 0.9 if keep is top_p else 0.02)
        logits = np.where(p > 0, logits, -np.inf)
    return softmax(logits / 1.6)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(6))
def test_a_sampler_keeps_and_weighs_what_numpy_says(model: Model, name: str, seed: int) -> None:
    changes, expected = CASES[name]
    logits = np.random.default_rng(seed).normal(0, 3, N).astype(np.float32).astype(np.float64)
    p, drawn = chain_on(logits, neutral(**changes), model.vocab)
    wanted = expected(logits)
    assert set(np.flatnonzero(p)) == set(np.flatnonzero(wanted))
    np.testing.assert_allclose(p, wanted, atol=2e-5)
    assert p[drawn] > 0


@pytest.mark.parametrize("seed", range(4))
def test_penalties_are_those_of_numpy(model: Model, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, N).astype(np.float32).astype(np.float64)
    past = tuple(int(token) for token in random.integers(0, 40, 100))
    sampling = neutral(
        repeat_penalty=1.3, frequency_penalty=0.4, presence_penalty=0.7, penalty_last_n=32
    )
    wanted = logits.copy()
    for token in set(past[-32:]):
        count = past[-32:].count(token)
        wanted[token] = wanted[token] * 1.3 if wanted[token] <= 0 else wanted[token] / 1.3
        wanted[token] -= count * 0.4 + 0.7
    p, _ = chain_on(logits, sampling, model.vocab, past)
    np.testing.assert_allclose(p, softmax(wanted), atol=2e-5)


def test_penalties_of_no_tokens_do_nothing(model: Model) -> None:
    logits = np.random.default_rng(1).normal(0, 3, N).astype(np.float32)
    sampling = neutral(repeat_penalty=1.5, penalty_last_n=0)
    p, _ = chain_on(logits, sampling, model.vocab, tuple(range(50)))
    np.testing.assert_allclose(p, softmax(logits.astype(np.float64)), atol=2e-5)


def test_dry_makes_what_would_repeat_less_likely(model: Model) -> None:
    logits = np.zeros(N)
    past = (11, 12, 13, 14, 15, 50, 11, 12, 13)
    p, _ = chain_on(logits, neutral(dry_multiplier=0.8, dry_penalty_last_n=64), model.vocab, past)
    wanted = logits.copy()
    wanted[14] -= 0.8 * 1.75 ** (3 - 2)  # three tokens repeat, two are allowed
    np.testing.assert_allclose(p, softmax(wanted), atol=2e-5)


def test_greedy_takes_the_likeliest(model: Model) -> None:
    for seed in range(10):
        logits = np.random.default_rng(seed).normal(0, 3, N).astype(np.float32)
        _, drawn = chain_on(logits, neutral(temperature=0.0), model.vocab)
        assert drawn == int(logits.argmax())


def test_xtc_leaves_out_the_likeliest_but_one_of_those_likely(model: Model) -> None:
    logits = np.full(N, -10.0)
    logits[[3, 5, 8]] = [5.0, 4.9, 4.8]
    p, _ = chain_on(logits, neutral(xtc_probability=1.0, xtc_threshold=0.1), model.vocab)
    assert p[3] == p[5] == 0
    assert p[8] > 0.9
    p, _ = chain_on(logits, neutral(xtc_probability=0.0, xtc_threshold=0.1), model.vocab)
    assert p[3] > 0


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_keeps_to_its_surprise(model: Model, version: int) -> None:
    """Over many draws from the same logits, the mean surprise comes near the target."""
    logits = np.random.default_rng(5).normal(0, 2.5, N).astype(np.float32)
    p = softmax(logits.astype(np.float64))
    sampling = neutral(mirostat=version, mirostat_tau=4.0, mirostat_eta=0.2)
    chain = SamplerChain(sampling, model.vocab, N)
    surprises = []
    for _ in range(300):
        data = (lib.llama_token_data * N)(*((i, float(x), 0.0) for i, x in enumerate(logits)))
        array = lib.llama_token_data_array(data, N, -1, False)
        lib.llama_sampler_apply(chain._chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        lib.llama_sampler_accept(chain._chain, token)
        surprises.append(-np.log2(p[token]))
    chain.close()
    assert abs(np.mean(surprises[50:]) - 4.0) < (0.8 if version == 2 else 1.5)


def test_a_bias_moves_a_words_tokens(model: Model) -> None:
    n_vocab = model.n_vocab
    with_space = model.tokenize(" delve", add_special=False)
    found = dict(token_biases([("the", -5.0), ("[17]", 2.0)], model.vocab, n_vocab))
    assert found[model.tokenize("the", add_special=False)[0]] == -5.0
    assert found[model.tokenize(" the", add_special=False)[0]] == -5.0
    assert found[17] == 2.0
    assert len(found) == 3
    parts = dict(token_biases([("delve", 1.0)], model.vocab, n_vocab))
    assert set(with_space) == set(parts) or len(with_space) == 1
    assert token_biases([("[999999999]", 1.0)], model.vocab, n_vocab) == ()

    logits = np.random.default_rng(2).normal(0, 1, n_vocab).astype(np.float32)
    wanted = logits.astype(np.float64)
    wanted[17] += 2.0
    p, _ = chain_on(logits, neutral(logit_bias=(("[17]", 2.0),)), model.vocab)
    np.testing.assert_allclose(p, softmax(wanted), atol=2e-6)
