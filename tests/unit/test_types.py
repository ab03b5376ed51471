"""The type tables against the sizes that ggml-common.h asserts."""

from __future__ import annotations

import pytest

from quantize.types import REMOVED_TYPES, FileType, GgmlType


@pytest.mark.parametrize(
    ("type_", "n_bytes"),
    [
        # As the static_asserts of ggml-common.h have it: scales, then packed weights.
        (GgmlType.Q4_0, 2 + 32 // 2),
        (GgmlType.Q8_1, 2 * 2 + 32),
        (GgmlType.Q2_K, 2 * 2 + 256 // 16 + 256 // 4),
        (GgmlType.Q3_K, 2 + 256 // 4 + 256 // 8 + 12),
        (GgmlType.Q4_K, 2 * 2 + 12 + 256 // 2),
        (GgmlType.Q5_K, 2 * 2 + 12 + 256 // 2 + 256 // 8),
        (GgmlType.Q6_K, 2 + 256 // 16 + 3 * 256 // 4),
        (GgmlType.Q8_K, 4 + 256 + 256 // 16 * 2),
        (GgmlType.IQ2_S, 2 + 256 // 4 + 256 // 16),
        (GgmlType.IQ3_S, 2 + 13 * (256 // 32) + 256 // 64),
        (GgmlType.IQ1_M, 256 // 8 + 256 // 16 + 256 // 32),
        (GgmlType.IQ4_XS, 2 + 2 + 256 // 64 + 256 // 2),
        (GgmlType.TQ1_0, 2 + 256 // 64 + (256 - 4 * 256 // 64) // 5),
        (GgmlType.MXFP4, 1 + 32 // 2),
        (GgmlType.NVFP4, 64 // 16 + 64 // 2),
        (GgmlType.Q1_0, 2 + 128 // 8),
        (GgmlType.Q2_0, 2 + 64 // 4),
    ],
)
def test_block_bytes(type_: GgmlType, n_bytes: int) -> None:
    assert type_.type_size == n_bytes
    assert type_.bpw == n_bytes * 8 / type_.block_size


def test_type_numbers_are_known_or_removed() -> None:
    assert sorted([*GgmlType, *REMOVED_TYPES]) == list(range(43))
    assert GgmlType(12) is GgmlType.Q4_K
    assert FileType(15).name == "Q4_K_M"
