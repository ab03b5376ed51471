"""JSON schemas as grammars: what they allow is seen with a real model in tests/native."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import PromptError
from app.core.jsonschema import grammar_of

HOSTILE = {
    "nothing": "",
    "not JSON": "[",
    "a list": "[]",
    "a number": "7",
    "an unknown type": '{"type": "colour"}',
    "a type that is an object": '{"type": {}}',
    "a reference to nothing": '{"$ref": "#/nowhere"}',
    "a reference that is no text": '{"$ref": 7}',
    "a reference to itself": '{"$ref": "#"}',
    "a remote reference": '{"$ref": "https://example.org/schema.json"}',
    "a file": '{"$ref": "file:///etc/passwd"}',
    "a word that is not supported": '{"type": "string", "pattern": "^(a+)+$"}',
    "too deep to read": "[" * 100_000,
    "too deep to follow": '{"items":' * 200 + "{}" + "}" * 200,
    "too long": '{"title": "' + "x" * 300_000 + '"}',
    "too many rules": json.dumps(
        {"properties": {f"p{n}": {"type": "string"} for n in range(9_000)}},
    ),
    "no alternatives": '{"anyOf": []}',
    "bounds that cross": '{"type": "array", "minItems": 3, "maxItems": 2}',
    "bounds without end": '{"type": "string", "maxLength": 1000000000}',
    "a required property that is nowhere": '{"properties": {}, "required": ["a"]}',
    "a list that may have no doubles": '{"type": "array", "uniqueItems": true}',
}


@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_schema_that_cannot_be_used_is_one_sentence(schema: str) -> None:
    with pytest.raises(PromptError, match="JSON schema for the answer cannot be used"):
        grammar_of(schema)


def test_a_remote_reference_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket", None)  # whoever reaches for it would fail otherwise
    with pytest.raises(PromptError) as caught:
        grammar_of(HOSTILE["a remote reference"])
    assert "only references into the schema itself" in str(caught.value.hint)


def test_every_rule_that_is_named_exists() -> None:
    schema = {
        "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}, "n": {"enum": [1]}}}},
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/$defs/node"}, "minItems": 1},
            "b": {"allOf": [{"$ref": "#/$defs/node"}, {"properties": {"c": {"const": '"\n'}}}]},
            "d": {"type": ["string", "null"], "maxLength": 3},
            "e": {"format": "date-time"},
        },
        "required": ["a"],
        "additionalProperties": {"type": "integer"},
    }
    grammar = grammar_of(json.dumps(schema))
    rules = dict(line.split(" ::= ") for line in grammar.splitlines())
    assert "root" in rules
    assert r'"\"\\\"\\n\""' in grammar
    for name in rules:
        assert name.isalnum()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "properties",
                        "items",
                        "anyOf",
                        "$ref",
                        "enum",
                        "required",
                        "allOf",
                        "prefixItems",
                        "minItems",
                        "format",
                        "const",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_is_a_grammar_or_one_sentence(document: object) -> None:
    with contextlib.suppress(PromptError):
        assert "root ::= " in grammar_of(json.dumps(document))
