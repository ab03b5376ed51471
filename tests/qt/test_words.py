"""Sentences and figures for people."""

from __future__ import annotations

import pytest

from app.core.errors import Message
from app.ui import words


def test_sentences_are_filled() -> None:
    message = Message("test", "{n} of {name} at {x}").fill(n=1204, name="Qwen", x=2.5)
    assert words.translate(message) == "1,204 of Qwen at 2.5"
    assert words.translate(Message("test", "100 % {sure}")) == "100 % {sure}"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (98_362_432, "98 MB"),
        (3_880_000_000, "3.88 GB"),
        (25_300_000_000, "25.3 GB"),
        (212_400_000_000, "212 GB"),
        (44_000, "44 kB"),
    ],
)
def test_sizes(n_bytes: int, text: str) -> None:
    assert words.size(n_bytes) == text


def test_parts_take_the_unit_of_the_whole() -> None:
    assert words.part_of(98e6, 252e6) == "98"
    assert words.part_of(98e6, 3.9e9) == "0.10"


def test_speeds_and_times() -> None:
    assert words.speed(18.36) == "18.4"
    assert words.speed(212.4) == "212"
    assert words.seconds(612) == "0.61 s"
    assert words.seconds(12_340) == "12.3 s"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("SmolLM2 135M Instruct", "SmolLM2"),
        ("Meta Llama 3.1 8B Instruct", "Meta Llama 3.1"),
        ("7B", "7B"),
        ("mystery", "mystery"),
        ("", ""),
    ],
)
def test_short_names(name: str, short: str) -> None:
    assert words.short_model_name(name) == short
