"""The rules that the engine and its prediction share."""

from __future__ import annotations

import pytest

from app.core import running

GIB, MIB = 1024**3, 1024**2


@pytest.mark.parametrize("asked", [0, -1, -(2**40)])
def test_no_context_at_all_is_that_of_the_training(asked: int) -> None:
    assert running.n_ctx_for(asked, 8192) == 8192
    assert 1024 <= running.n_ctx_for(asked, 0) <= 8192


@pytest.mark.parametrize("asked", [2**31, 2**32, 2**60])
def test_a_context_never_overflows_what_llama_cpp_counts_with(asked: int) -> None:
    assert running.n_ctx_for(asked, 8192) == 8192
    assert 0 < running.n_ctx_for(asked, 0) < 2**31


@pytest.mark.parametrize(
    ("n_vocab", "weights_bytes", "n_outputs"),
    [
        (49_152, 96 * MIB, 5 + 1),  # the starter
        (49_152, 513 * MIB, 17),
        (262_144, 241 * MIB, 5),  # gemma 3 270M
        (262_144, 100 * MIB, 2),
        (151_936, 8 * GIB, 17),
        (1, 1, 1),
    ],
)
def test_logits_take_little_of_what_the_model_does(
    n_vocab: int, weights_bytes: int, n_outputs: int
) -> None:
    found = running.n_outputs_for(n_vocab, weights_bytes, is_recurrent=False)
    assert found == n_outputs
    assert (found - 1) * 4 * n_vocab <= min(weights_bytes / 50, 16 * MIB)


def test_what_cannot_be_taken_back_is_not_guessed() -> None:
    assert running.n_outputs_for(32_000, GIB, is_recurrent=True) == 1


def test_branches_need_a_cache_that_keeps_everything() -> None:
    assert running.n_sequences_for(17, sees_everything=True) == 4
    assert running.n_sequences_for(2, sees_everything=True) == 2
    assert running.n_sequences_for(17, sees_everything=False) == 1
