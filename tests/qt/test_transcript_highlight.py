"""Colours of code: right at the end, bounded on the way, none where it would take too long."""

from __future__ import annotations

import time

import pytest

from app.ui.transcript import highlight
from app.ui.transcript.body import Body, CodeSource
from app.ui.transcript.highlight import Highlighter, language_name, language_of, spans_of, token_of

PYTHON = 'def f(x):\n    # why\n    return g(x, "a", 1)\n'


def source(code: str, info: str = "py", closed: bool = True) -> CodeSource:
    made = CodeSource(info)
    made.pieces = [code]
    made.closed = closed
    return made


def colored(qtbot, made: CodeSource) -> list[list[tuple[str, str]]]:
    """The words of each line that have a colour, once the highlighter is done."""
    highlighter = Highlighter()
    with qtbot.waitSignal(highlighter.colored, timeout=5_000):
        highlighter.want(made)
    lines = made.text.split("\n")
    return [
        [(lines[i][start : start + length], token) for start, length, token in spans]
        for i, spans in enumerate(made.spans)
    ]


def test_python(qtbot):
    made = source(PYTHON)
    lines = colored(qtbot, made)
    assert lines[0][:2] == [("def", "syntaxKeyword"), ("f", "syntaxName")]
    assert lines[1] == [("# why", "syntaxComment")]
    assert ("g", "syntaxName") in lines[2]
    assert ("1", "syntaxNumber") in lines[2]
    assert made.colored


def test_lines_are_colored_as_they_come(qtbot):
    made = source("def f():\n    retu", closed=False)
    lines = colored(qtbot, made)
    assert len(made.spans) == 1
    assert lines[0][0] == ("def", "syntaxKeyword")
    assert not made.colored
    made.pieces = ["def f():\n    return 1\n"]
    lines = colored(qtbot, made)
    assert len(made.spans) == 2
    assert lines[1] == [("return", "syntaxKeyword"), ("1", "syntaxNumber")]


def test_finished_code_is_colored_as_a_whole(qtbot):
    """Twenty lines into a string, only the whole tells what a line is."""
    code = 's = """\n' + "if x:\n" * 40 + '"""\n'
    made = source(code, closed=False)
    for end in range(10, 42, 10):
        made.pieces = ["".join(code.splitlines(keepends=True)[:end])]
        colored(qtbot, made)
    made.pieces, made.closed = [code], True
    lines = colored(qtbot, made)
    assert [token for _, token in lines[30]] == ["syntaxString"]


@pytest.mark.parametrize("info", ["", "nosuchlanguage", "text"])
def test_what_has_no_colors_is_left_alone(qtbot, info):
    made = source("plain words\n", info)
    highlighter = Highlighter()
    highlighter.want(made)
    qtbot.waitUntil(lambda: not highlighter._queue)
    assert not any(made.spans)


@pytest.mark.parametrize("code", ["x = 1\n" * 20_000, "y" * 2_000])
def test_too_much_is_not_colored(qtbot, code):
    made = source(code)
    highlighter = Highlighter()
    highlighter.want(made)
    qtbot.waitUntil(lambda: made.colored)
    assert made.spans == []


def test_slices_are_short(qtbot):
    """However long the code: one turn of the event loop takes about its slice."""
    highlighter = Highlighter()
    longest, work = [0.0], highlighter._work

    def timed() -> None:
        started = time.perf_counter()
        work()
        longest[0] = max(longest[0], time.perf_counter() - started)

    warm = source(PYTHON)
    with qtbot.waitSignal(highlighter.colored, timeout=5_000):
        highlighter.want(warm)
    highlighter._timer.timeout.disconnect()
    highlighter._timer.timeout.connect(timed)
    made = source(PYTHON * 900)
    with qtbot.waitSignal(highlighter.colored, timeout=20_000):
        highlighter.want(made)
    assert longest[0] < 10 * highlight.SLICE_S
    assert len(made.spans) == 2_700


def test_names_of_languages():
    assert language_of("Python title=x") == "python"
    assert language_of("{.js}") == "js"
    assert language_of("  ") == ""
    assert language_name("py") == "Python"
    assert language_name("Brainfuck") == "brainfuck"
    assert len(language_name("x" * 500)) == 40


def test_spans_are_split_at_lines():
    tokens = [("Token.Literal.String", '"a\nb"'), ("Token.Text", "\n"), ("Token.Name", "f")]
    tokens += [("Token.Punctuation", "()")]
    assert list(spans_of(iter(tokens))) == [
        [(0, 2, "syntaxString")],
        [(0, 2, "syntaxString")],
        [(0, 1, "syntaxName")],
    ]


def test_tokens_have_colors():
    assert token_of("Token.Keyword.Constant") == "syntaxKeyword"
    assert token_of("Token.Name.Builtin") == "syntaxName"
    assert token_of("Token.Text") == ""


def test_code_in_pieces_is_colored_as_one(qtbot):
    body = Body.of("```py\n" + "x = 1\n" * 300 + "```")
    made = body.segments[0].source
    colored(qtbot, made)
    assert len(made.spans) == 300
    assert made.spans[250] == made.spans[0]
