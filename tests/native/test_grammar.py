"""Answers bound to grammars and JSON schemas, written by a real model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import EngineError
from app.core.jsonschema import grammar_of
from app.engine.client import BlockingEngine
from app.engine.context import Context
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag
from app.engine.protocol import Load, Sampling
from app.engine.sampling import SamplerChain
from tests.helpers.asking import Answer, ask, request
from tests.helpers.changed_model import with_template


def bound(engine: BlockingEngine, grammar: str, seed: int = 1, max_tokens: int = 100) -> Answer:
    sampling = Sampling(temperature=0.8, seed=seed, grammar=grammar)
    return ask(engine, request("Tell me about a king.", max_tokens=max_tokens, sampling=sampling))


def test_a_grammar_leaves_only_its_words(engine: BlockingEngine) -> None:
    for seed in range(5):
        bound_to = Sampling(temperature=1.5, seed=seed, grammar='root ::= "yes" | "no"')
        assert ask(engine, request("Is it?", sampling=bound_to)).text in ("yes", "no")


DEEP = "root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000


@pytest.mark.parametrize(
    "grammar",
    ['root ::= "', "root ::= [", "nothing", "root ::= root", "\0", "x" * 2_000_000, DEEP],
    ids=range(7),
)
def test_a_grammar_with_a_mistake_is_one_sentence(engine: BlockingEngine, grammar: str) -> None:
    with pytest.raises(EngineError, match="mistake"):
        ask(engine, request("x", sampling=Sampling(grammar=grammar)))
    assert ask(engine, request("Hello", max_tokens=3)).done.n_generated


def test_brackets_that_are_text_do_not_count(engine: BlockingEngine) -> None:
    grammar = f'root ::= "{"(" * 600}" | [(((] # {"(" * 600}'
    assert bound(engine, grammar, max_tokens=1).done.n_generated == 1


def test_a_grammar_that_cannot_be_met_is_one_sentence(engine: BlockingEngine) -> None:
    """No token of the vocabulary begins with that character."""
    with pytest.raises(EngineError, match="cannot follow the grammar"):
        bound(engine, r"root ::= [\x00] [\x00]")
    assert ask(engine, request("Hello", max_tokens=3)).done.n_generated


names = st.sampled_from(["name", "age", "a b", 'quo"te', "Köln", "r0", "root", "char"])
leaves = st.one_of(
    st.just({"type": "integer"}),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(lambda n: {"type": "string", "maxLength": n}, st.integers(0, 6)),
    st.builds(lambda v: {"const": v}, st.sampled_from([1, "two\n", None, [3], {"four": 4.5}])),
    st.builds(lambda v: {"enum": v}, st.lists(st.sampled_from(["a", "b\\", 7, None]), min_size=1)),
    st.just({"type": "string", "format": "date"}),
    st.just({"type": ["integer", "null"]}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(names, inner, max_size=3)
    return properties.flatmap(
        lambda found: st.builds(
            lambda required: {"type": "object", "properties": found, "required": sorted(required)},
            st.sets(st.sampled_from(sorted(found))) if found else st.just(set()),
        )
    )


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda items, low, more: {
            "type": "array",
            "items": items,
            "minItems": low,
            "maxItems": low + more,
        },
        inner,
        st.integers(0, 2),
        st.integers(0, 2),
    )


schemas = st.recursive(
    leaves,
    lambda inner: (
        objects(inner)
        | arrays(inner)
        | st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner)
        | st.builds(lambda a, b: {"prefixItems": [a, b]}, inner, inner)
    ),
    max_leaves=5,
)


def keeps_to(value: Any, schema: dict[str, Any]) -> bool:
    """A second opinion on what the schema allows, as far as these tests use it."""
    if "anyOf" in schema:
        return any(keeps_to(value, one) for one in schema["anyOf"])
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if "prefixItems" in schema:
        pairs = zip(value, schema["prefixItems"], strict=True)
        return isinstance(value, list) and all(keeps_to(v, s) for v, s in pairs)
    kind = schema["type"]
    if isinstance(kind, list):
        return any(keeps_to(value, {**schema, "type": one}) for one in kind)
    if kind == "object":
        known = schema["properties"]
        return (
            isinstance(value, dict)
            and set(schema["required"]) <= set(value) <= set(known)
            and all(keeps_to(v, known[k]) for k, v in value.items())
        )
    if kind == "array":
        return (
            isinstance(value, list)
            and schema["minItems"] <= len(value) <= schema["maxItems"]
            and all(keeps_to(v, schema["items"]) for v in value)
        )
    if kind == "string" and "format" in schema:
        return isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-"
    if kind == "string":
        return isinstance(value, str) and len(value) <= schema["maxLength"]
    kinds = {"integer": int, "boolean": bool, "null": type(None)}
    return type(value) is kinds[kind]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schemas)
def test_what_is_written_keeps_to_the_schema(engine: BlockingEngine, schema: Any) -> None:
    answer = bound(engine, grammar_of(json.dumps(schema)))
    if answer.done.stop_reason == "stop":
        assert keeps_to(json.loads(answer.text), schema), answer.text


def test_a_schema_that_leads_back_to_itself_ends(engine: BlockingEngine) -> None:
    schema = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "n": {"type": "integer"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["n", "next"],
            }
        },
    }
    answer = bound(engine, grammar_of(json.dumps(schema)), max_tokens=60)
    assert answer.text.startswith("{")
    if answer.done.stop_reason == "stop":
        assert {"n", "next"} == set(json.loads(answer.text))


def test_a_grammar_does_not_bind_the_reasoning(
    own_engine: BlockingEngine, starter_path: Path, tmp_path: Path
) -> None:
    """Of a model whose template has opened the reasoning when it begins to write."""
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "<|im_start|>assistant\n<think>\n"
    )
    path = with_template(starter_path, tmp_path / "thinker.gguf", template)
    own_engine.load(Load(str(path), n_ctx=512))
    answer = bound(own_engine, 'root ::= "yes" | "no"', max_tokens=12)
    reasoning = "".join(frame.reasoning for frame in answer.frames)
    assert len(reasoning) > 6
    assert answer.text == ""


def test_a_grammar_begins_where_the_reasoning_ends(starter_path: Path) -> None:
    model = Model(starter_path, 0, NativeLog(), lambda _: True)
    context = Context(model, Load(str(starter_path), n_ctx=256), NativeLog(), StopFlag())
    context.decode(model.tokenize("Is it true? The answer is"))
    sampling = Sampling(temperature=0.0, repeat_penalty=1.0, grammar='root ::= "yes" | "no"')
    try:
        plain = SamplerChain(Sampling(temperature=0.0), model.vocab, model.n_vocab)
        free_token = plain.sample(context.handle)
        bound_tokens = {model.tokenize(word, add_special=False)[0] for word in ("yes", "no", "y")}

        chain = SamplerChain(sampling, model.vocab, model.n_vocab)
        chain.is_free = True
        assert chain.sample(context.handle) == free_token
        chain.is_free = False
        assert chain.sample(context.handle) in bound_tokens
        chain.is_free = True  # what has begun is not let go of
        assert chain.sample(context.handle) != free_token

        opening = SamplerChain(sampling, model.vocab, model.n_vocab, {free_token}.__contains__)
        assert opening.sample(context.handle) == free_token
        for one in (plain, chain, opening):
            one.close()
    finally:
        context.close()
        model.close()
