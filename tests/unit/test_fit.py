"""The rough prediction of memory, and which variants it recommends."""

from __future__ import annotations

import pytest

from app.core.fit import (
    Fit,
    MemoryNeed,
    judge,
    predict_context,
    predict_need,
    recommend,
)

GB = 1_000_000_000


def test_the_context_is_what_keys_and_values_take() -> None:
    """SmolLM2 135M: 30 blocks, 3 heads of 64 for keys and values, F16: 94 MB for 4,096 tokens."""
    tensors = [
        (f"blk.{block}.{kind}.weight", shape)
        for block in range(30)
        for kind, shape in (
            ("attn_k", (576, 192)),
            ("attn_v", (576, 192)),
            ("attn_q", (576, 576)),
            ("attn_norm", (576,)),
        )
    ]
    assert predict_context(tensors, 4096) == 30 * 2 * 192 * 4096 * 2


def test_a_fused_projection_counts_two_thirds() -> None:
    assert predict_context([("blk.0.attn_qkv.weight", (768, 2304))], 1) == 2 * 768 * 2


@pytest.mark.parametrize(
    ("total", "fit"),
    [
        (7 * GB, Fit.FITS),
        (8_500_000_000, Fit.FITS),
        (8_500_000_001, Fit.TIGHT),
        (10 * GB, Fit.TIGHT),
        (10 * GB + 1, Fit.DOES_NOT_FIT),
    ],
)
def test_comfort_needs_room_to_spare(total: int, fit: Fit) -> None:
    assert judge(MemoryNeed(total, 0, 0), 10 * GB) is fit


def test_the_need_is_more_than_the_file() -> None:
    need = predict_need(2 * GB, 300_000_000)
    assert need.total_bytes > need.model_bytes + need.context_bytes


@pytest.mark.parametrize(
    ("fits", "taken"),
    [
        ("FFFF", ("Q8_0", "Q4_K_M")),
        ("xFFF", ("Q6_K", "Q4_K_M")),
        ("xxFF", ("Q4_K_M",)),
        ("xxtF", ("Q2_K",)),
        ("xxtt", ("Q2_K",)),
        ("xxxx", ()),
    ],
)
def test_recommended_is_the_largest_that_fits_and_the_usual_one(
    fits: str, taken: tuple[str, ...]
) -> None:
    states = {"F": Fit.FITS, "t": Fit.TIGHT, "x": Fit.DOES_NOT_FIT}
    names = ("Q8_0", "Q6_K", "Q4_K_M", "Q2_K")
    assert recommend({name: states[s] for name, s in zip(names, fits, strict=True)}) == taken
