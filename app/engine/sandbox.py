"""Where a model's Jinja template runs: no attributes, no end of memory, no end of time.

The template comes out of a model file and is as trusted as the rest of that file: not at all.
Jinja's immutable sandbox keeps it from attributes, a watchdog ends it after `limit_s`, and
everything that makes a long text of a short one is bounded, so that no expression can fill the
memory. What templates may use is what transformers gives them (utils/chat_template_utils.py).
"""

from __future__ import annotations

import ctypes
import datetime
import functools
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import jinja2
import jinja2.compiler
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox
from jinja2.exceptions import SecurityError
from jinja2.filters import do_format

MAX_CHARS = 64 * 1024 * 1024
_MAX_REPEAT = 1_000_000
_WIDTH = re.compile(r"\d{5,}|:[^{}]*\{|%[^a-zA-Z%]*\*")  # also one that is given as a value
_MAX_BITS = 65_536
_GROWING = frozenset(
    {"ljust", "rjust", "center", "zfill", "expandtabs", "replace", "join", "translate"}
)
T = TypeVar("T")


class TemplateTimeout(BaseException):
    """Thrown into the rendering thread by the watchdog; a template cannot catch it."""


class TemplateRaisedError(Exception):
    """The template called raise_exception."""


class _Generation(jinja2.ext.Extension):
    """`{% generation %}` marks what a training run learns from; its content is written as it is."""

    tags = {"generation"}  # noqa: RUF012  Jinja declares it so

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Generator(jinja2.compiler.CodeGenerator):
    """Leaves `~` to the environment, which bounds it: doubled in a loop it fills the memory."""

    def visit_Concat(self, node: jinja2.nodes.Concat, frame: jinja2.compiler.Frame) -> None:  # noqa: N802
        self.write("environment.concat_bounded((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The environment of chat templates, as transformers configures it, with bounds."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = _Generator

    def __init__(self) -> None:
        extensions = [_Generation, jinja2.ext.loopcontrols]
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = strftime_now
        self.filters["tojson"] = _tojson
        for name in ("center", "format", "indent", "join", "replace", "wordwrap"):
            self.filters[name] = _bounded(self.filters[name])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "+":
            _check(0 if numbers else _size(left) + _size(right))
        elif operator == "%":
            _check_widths(left)
        elif operator == "*" and numbers:
            _check(_bits(left) + _bits(right), _MAX_BITS)
        else:
            _check(max(_size(left), 1) * max(_size(right), 1), _MAX_REPEAT)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        text = getattr(__obj, "__self__", None)  # Jinja names the parameters so
        if isinstance(text, str):
            _check_method(text, getattr(__obj, "__name__", ""), args, kwargs)
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Any:
        """str.format and str.format_map come here instead of to `call`."""
        if getattr(value, "__name__", "") in ("format", "format_map"):
            _check_widths(getattr(value, "__self__", None))
        return super().wrap_str_format(value)

    def concat_bounded(self, parts: Iterable[Any]) -> str:
        texts = [str(part) for part in parts]
        _check(sum(map(len, texts)))
        return "".join(texts)


def _check(size: int, limit: int = MAX_CHARS) -> None:
    if size > limit:
        raise SecurityError("a result too large")


def _check_method(text: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if name in _GROWING:
        sizes = (_size(value) for value in (*args, *kwargs.values()))
        _check((len(text) + 1) * max(sizes, default=1))


def _check_widths(text: Any) -> None:
    """A width in a format, as in '%99999d', makes a long text of a short one."""
    if isinstance(text, str) and _WIDTH.search(text):
        raise SecurityError("a width too large")


def _bounded(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which may multiply the lengths of what it gets."""

    @functools.wraps(filter_)  # takes over how Jinja knows which filters want its context
    def bounded(*args: Any, **kwargs: Any) -> Any:
        args = tuple(list(arg) if isinstance(arg, Iterator) else arg for arg in args)
        if filter_ is do_format:
            _check_widths(args[0])
        sizes = sorted([1, 1, *(_size(value) for value in (*args, *kwargs.values()))])
        _check(sizes[-1] * sizes[-2])
        return filter_(*args, **kwargs)

    return bounded


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 64


def _size(value: Any) -> int:
    if isinstance(value, int | float):
        return int(abs(value)) if abs(value) < 1e18 else 10**18
    return len(value) if hasattr(value, "__len__") else 1


def join(pieces: Iterable[str]) -> str:
    """The pieces as one text. Raises SecurityError beyond MAX_CHARS."""
    parts, n_chars = [], 0
    for piece in pieces:
        n_chars += len(piece)
        if n_chars > MAX_CHARS:
            raise SecurityError("a prompt too large")
        parts.append(piece)
    return "".join(parts)


def limited(work: Callable[[], T], limit_s: float) -> T:
    """`work()`, ended after `limit_s`. Raises TemplateTimeout then.

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
                    ctypes.c_ulong(thread_id), ctypes.py_object(TemplateTimeout)
                )

    watchdog = threading.Timer(limit_s, expire)
    watchdog.daemon = True
    watchdog.start()
    try:
        return work()
    finally:
        with lock:
            done = True
        watchdog.cancel()


def _raise_exception(message: object) -> None:
    raise TemplateRaisedError(str(message))


def strftime_now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent if indent is None else min(int(indent), 64),
        separators=separators,
        sort_keys=sort_keys,
    )
