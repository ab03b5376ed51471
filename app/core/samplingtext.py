"""Stop strings and word biases as people write them: one on each line. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from app.core.errors import QT_TRANSLATE_NOOP, PromptError

_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\\": "\\"}
_ESCAPE = re.compile(r"\\[nt\\]")
_MAX_BIASES = 1000
_MOST = 100.0  # never, or always


def stop_strings(lines: str) -> tuple[str, ...]:
    r"""One on each line, as it stands; \n, \t and \\ in it mean a new line, a tab, a backslash."""
    return tuple(_ESCAPE.sub(lambda m: _ESCAPES[m[0]], line) for line in lines.splitlines() if line)


def as_line(stop: str) -> str:
    """`stop` as a line that `stop_strings` reads as it."""
    return stop.replace("\\", r"\\").replace("\n", r"\n").replace("\t", r"\t")


def word_biases(lines: str) -> Sequence[tuple[str, float]]:
    """(word, bias) for each line such as "delve -5". Raises PromptError for any other line."""
    return [_word_bias(line) for line in lines.splitlines() if line.strip()][:_MAX_BIASES]


def _word_bias(line: str) -> tuple[str, float]:
    word, _, number = line.strip().rpartition(" ")
    try:
        bias = float(number)
    except ValueError:
        bias = math.nan
    if not word.strip() or not math.isfinite(bias):
        raise PromptError(
            QT_TRANSLATE_NOOP("engine", "“{line}” is no word bias.").fill(line=line.strip()[:60]),
            QT_TRANSLATE_NOOP("engine", "Write a word and a number, as in: delve -5."),
        )
    return word.strip(), max(-_MOST, min(bias, _MOST))
