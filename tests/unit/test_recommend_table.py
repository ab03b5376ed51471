"""The golden table of recommendations: whoever changes the policy reads what it changes."""

from __future__ import annotations

import pytest

from tests.helpers import recommendations
from tests.helpers.machines import MACHINES


def test_the_head_and_the_rows_are_as_written() -> None:
    text = recommendations.PATH.read_text("utf-8")
    assert text.startswith(recommendations.head())
    assert recommendations.read_column(text, "model") == recommendations.row_names()


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_recommended_is_as_written(name: str) -> None:
    """`python -m tests.helpers.recommendations` writes the table anew."""
    written = recommendations.read_column(recommendations.PATH.read_text("utf-8"), name)
    assert recommendations.column(MACHINES[name]) == written
