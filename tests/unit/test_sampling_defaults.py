"""A model file's own sampling defaults, and those that mean harm."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import settings as s
from app.engine.defaults import sampling_defaults
from app.engine.protocol import Sampling
from quantize.gguf_header import read_header
from tests.helpers import gguf_files


def _defaults(folder: Path, **values: object) -> dict[str, float]:
    keys = {f"general.sampling.{key}": value for key, value in values.items()}
    metadata = {**gguf_files.METADATA, **keys}
    path = gguf_files.write_gguf(folder / "m.gguf", metadata, gguf_files.TENSORS)
    return dict(sampling_defaults(read_header(path)))


def test_the_files_defaults_go_by_our_names(tmp_path: Path) -> None:
    found = _defaults(
        tmp_path, temp=0.5, top_k=20, top_p=0.75, min_p=0.0, penalty_repeat=1.25, mirostat=2
    )
    assert found == {
        "temperature": 0.5,
        "top_k": 20,
        "top_p": 0.75,
        "min_p": 0.0,
        "repeat_penalty": 1.25,
        "mirostat": 2,
    }
    assert set(found) <= set(Sampling.__struct_fields__)


def test_a_file_without_them_has_none(tmp_path: Path) -> None:
    assert _defaults(tmp_path) == {}


@pytest.mark.parametrize(
    "values",
    [
        {"temp": 1e9},
        {"temp": -1.0},
        {"temp": math.nan},
        {"temp": math.inf},
        {"temp": "0.5"},
        {"temp": True},
        {"top_k": -1},
        {"top_k": 2**40},
        {"top_k": 1.5},
        {"top_p": 7},
        {"mirostat": 3},
        {"mirostat": "2"},
        {"penalty_last_n": 2**62},
        {"sequence": "top_k;temperature"},
    ],
)
def test_what_cannot_be_right_is_left_out(tmp_path: Path, values: dict[str, object]) -> None:
    assert _defaults(tmp_path, **values) == {}


@given(value=st.one_of(st.floats(width=32), st.integers(-(2**31), 2**63), st.text(max_size=3)))
def test_no_value_gets_past_the_bounds(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    found = _defaults(tmp_path_factory.mktemp("m"), temp=value, top_k=value, top_p=value)
    for name, setting in (("temperature", s.TEMPERATURE), ("top_p", s.TOP_P)):
        assert name not in found or setting.accepts(found[name])
    assert "top_k" not in found or s.TOP_K.accepts(int(found["top_k"]))
