"""What a person writes to shape answers, checked while it is typed: JSON schema, grammar, biases.

Each check returns the first mistake as a sentence, or None. The engine has the last word: only it
knows whether a grammar parses and can be met.
"""

from __future__ import annotations

import json
import re

from app.core.errors import QT_TRANSLATE_NOOP, Message, PromptError
from app.core.jsonschema import grammar_of
from app.core.samplingtext import word_biases

_ROOT = re.compile(r"^\s*root\s*::=", re.MULTILINE)

_ = QT_TRANSLATE_NOOP


def mistake_in_schema(text: str) -> Message | None:
    if not text.strip():
        return None
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        return _misplaced(error, len(text.rstrip()))
    except RecursionError:
        return _("answerform", "This is nested too deeply.")
    if not isinstance(schema, dict):
        return _("answerform", "A schema stands in braces: {example}").fill(
            example='{"type": "object"}'
        )
    return _refused(text)


def _misplaced(error: json.JSONDecodeError, n_chars: int) -> Message:
    if error.pos >= n_chars:
        return _("answerform", "The JSON is not finished.")
    return _("answerform", "This is no JSON: see line {line}, column {column}.").fill(
        line=error.lineno, column=error.colno
    )


def _refused(schema: str) -> Message | None:
    try:
        grammar_of(schema)
    except PromptError as error:
        return error.hint or error.text
    return None


def mistake_in_grammar(text: str) -> Message | None:
    if not text.strip() or _ROOT.search(text):
        return None
    return _("answerform", "A grammar begins with a rule called root: {example}").fill(
        example='root ::= "yes" | "no"'
    )


def mistake_in_biases(text: str) -> Message | None:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            word_biases(line)
        except PromptError:
            return _("answerform", "Line {line}: write a word, a space and a number.").fill(
                line=number
            )
    return None
