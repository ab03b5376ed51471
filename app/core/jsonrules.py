"""What a grammar of JSON documents is made of: rules for plain values, literals, and which words of
a schema are known. Pure Python; `app.core.jsonschema` puts them together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MAX_COUNT = 2_000  # of items or characters: llama.cpp unrolls them
_HEX = "[0-9a-fA-F]"
_DATE = '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [1-2] [0-9] | "3" [0-1])'
_CLOCK = '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})?'
_TIME = f'{_CLOCK} ("Z" | [+-] [0-1] [0-9] ":" [0-5] [0-9])'
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f'{_DATE} "T" {_TIME}',
    "uuid": ' "-" '.join(f"{_HEX}{{{n}}}" for n in (8, 4, 4, 4, 12)),
}
BASE_RULES = {
    "space": '" "?',
    "char": rf'[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" {_HEX}{{4}})',
    "string": r'"\"" char* "\""',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,15})',
    "number": 'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "object": '"{" space (string ":" space value ("," space string ":" space value)*)? space "}"',
    "array": '"[" space (value ("," space value)*)? space "]"',
    "value": "object | array | string | number | boolean | null",
}
TYPES = ("string", "integer", "number", "boolean", "null", "object", "array")
# What says nothing about a document, or only together with another word.
NOTES = frozenset(
    (
        *("$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default"),
        *("examples", "deprecated", "readOnly", "writeOnly", "required", "additionalProperties"),
        "uniqueItems",
    )
)
_KNOWN = NOTES | frozenset(
    (
        *("$ref", "anyOf", "oneOf", "allOf", "const", "enum", "type", "properties", "items"),
        *("prefixItems", "minItems", "maxItems", "minLength", "maxLength", "format"),
    )
)


class SchemaMistakeError(Exception):
    """What is wrong with a schema, in a few words."""


def check_known(schema: Mapping[str, Any]) -> None:
    unknown = sorted(set(map(str, schema)) - _KNOWN)
    if unknown:
        raise SchemaMistakeError(f"“{unknown[0]:.40}” is not supported")
    if schema.get("uniqueItems"):
        raise SchemaMistakeError("“uniqueItems” is not supported")


def implied_type(schema: Mapping[str, Any]) -> str:
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string" if {"minLength", "maxLength", "format"} & set(schema) else "value"


def string_rule(schema: Mapping[str, Any]) -> str:
    if "format" in schema:
        wanted = str(schema["format"])
        if wanted not in _FORMATS:
            raise SchemaMistakeError(f"unknown format {wanted:.40}")
        return rf'"\"" {_FORMATS[wanted]} "\""'
    low, high = bounds(schema, "minLength", "maxLength")
    if (low, high) == (0, None):
        return "string"
    return rf'"\"" char{times(low, high)} "\""'


def times(low: int, high: int | None) -> str:
    return f"{{{low},{'' if high is None else high}}}"


def bounds(schema: Mapping[str, Any], at_least: str, at_most: str) -> tuple[int, int | None]:
    low, high = schema.get(at_least, 0), schema.get(at_most)
    for value in (low, 0 if high is None else high):
        if type(value) is not int or not 0 <= value <= _MAX_COUNT:
            raise SchemaMistakeError(
                f"{at_least} and {at_most} are whole numbers up to {_MAX_COUNT:,}"
            )
    if high is not None and high < low:
        raise SchemaMistakeError(f"{at_most} is below {at_least}")
    return low, high


def list_of(value: Any, word: str) -> Sequence[Any]:
    if not isinstance(value, list) or not value:
        raise SchemaMistakeError(f"{word} is a list of at least one")
    return value


def object_in(schema: Mapping[str, Any], word: str) -> Mapping[str, Any]:
    value = schema.get(word, {})
    if not isinstance(value, dict):
        raise SchemaMistakeError(f"{word} is an object")
    return value


def required_in(schema: Mapping[str, Any]) -> Sequence[str]:
    value = schema.get("required", [])
    if not isinstance(value, list):
        raise SchemaMistakeError("required is a list")
    return [str(name) for name in value]


def literal(value: Any) -> str:
    """The JSON text of `value` as a literal of the grammar."""
    text = json.dumps(value, ensure_ascii=False)
    return '"' + "".join(_escaped(text)) + '"'


def _escaped(text: str) -> Iterable[str]:
    escapes = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r"}
    return (escapes.get(char, char) for char in text)
