"""Colours code in small slices of time, so that nobody notices.

Pygments is loaded at the first code block, in steps. While code is still being written, each new
line is coloured together with the few before it; once it is complete, all of it is done again, in
slices. Knows the words of programming languages, not how they are drawn: spans name colour tokens.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.ui.transcript.body import CodeSource, Span

SLICE_S = 0.006
CODE_MAX = 100_000
LINE_MAX = 1_000  # patterns of some lexers take quadratic time on one line
CONTEXT_LINES = 20
NEW_LINES_MAX = 40

_NAMES = {
    "bash": "Bash",
    "c": "C",
    "c#": "C#",
    "c++": "C++",
    "cpp": "C++",
    "cs": "C#",
    "csharp": "C#",
    "css": "CSS",
    "csv": "CSV",
    "diff": "Diff",
    "go": "Go",
    "html": "HTML",
    "ini": "INI",
    "java": "Java",
    "javascript": "JavaScript",
    "js": "JavaScript",
    "json": "JSON",
    "jsx": "JSX",
    "kotlin": "Kotlin",
    "latex": "LaTeX",
    "lua": "Lua",
    "markdown": "Markdown",
    "md": "Markdown",
    "php": "PHP",
    "powershell": "PowerShell",
    "py": "Python",
    "python": "Python",
    "python3": "Python",
    "r": "R",
    "rb": "Ruby",
    "rs": "Rust",
    "ruby": "Ruby",
    "rust": "Rust",
    "sh": "Shell",
    "shell": "Shell",
    "sql": "SQL",
    "swift": "Swift",
    "toml": "TOML",
    "ts": "TypeScript",
    "tsx": "TSX",
    "typescript": "TypeScript",
    "xml": "XML",
    "yaml": "YAML",
    "yml": "YAML",
}
_TOKENS = (
    ("Token.Keyword", "syntaxKeyword"),
    ("Token.Operator.Word", "syntaxKeyword"),
    ("Token.Name.Tag", "syntaxKeyword"),
    ("Token.Literal.String", "syntaxString"),
    ("Token.Generic.Inserted", "syntaxString"),
    ("Token.Literal.Number", "syntaxNumber"),
    ("Token.Generic.Deleted", "syntaxNumber"),
    ("Token.Comment", "syntaxComment"),
    ("Token.Name.Function", "syntaxName"),
    ("Token.Name.Class", "syntaxName"),
    ("Token.Name.Decorator", "syntaxName"),
    ("Token.Name.Builtin", "syntaxName"),
    ("Token.Generic.Heading", "syntaxName"),
    ("Token.Generic.Subheading", "syntaxName"),
)


def language_of(info: str) -> str:
    """The language that the opening line of a code block names: "py" of "py title=x"."""
    return info.split(maxsplit=1)[0].strip("{}.").lower() if info.strip("{}. ") else ""


def language_name(info: str) -> str:
    """What people call that language; empty if none is named."""
    language = language_of(info)
    return _NAMES.get(language, language[:40])


def spans_of(tokens: Iterator[tuple[Any, str]]) -> Iterator[list[Span]]:
    """Pygments' tokens as spans, line by line. A name before "(" is taken for a function."""
    line: list[Span] = []
    column = 0
    name: tuple[int, int] | None = None
    for kind, text in tokens:
        token = token_of(kind)
        if name is not None and text.startswith("("):
            line.append((*name, "syntaxName"))
        name = None
        for i, part in enumerate(text.split("\n")):
            if i:
                yield line
                line, column = [], 0
            if part and token:
                line.append((column, len(part), token))
            elif part and str(kind).startswith("Token.Name"):
                name = (column, len(part))
            column += len(part)
    yield line


_token_cache: dict[Any, str] = {}


def token_of(kind: Any) -> str:
    """The colour token for one of Pygments' token types; empty for plain text."""
    found = _token_cache.get(kind)
    if found is None:
        name = str(kind)
        found = next((token for prefix, token in _TOKENS if name.startswith(prefix)), "")
        _token_cache[kind] = found
    return found


