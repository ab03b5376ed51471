"""The model's own chat template, rendered in a sandbox with limits; runs in the child only.

The template comes out of a model file and is as trusted as the rest of that file: not at all.
Jinja's immutable sandbox keeps it from attributes, a watchdog ends it after `limit_s`, and
multiplication is bounded so that one expression cannot fill the memory.
"""

from __future__ import annotations

import ctypes
import datetime
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox
from jinja2.exceptions import SecurityError

from app.core.errors import QT_TRANSLATE_NOOP, Message, PromptError
from app.engine.protocol import PromptMessage

TIME_LIMIT_S = 5.0
_MAX_CHARS = 64 * 1024 * 1024
_MAX_REPEAT = 1_000_000

FALLBACK_TEMPLATE = (
    "{% for message in messages %}"
    "{{ {'system': 'Instructions', 'user': 'User', 'assistant': 'Assistant'}[message.role] }}: "
    "{{ message.content }}\n\n"
    "{% endfor %}Assistant:"
)


class _TemplateTimeout(BaseException):
    """Thrown into the rendering thread by the watchdog; a template cannot catch it."""


class _TemplateRaisedError(Exception):
    """The template called raise_exception."""


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        bounded = operator == "%" or (operator == "*" and numbers)
        if not bounded and max(_size(left), 1) * max(_size(right), 1) > _MAX_REPEAT:
            raise SecurityError("a result too large")
        return super().call_binop(context, operator, left, right)


def _size(value: Any) -> int:
    if isinstance(value, int | float):
        return int(abs(value))
    return len(value) if hasattr(value, "__len__") else 1


class ChatTemplate:
    """A compiled template. Raises PromptError when it does not compile."""

    def __init__(self, source: str, bos: str, eos: str, limit_s: float = TIME_LIMIT_S) -> None:
        environment = _Sandbox(
            trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
        )
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        environment.filters["tojson"] = _tojson
        self._bos, self._eos, self._limit_s = bos, eos, limit_s
        try:
            self._template = _limited(lambda: environment.from_string(source), limit_s)
        except (jinja2.TemplateError, RecursionError, SyntaxError, ValueError) as error:
            raise _template_error(error) from error

    def render(self, messages: Sequence[PromptMessage]) -> str:
        """The prompt text, ending where the model's answer begins. Raises PromptError.

        A template that refuses the system role gets it merged into the first user message.
        """
        try:
            return self._render(messages)
        except _TemplateRaisedError as error:
            merged = _merge_system(messages)
            if merged == tuple(messages):
                raise _template_error(error) from error
        try:
            return self._render(merged)
        except _TemplateRaisedError as error:
            raise _template_error(error) from error

    def _render(self, messages: Sequence[PromptMessage]) -> str:
        values = {
            "messages": [{"role": m.role, "content": m.text} for m in messages],
            "add_generation_prompt": True,
            "bos_token": self._bos,
            "eos_token": self._eos,
            "tools": None,
        }
        try:
            return str(_limited(lambda: _join(self._template.generate(values)), self._limit_s))
        except (_TemplateRaisedError, PromptError):
            raise
        except Exception as error:  # a template can raise anything Python can
            raise _template_error(error) from error


def _join(pieces: Any) -> str:
    parts, n_chars = [], 0
    for piece in pieces:
        n_chars += len(piece)
        if n_chars > _MAX_CHARS:
            raise SecurityError("a prompt too large")
        parts.append(piece)
    return "".join(parts)


def _limited(work: Callable[[], Any], limit_s: float) -> Any:
    """`work()`, ended after `limit_s`. Raises PromptError then.

    An exception is thrown into this thread at its next bytecode; that works on every system and
    ends any loop a template can write.
    """
    lock = threading.Lock()
    done = False
    thread_id = threading.get_ident()

    def expire() -> None:
        with lock:
            if not done:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread_id), ctypes.py_object(_TemplateTimeout)
                )

    watchdog = threading.Timer(limit_s, expire)
    watchdog.daemon = True
    try:
        watchdog.start()
        try:
            return work()
        finally:
            with lock:
                done = True
            watchdog.cancel()
    except _TemplateTimeout:
        raise PromptError(
            QT_TRANSLATE_NOOP("prompt", "The model's chat template takes too long."),
            _other_model(),
        ) from None


def _merge_system(messages: Sequence[PromptMessage]) -> tuple[PromptMessage, ...]:
    system = [m.text for m in messages if m.role == "system"]
    rest = [m for m in messages if m.role != "system"]
    if not system or not rest or rest[0].role != "user":
        return tuple(messages)
    first = PromptMessage("user", "\n\n".join([*system, rest[0].text]))
    return (first, *rest[1:])


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


def _raise_exception(message: object) -> None:
    raise _TemplateRaisedError(str(message))


def _strftime_now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)


def _tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)
