"""A second of trying."""

from __future__ import annotations

import time

import pytest

from quantize import calibrate, native
from quantize.types import GgmlType
from tests.helpers.shaped_model import SMALL, shaped

WEIGHTS = shaped(SMALL).weights
# Without tables that take seconds to build: most of what files are made of.
USUAL = (
    *(GgmlType.Q8_0, GgmlType.Q6_K, GgmlType.Q5_K, GgmlType.Q4_K, GgmlType.IQ4_XS),
    *(GgmlType.Q3_K, GgmlType.Q2_K, GgmlType.F32, GgmlType.F16, GgmlType.BF16),
)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    for cached in (calibrate._encode_speed, calibrate._hash_speed, calibrate._flops):
        cached.cache_clear()


@pytest.mark.parametrize("with_imatrix", [False, True])
def test_every_usual_type_gets_a_speed(with_imatrix: bool) -> None:
    speeds = calibrate.measure(USUAL, WEIGHTS, 2, with_imatrix)
    assert set(speeds.encode) == set(USUAL)
    assert all(speed > 1e4 for speed in speeds.encode.values())
    assert min(speeds.read, speeds.write_bytes_per_s, speeds.flops) > 1e6
    assert speeds.encode[GgmlType.Q8_0] > speeds.encode[GgmlType.IQ4_XS]


def test_it_is_about_a_second_of_work_and_not_done_twice() -> None:
    took = []
    for _ in range(2):
        began = time.process_time()
        calibrate.measure(USUAL, WEIGHTS, 1, False)
        took.append(time.process_time() - began)
    assert took[0] < 2
    assert took[1] < took[0] / 3


def test_no_table_is_built_for_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """ggml takes up to 13 s for the tables of the smallest types."""
    built = []
    monkeypatch.setattr(native, "quantize_init", built.append)
    slow = [t for t in GgmlType if t.name.startswith(("IQ1", "IQ2", "IQ3"))]
    speeds = calibrate.measure(slow, WEIGHTS, 1, True)
    assert set(built) == {GgmlType.Q4_K}
    assert all(0 < speeds.encode[t] < speeds.encode[GgmlType.IQ3_S] * 10 for t in slow)
    assert calibrate.table_seconds(slow) > 10
    assert calibrate.table_seconds([GgmlType.Q4_K]) == 0


@pytest.mark.parametrize("type_", [GgmlType.TQ1_0, GgmlType.MXFP4, GgmlType.Q1_0, GgmlType.NVFP4])
def test_rare_types_can_be_tried(type_: GgmlType) -> None:
    assert calibrate.measure([type_], WEIGHTS, 1, False).encode[type_] > 1e4
