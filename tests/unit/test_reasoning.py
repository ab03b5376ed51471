"""What of an answer is reasoning, for the tags of every family, wherever the text is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.reasoning import REASONING_TAGS, ReasoningSplitter, Style, style_of

_FINAL = "<|start|>assistant<|channel|>final<|message|>"
_EVERY = style_of(
    "<|channel|> <|channel> <|think|> <|eom|> <|open|> <response> [BEGIN FINAL RESPONSE] "
    "Here is my thought process:",
    answer=["<|channel|>final<|message|>", _FINAL, "<|open|>response<|sep|>", "all\n"],
)


def _split(
    text: str, cuts: list[int], opened_by: str = "", style: Style | None = None
) -> tuple[str, str]:
    splitter = ReasoningSplitter(opened_by, style)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [splitter.feed(text[a:b]) for a, b in itertools.pairwise(edges)]
    pieces.append(splitter.finish())
    return "".join(text for text, _ in pieces), "".join(thought for _, thought in pieces)


def _both_ways(text: str, opened_by: str = "", style: Style | None = None) -> tuple[str, str]:
    """Split whole and character by character, which must be the same."""
    whole = _split(text, [], opened_by, style)
    assert _split(text, list(range(len(text))), opened_by, style) == whole
    return whole


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("Paris.", "Paris.", ""),
        ("  indented", "  indented", ""),
        ("<think>\nFrance.\n</think>\n\nParis.", "Paris.", "France."),
        ("\n<think>a</think>b", "b", "a"),
        ("[THINK]a[/THINK]b", "b", "a"),
        ("<think>never closed\n", "", "never closed"),
        ("<think>almost</thi", "", "almost</thi"),
        ("a <think>later</think>", "a <think>later</think>", ""),
        ("<thin ice", "<thin ice", ""),
        ("<thi", "<thi", ""),
        ("<think>a < b </th</think>c", "c", "a < b </th"),
        ("<think>a</think>\n<think>b</think>c", "c", "a\n\nb"),
        ("</think>\n\nc", "c", ""),
        ("<think></think>c", "c", ""),
    ],
)
def test_reasoning_is_told_from_the_answer(text: str, answer: str, reasoning: str) -> None:
    assert _both_ways(text) == (answer, reasoning)


@pytest.mark.parametrize("pair", REASONING_TAGS)
def test_each_known_tag_is_taken_away(pair: tuple[str, str]) -> None:
    opening, closing = pair
    assert _both_ways(f"{opening}\nso\n{closing}\n\nParis") == ("Paris", "so")
    assert _both_ways(f"so{closing}Paris", f"assistant\n{opening}\n") == ("Paris", "so")


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        (f"<|channel|>analysis<|message|>so<|end|>{_FINAL}Paris", "Paris", "so"),
        ("<|channel|>final<|message|>Paris", "Paris", ""),
        (
            "<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>commentary"
            f"<|message|>two<|end|>{_FINAL}Paris",
            "Paris",
            "one\n\ntwo",
        ),
        ("<|channel|>analysis<|message|>cut off", "", "cut off"),
    ],
)
def test_the_channels_of_gpt_oss(text: str, answer: str, reasoning: str) -> None:
    style = style_of("<|channel|>", answer=["<|channel|>final<|message|>", _FINAL])
    assert _both_ways(text, "<|start|>assistant", style) == (answer, reasoning)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Here is my thought process:", "Here is my thought process: so\n\nHere is my response: P"),
        ("[BEGIN FINAL RESPONSE]", "Here are my reasoning steps:\nso\n[BEGIN FINAL RESPONSE]\nP"),
        ("'<|channel>'", "<|channel>thought\nso<channel|>P"),
        ("<response>", "<think>so</think><response>P"),
        ("<|START_TEXT|>", "<|START_THINKING|>so<|END_THINKING|><|START_TEXT|>P"),
        ("<|open|>", "<|open|>think<|sep|>so<|close|>think<|sep|>P"),
        ("<|eom|>", " to=self<|message|>so<|eom|>P"),
        ("<|think|>", "<|think|>so<|end|>P"),
    ],
)
def test_words_count_as_tags_where_the_template_has_them(template: str, text: str) -> None:
    assert _both_ways(text, style=style_of(template)) == ("P", "so")
    assert _both_ways(text) != ("P", "so")  # and nowhere else


def test_a_tag_that_the_template_opened_may_be_repeated() -> None:
    prompt = "<|im_start|>assistant\n<think>\n"
    assert _both_ways("so</think>Paris", prompt) == ("Paris", "so")
    assert _both_ways("<think>\nso</think>Paris", prompt) == ("Paris", "so")
    assert _both_ways("\nParis", prompt + "\n</think>") == ("Paris", "")


def test_a_space_of_the_format_is_not_the_answers() -> None:
    assert _both_ways(" Paris", style=style_of("", trims=True)) == ("Paris", "")


_PARTS = st.sampled_from(
    [*_EVERY.marks, "<think>", "</think>", "\n", "Q", "<", "think", " ", "all\n", "é😀", "<|"]
)


@given(st.lists(_PARTS, max_size=12), st.lists(st.integers(0, 200)), st.booleans())
def test_the_cuts_do_not_matter(parts: list[str], cuts: list[int], is_open: bool) -> None:
    text, opened_by = "".join(parts), "<think>\n" if is_open else ""
    assert _split(text, cuts, opened_by, _EVERY) == _split(text, [], opened_by, _EVERY)


@given(st.lists(_PARTS, max_size=12))
def test_nothing_is_lost_but_tags_and_white_space(parts: list[str]) -> None:
    text = "".join(parts)
    left = "".join(_split(text, [], "", _EVERY))
    assert "Q" not in "".join(_EVERY.marks)
    assert left.count("Q") == text.count("Q")


@given(st.lists(st.sampled_from(["so ", "a\n", "<b>", "[c] "]), min_size=1), st.integers(0, 12))
def test_no_tag_is_ever_shown(words: list[str], n: int) -> None:
    opening, closing = REASONING_TAGS[n % len(REASONING_TAGS)]
    text = f"{opening}{''.join(words)}{closing}{''.join(words)}"
    splitter = ReasoningSplitter()
    for character in text:
        answer, thought = splitter.feed(character)
        assert opening[:2] not in answer + thought
        assert closing[:2] not in answer + thought
