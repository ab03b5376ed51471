"""A JSON schema as a grammar in GBNF: the documents that it describes, and as far as it can be said
in one, no others.

What a grammar cannot say, or this does not know, is refused rather than left out unseen: an answer
that only looks as if it kept to the schema is worse than none. References lead into the schema
itself; nothing is fetched. Pure Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import QT_TRANSLATE_NOOP, PromptError
from app.core.jsonrules import (
    BASE_RULES,
    NOTES,
    TYPES,
    SchemaMistakeError,
    bounds,
    check_known,
    implied_type,
    list_of,
    literal,
    object_in,
    required_in,
    string_rule,
    times,
)

_MAX_CHARS = 200_000
_MAX_DEPTH = 64
_MAX_RULES = 5_000


def grammar_of(schema: str) -> str:
    """The grammar of the JSON documents that `schema` describes. Raises PromptError."""
    try:
        if len(schema) > _MAX_CHARS:
            raise SchemaMistakeError("too long")
        return _Grammar(json.loads(schema)).text()
    except (ValueError, RecursionError, SchemaMistakeError) as error:
        raise PromptError(
            QT_TRANSLATE_NOOP("engine", "The JSON schema for the answer cannot be used."),
            QT_TRANSLATE_NOOP("engine", "Correct it ({reason}), or answer without one.").fill(
                reason=_reason(error)
            ),
            repr(error),
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, SchemaMistakeError):
        return str(error)
    return "too deep" if isinstance(error, RecursionError) else "it is not JSON"


class _Grammar:
    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._rules: dict[str, str] = {}
        self._references: dict[str, str] = {}
        self._add("root", self._of(schema, 0))

    def text(self) -> str:
        rules = {**BASE_RULES, **self._rules}
        return "\n".join(f"{name} ::= {rule}" for name, rule in rules.items())

    def _add(self, name: str, rule: str) -> str:
        if len(self._rules) >= _MAX_RULES:
            raise SchemaMistakeError("too large")
        self._rules[name] = rule
        return name

    def _named(self, rule: str) -> str:
        return self._add(f"r{len(self._rules)}", rule)

    def _of(self, schema: Any, depth: int) -> str:
        """The expression for `schema`. Raises SchemaMistakeError."""
        if depth > _MAX_DEPTH:
            raise SchemaMistakeError("too deep")
        if schema is True:
            return "value"
        if not isinstance(schema, dict):
            raise SchemaMistakeError("a schema is an object")
        check_known(schema)
        if "$ref" in schema:
            return self._reference(schema["$ref"], depth)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self._any_of(list_of(schema[word], word), depth)
        if "allOf" in schema:
            return self._of(self._merged(schema), depth + 1)
        if "const" in schema:
            return literal(schema["const"])
        if "enum" in schema:
            return "(" + " | ".join(literal(v) for v in list_of(schema["enum"], "enum")) + ")"
        return self._typed(schema, depth)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> str:
        kind = schema.get("type", implied_type(schema))
        if isinstance(kind, list):
            return self._any_of([{**schema, "type": one} for one in list_of(kind, "type")], depth)
        if kind == "value":
            return "value"
        if kind not in TYPES:
            raise SchemaMistakeError(f"unknown type {kind!r:.40}")
        if kind == "object" and ("properties" in schema or "additionalProperties" in schema):
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return string_rule(schema)
        return str(kind)

    def _any_of(self, schemas: Sequence[Any], depth: int) -> str:
        return "(" + " | ".join(self._of(schema, depth + 1) for schema in schemas) + ")"

    # --- references ---------------------------------------------------------------------------

    def _reference(self, reference: Any, depth: int) -> str:
        target = self._target(reference)
        if reference in self._references:
            return self._references[reference]
        name = f"ref{len(self._references)}"
        self._references[reference] = name
        rule = self._of(target, depth + 1)
        if rule == name:
            raise SchemaMistakeError("a reference leads to itself")
        return self._add(name, rule)

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise SchemaMistakeError("only references into the schema itself are followed")
        target = self._schema
        for part in filter(None, reference[1:].split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and key.isdecimal() and int(key) < len(target):
                target = target[int(key)]
            elif isinstance(target, dict) and key in target:
                target = target[key]
            else:
                raise SchemaMistakeError(f"{reference!r:.60} leads nowhere")
        return target

    def _merged(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """All of `allOf` as one object: their properties together."""
        parts = [{k: v for k, v in schema.items() if k != "allOf"}]
        for part in list_of(schema["allOf"], "allOf"):
            while isinstance(part, dict) and "$ref" in part and len(parts) < _MAX_DEPTH:
                part = self._target(part["$ref"])
            if not isinstance(part, dict) or part.get("type", "object") != "object":
                raise SchemaMistakeError("allOf can only join objects")
            if not set(part) <= NOTES | {"type", "properties"}:
                raise SchemaMistakeError("allOf can only join plain objects")
            parts.append(part)
        merged: dict[str, Any] = {"type": "object"}
        merged["properties"] = {
            k: v for part in parts for k, v in object_in(part, "properties").items()
        }
        merged["required"] = [name for part in parts for name in required_in(part)]
        return merged

    # --- objects and arrays -------------------------------------------------------------------

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        """Properties in the order of the schema; others only where `additionalProperties` says."""
        required = required_in(schema)
        properties = object_in(schema, "properties")
        if not set(required) <= set(properties):
            raise SchemaMistakeError("a required property is not described")
        pairs = [
            (
                self._named(f'{literal(name)} ":" space {self._of(value, depth + 1)}'),
                name in required,
            )
            for name, value in properties.items()
        ]
        others = schema.get("additionalProperties", False)
        if others is not False:
            pair = self._named(f'string ":" space {self._of(others, depth + 1)}')
            pairs.append((self._named(f'{pair} ("," space {pair})*'), False))
        return self._named(f'"{{" space {self._members(pairs)} space "}}"')

    def _members(self, pairs: Sequence[tuple[str, bool]]) -> str:
        """Any of the pairs in this order, those that are required always, commas between them.

        Two rules for each: what follows where something stands before it already, and where not.
        """
        after, first = '""', '""'
        for pair, is_required in reversed(pairs):
            rest = self._named(after) if after != '""' else ""
            with_comma = f'"," space {pair} {rest}'.rstrip()
            alone = f"{pair} {rest}".rstrip()
            first = alone if is_required else f"({alone} | {first})"
            after = with_comma if is_required else f"({with_comma} | {after})"
            first = self._named(first)
        return first

    def _array(self, schema: Mapping[str, Any], depth: int) -> str:
        items = schema.get("items", True)
        if isinstance(items, list) or "prefixItems" in schema:
            given = list_of(schema.get("prefixItems", items), "prefixItems")
            inside = ' "," space '.join(self._of(item, depth + 1) for item in given)
            return self._named(f'"[" space {inside} space "]"')
        low, high = bounds(schema, "minItems", "maxItems")
        if high == 0:
            return '"[" space "]"'
        item = self._named(self._of(items, depth + 1))
        repeated = times(max(0, low - 1), None if high is None else high - 1)
        more = f'{item} ("," space {item}){repeated}'
        return self._named(f'"[" space {more if low else f"({more})?"} space "]"')
