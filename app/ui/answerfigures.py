"""What an answer's figures say beyond its speed, in words: what was remembered and guessed."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from app.core.chat import AnswerStats
from app.ui.words import count, seconds, speed

translate = QCoreApplication.translate


def details(stats: AnswerStats) -> tuple[str, ...]:
    """One line for each thing that can be told."""
    written = translate("AnswerFigures", "{n} tokens written, {speed} a second")
    first = translate("AnswerFigures", "First token after {seconds}")
    return (
        written.format(n=count(stats.n_generated), speed=speed(stats.tps)),
        first.format(seconds=seconds(stats.ttft_ms)),
        *reused(stats),
        translate("AnswerFigures", "Seed {seed}").format(seed=stats.seed),
    )


def reused(stats: AnswerStats) -> tuple[str, ...]:
    """What made the answer faster than computing all of it anew; () where nothing did."""
    return (*_remembered(stats), *_guesses(stats))


def _remembered(stats: AnswerStats) -> tuple[str, ...]:
    if not stats.n_cached:
        return ()
    text = translate("AnswerFigures", "{n} of {all} tokens were remembered")
    return (text.format(n=count(stats.n_cached), all=count(stats.n_prompt)),)


def _guesses(stats: AnswerStats) -> tuple[str, ...]:
    if not stats.n_guessed:
        return ()
    text = translate("AnswerFigures", "{n} of {all} guesses came true")
    return (text.format(n=count(stats.n_true), all=count(stats.n_guessed)),)
