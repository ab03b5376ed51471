"""What is said while a schema, a grammar or biases are typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.answerform import mistake_in_biases, mistake_in_grammar, mistake_in_schema


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", None),
        (" \n", None),
        ('{"type": "object"}', None),
        ('{"type": "object",', "The JSON is not finished."),
        ('{"a" 1}', "This is no JSON: see line 1, column 6."),
        ('{"a":\n 1 2}', "This is no JSON: see line 2, column 4."),
        ("[1]", 'A schema stands in braces: {"type": "object"}'),
        ("[" * 100_000, "This is nested too deeply."),
    ],
)
def test_a_schema_is_read_as_it_is_typed(text: str, said: str | None) -> None:
    found = mistake_in_schema(text)
    assert (str(found) if found else None) == said


def test_a_schema_that_no_grammar_can_keep_is_refused() -> None:
    assert mistake_in_schema('{"type": "horse"}') is not None


def test_a_grammar_needs_a_root() -> None:
    assert mistake_in_grammar("") is None
    assert mistake_in_grammar('root ::= "a"') is None
    assert mistake_in_grammar('x ::= "a"\n  root ::= x') is None
    assert mistake_in_grammar('roots ::= "a"') is not None


def test_the_line_that_is_no_bias_is_named() -> None:
    assert mistake_in_biases("delve -5\n\nnew york 1.5\n") is None
    assert "Line 2" in str(mistake_in_biases("delve -5\nhello"))
    assert mistake_in_biases("5") is not None


@given(st.text())
def test_whatever_is_typed_is_answered(text: str) -> None:
    for check in (mistake_in_schema, mistake_in_grammar, mistake_in_biases):
        check(text)
