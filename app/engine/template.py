"""A model's chat template, rendered; where it refuses a conversation, one that it takes is found.

Runs in the child only: templates are run in `app.engine.sandbox`. What a template says about the
model's way of answering is `app.engine.chatformat`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jinja2

from app.core.errors import QT_TRANSLATE_NOOP, Message, PromptError
from app.engine.protocol import PromptMessage
from app.engine.sandbox import Sandbox, TemplateTimeout, join, limited, strftime_now

TIME_LIMIT_S = 5.0
Messages = Sequence[PromptMessage]

FALLBACK_TEMPLATE = (
    "{% for message in messages %}"
    "{{ {'system': 'Instructions', 'user': 'User', 'assistant': 'Assistant'}[message.role] }}: "
    "{{ message.content }}\n\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


class TemplateRefusedError(Exception):
    """The template has raised something over these messages."""


class ChatTemplate:
    """A compiled template. Raises PromptError when it does not compile.

    `merges_system`: it has no place for a system message; its text then goes into the first
    message of the user.
    """

    def __init__(self, source: str, bos: str, eos: str, limit_s: float = TIME_LIMIT_S) -> None:
        environment = Sandbox()
        self._tokens = {"bos_token": bos, "eos_token": eos, "pad_token": eos, "unk_token": ""}
        self._extra: dict[str, Any] = {}
        self.limit_s = limit_s
        self.merges_system = False
        try:
            self._template = limited(lambda: environment.from_string(source), limit_s)
        except TemplateTimeout:
            raise _too_slow() from None
        except (jinja2.TemplateError, RecursionError, SyntaxError, ValueError) as error:
            raise _template_error(error) from error

    def expect_tools(self) -> None:
        """It does not work without a list of tools: give it an empty one, under all names."""
        today = strftime_now("%Y-%m-%d")
        self._extra = {"tools": [], "documents": [], "functions": "[]", "datetime": today}

    def render(self, messages: Messages, variables: Mapping[str, Any] | None = None) -> str:
        """The prompt text, ending where the model's answer begins. Raises PromptError.

        A template that refuses the system role gets it merged into the first user message, one
        that wants roles to alternate gets neighbours of one role as one message.
        """
        if not messages:
            raise _nothing_asked()
        refused: TemplateRefusedError | None = None
        for candidate in self._candidates(messages):
            try:
                return self.apply(candidate, **(variables or {}))
            except TemplateRefusedError as error:
                refused = refused or error
        assert refused is not None
        cause = refused.__cause__ or refused
        raise _template_error(cause) from cause

    def apply(self, messages: Messages, *, answer: bool = True, **variables: Any) -> str:
        """What the template makes of exactly these messages; `answer`: with the answer's beginning.

        Raises TemplateRefusedError, and PromptError where it takes too long.
        """
        values = {
            "messages": [_fields(message) for message in messages],
            "add_generation_prompt": answer,
            "tools": None,
            "documents": None,
            **self._tokens,
            **self._extra,
            **variables,
        }
        try:
            return limited(lambda: join(self._template.generate(values)), self.limit_s)
        except TemplateTimeout:
            raise _too_slow() from None
        except Exception as error:  # a template can raise anything Python can
            raise TemplateRefusedError from error

    def _candidates(self, messages: Messages) -> Iterator[Messages]:
        asked = _join_system(messages)
        merged = _merge_system(asked)
        tried: list[Messages] = []
        for first in (merged,) if self.merges_system else (asked, merged):
            for candidate in (first, _alternating(first)):
                if candidate not in tried:
                    tried.append(candidate)
                    yield candidate


def _fields(message: PromptMessage) -> dict[str, Any]:
    """What the template sees of a message; reasoning goes by three names in them."""
    fields: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.reasoning:
        names = ("reasoning_content", "thinking", "reasoning")
        fields |= dict.fromkeys(names, message.reasoning)
    return fields


def _join_system(messages: Messages) -> tuple[PromptMessage, ...]:
    """Several system messages at the beginning as one: many templates look at the first alone."""
    n = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
    return (*_alternating(messages[:n]), *messages[n:])


def _merge_system(messages: Messages) -> tuple[PromptMessage, ...]:
    system = [m.text for m in messages if m.role == "system"]
    rest = [m for m in messages if m.role != "system"]
    if not system:
        return tuple(messages)
    if rest and rest[0].role == "user":
        system.append(rest.pop(0).text)
    return (PromptMessage("user", "\n\n".join(system)), *rest)


def _alternating(messages: Messages) -> tuple[PromptMessage, ...]:
    merged: list[PromptMessage] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            text = f"{merged[-1].text}\n\n{message.text}"
            message = PromptMessage(message.role, text, message.reasoning)
            merged.pop()
        merged.append(message)
    return tuple(merged)


def _nothing_asked() -> PromptError:
    return PromptError(
        QT_TRANSLATE_NOOP("prompt", "There is no message to answer."),
        QT_TRANSLATE_NOOP("prompt", "Write one first."),
    )


def _too_slow() -> PromptError:
    return PromptError(
        QT_TRANSLATE_NOOP("prompt", "The model's chat template takes too long."), _other_model()
    )


def _template_error(error: BaseException) -> PromptError:
    return PromptError(
        QT_TRANSLATE_NOOP("prompt", "The model's chat template does not work: {reason}.").fill(
            reason=(str(error) or type(error).__name__).rstrip(".")[:200]
        ),
        _other_model(),
        repr(error),
    )


def _other_model() -> Message:
    return QT_TRANSLATE_NOOP("prompt", "Choose another model, or another file of the same model.")