def is_worth_it(text: str) -> bool:
    """Whether code of this size and shape is coloured at all."""
    return len(text) <= CODE_MAX and max(map(len, text.split("\n"))) <= LINE_MAX


class Highlighter(QObject):
    """Colours the code that it is asked for, one after the other."""

    colored = Signal(object)  # CodeSource

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: list[CodeSource] = []
        self._classes: dict[str, Any] = {}
        self._lexers: dict[str, Any] = {}
        self._is_loaded = False
        self._current: tuple[CodeSource, Iterator[list[Span]], list[list[Span]]] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._work)

    def want(self, source: CodeSource) -> None:
        """Colour `source`, or what is new in it."""
        if language_of(source.info) and not source.colored and source not in self._queue:
            self._queue.append(source)
            self._timer.start(0)

    def clear(self) -> None:
        self._queue.clear()
        self._current = None
        self._timer.stop()

    def _work(self) -> None:
        """One slice. Loading takes a slice for itself."""
        if not self._queue:
            return
        source = self._queue[0]
        if self._load(language_of(source.info)):
            lexer = self._lexers[language_of(source.info)]
            done = lexer is None or self._color(source, lexer)
            if done:
                self._queue.pop(0)
        if self._queue:
            self._timer.start(0)

    def _load(self, language: str) -> bool:
        """Whether the lexer is there. Brings it nearer by one step if not."""
        if language in self._lexers:
            return True
        if not self._is_loaded:
            import pygments.lexers  # noqa: F401 - not before there is code to colour

            self._is_loaded = True
            return False
        lexer_class = self._classes.get(language)
        if lexer_class is None:
            lexer_class = self._classes[language] = _lexer_class(language)
        else:
            self._lexers[language] = lexer_class()
        return False

    def _color(self, source: CodeSource, lexer: Any) -> bool:
        if not source.closed:
            self._color_new_lines(source, lexer)
            return True
        if self._current is None or self._current[0] is not source:
            text = source.text
            if not is_worth_it(text):
                source.colored = True
                return True
            self._current = (source, spans_of(_tokens(lexer, text)), [])
        return self._go_on(*self._current)

    def _go_on(
        self, source: CodeSource, lines: Iterator[list[Span]], found: list[list[Span]]
    ) -> bool:
        deadline = time.perf_counter() + SLICE_S
        for spans in lines:
            found.append(spans)
            if time.perf_counter() > deadline:
                return False
        source.spans = found
        source.colored = True
        self._current = None
        self.colored.emit(source)
        return True

    def _color_new_lines(self, source: CodeSource, lexer: Any) -> None:
        """Colour the lines that were completed since, as well as a few lines before tell."""
        first = max(0, len(source.spans) - CONTEXT_LINES)
        complete = source.complete_lines(first, len(source.spans) + NEW_LINES_MAX)
        text = "\n".join(complete)
        if len(complete) + first <= len(source.spans) or not is_worth_it(text):
            return
        found = list(spans_of(_tokens(lexer, text)))
        source.spans += found[len(source.spans) - first :]
        self.colored.emit(source)


def _lexer_class(language: str) -> Any:
    """What makes the lexer. Asks for known names only: an unknown one makes Pygments search."""
    from pygments.lexers import find_lexer_class_by_name, get_all_lexers

    known = any(language in aliases for _, aliases, _, _ in get_all_lexers(plugins=False))
    return find_lexer_class_by_name(language) if known else _no_lexer


def _no_lexer() -> None:
    return None


def _tokens(lexer: Any, text: str) -> Iterator[tuple[Any, str]]:
    """The tokens of `text`, unchanged: without Pygments' stripping of lines."""
    for _, kind, part in lexer.get_tokens_unprocessed(text):
        yield kind, part
