"""The list of variants, and names that people type."""

from __future__ import annotations

import pytest

from quantize.errors import UnsupportedError
from quantize.types import FileType
from quantize.variants import BY_TYPE, LADDER, VARIANTS, parse_type


def test_the_list_starts_with_the_two_that_most_people_want() -> None:
    assert [v.file_type for v in VARIANTS[:2]] == [FileType.Q8_0, FileType.Q4_K_M]


def test_each_is_listed_once_with_a_sentence_of_its_own() -> None:
    assert len(BY_TYPE) == len(VARIANTS)
    words = [str(variant.words) for variant in VARIANTS]
    assert len(set(words)) == len(words)
    assert all(text[0].isupper() and not text.endswith(".") and len(text) < 70 for text in words)


def test_the_ladder_goes_down_and_needs_no_matrix() -> None:
    assert [kind.name for kind in LADDER] == [
        *("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K")
    ]
    sizes = [BY_TYPE[kind].bpw for kind in LADDER]
    assert sizes == sorted(sizes, reverse=True)
    assert not any(BY_TYPE[kind].needs_imatrix for kind in LADDER)


@pytest.mark.parametrize("kind", BY_TYPE)
def test_a_name_is_found_however_it_is_written(kind: FileType) -> None:
    for name in (kind.name, kind.name.lower(), f" MOSTLY_{kind.name} ", f"mostly_{kind.name}"):
        assert parse_type(name) is kind


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Q4_KM", "Q4_K_M"), ("q4km", "Q4_K_M"), ("IQ4XS", "IQ4_XS"), ("Q8", "Q8_0"), ("FP16", "F16")],
)
def test_a_slip_names_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_type(name)
    assert name in str(caught.value)
    assert meant in str(caught.value.hint)


@pytest.mark.parametrize("name", ["", "best", "NVFP4", "ALL", "Q4_2", "Q4_K_M.gguf\0", "é" * 500])
def test_what_is_no_variant_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_type(name)
    assert "--list-types" in str(caught.value.hint)
