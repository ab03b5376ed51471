"""The cuts: nothing is lost, nothing depends on how the text arrives, every block stays small."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui.transcript.blocks import (
    BLOCK_MAX,
    CODE_MAX,
    LEVELS_MAX,
    Block,
    Kind,
    Splitter,
)
from app.ui.transcript.plain import PlainSplitter
from app.ui.transcript.text import LINE_MAX, clean, cut_point

PIECES = st.sampled_from(
    [
        "\n",
        "\n\n",
        " ",
        "    ",
        "  ",
        "\t",
        "- ",
        "* ",
        "1. ",
        "12) ",
        "> ",
        "# ",
        "```",
        "```py\n",
        "~~~",
        "````",
        "---\n",
        "| a | b |\n|---|--:|\n",
        "| 1 | 2 |\n",
        "word ",
        "a",
        "**b**",
        "`c`",
        "é́",
        "👩‍👩‍👧",
        "x" * 700,
        "y z " * 400,
        "> " * 12,
        "- " * 12,
    ]
)
MARKDOWN = st.lists(PIECES, max_size=60).map("".join)


def whole(text: str, splitter: type[Splitter] | type[PlainSplitter] = Splitter) -> list[Block]:
    made = splitter()
    return made.feed(text) + made.finish()


def dealt(
    text: str, cuts: list[int], splitter: type[Splitter] | type[PlainSplitter]
) -> list[Block]:
    made, blocks, at = splitter(), [], 0
    for cut in sorted(c % (len(text) + 1) for c in cuts):
        blocks += made.feed(text[at:cut])
        made.tail()
        at = cut
    return blocks + made.feed(text[at:]) + made.finish()


@pytest.mark.parametrize("splitter", [Splitter, PlainSplitter])
@given(text=MARKDOWN, cuts=st.lists(st.integers(0, 100_000), max_size=12))
@settings(max_examples=400, deadline=None)
def test_blocks_are_the_input_however_it_arrives(splitter, text, cuts):
    blocks = whole(text, splitter)
    assert "".join(b.source for b in blocks) == text
    assert dealt(text, cuts, splitter) == blocks


@given(text=MARKDOWN)
@settings(max_examples=60, deadline=None)
def test_one_character_at_a_time_gives_the_same_blocks(text):
    assert dealt(text, list(range(len(text))), Splitter) == whole(text)


@given(text=MARKDOWN, at=st.integers(0, 100_000))
@settings(max_examples=100, deadline=None)
def test_frozen_blocks_and_tail_are_the_input_at_any_time(text, at):
    splitter = Splitter()
    head = text[: at % (len(text) + 1)]
    blocks = splitter.feed(head) + splitter.tail(hold_back=False)
    assert "".join(b.source for b in blocks) == head


@given(text=st.text(max_size=400))
@settings(deadline=None)
def test_any_text_is_kept(text):
    assert "".join(b.source for b in whole(text)) == text


@given(text=MARKDOWN)
@settings(max_examples=100, deadline=None)
def test_blocks_are_small(text):
    longest_line = LINE_MAX + 200
    for block in whole(text):
        assert len(block.source) <= max(2 * BLOCK_MAX, CODE_MAX) + longest_line
        assert block.depth <= LEVELS_MAX


def kinds(text: str) -> list[tuple[str, str]]:
    return [(b.kind.value, b.source) for b in whole(text)]


def test_paragraphs_and_code_part():
    assert kinds("One\ntwo\n\nThree\n```py\nx\n\ny\n```\nfour") == [
        ("prose", "One\ntwo\n\n"),
        ("prose", "Three\n"),
        ("code", "```py\nx\n\ny\n```\n"),
        ("prose", "four"),
    ]


def test_code_is_what_stands_between_the_fences():
    block = whole("```py title\nx = 1\n\n  y\n```\n")[0]
    assert block.code == "x = 1\n\n  y\n"
    assert block.fence.info == "py title"
    assert block.opens
    assert block.closes


def test_unclosed_fence_is_code_to_the_end():
    (block,) = whole("~~~\nx\n```\n")
    assert (block.code, block.closes) == ("x\n```\n", False)


def test_fence_in_a_list_keeps_the_numbers_going():
    blocks = whole("1. Install:\n   ```sh\n   pip\n     x\n   ```\n   then\n2. Run\n")
    assert [b.kind.value for b in blocks] == ["prose", "code", "prose", "prose"]
    assert blocks[1].code == "pip\n  x\n"
    assert (blocks[1].depth, blocks[2].depth, blocks[2].indent) == (1, 1, 3)
    assert (blocks[3].source, blocks[3].depth) == ("2. Run\n", 0)


def test_badly_indented_code_in_a_list_does_not_end_the_fence():
    blocks = whole("1. x\n   ```\ncode\n   ```\n2. y\n")
    assert [b.kind.value for b in blocks] == ["prose", "code", "prose"]


def test_fence_after_a_list_mark():
    blocks = whole("- ```py\n  x\n  ```\n- next\n")
    assert [(b.kind.value, b.source) for b in blocks] == [
        ("prose", "- "),
        ("code", "```py\n  x\n  ```\n"),
        ("prose", "- next\n"),
    ]
    assert blocks[1].code == "x\n"


def test_year_at_the_start_of_a_line_is_no_list():
    assert len(whole("It was\n1986. A good year\n")) == 1


def test_items_are_blocks_and_know_the_blank_line_before():
    blocks = whole("- a\n- b\n\n- c\n  - d\n")
    assert [(b.source, b.loose) for b in blocks] == [
        ("- a\n", False),
        ("- b\n\n", False),
        ("- c\n  - d\n", True),
    ]


def test_long_table_is_cut_and_keeps_its_head():
    blocks = whole("| a | b |\n|---|--:|\n" + "| something | 12345 |\n" * 300)
    assert len(blocks) > 2
    assert blocks[0].prefix == ""
    assert all(b.prefix == "| a | b |\n|---|--:|\n" for b in blocks[1:])
    assert all(b.joined for b in blocks[1:])


def test_long_paragraph_is_cut_at_lines_and_joined():
    blocks = whole("some words on a line\n" * 400)
    assert len(blocks) > 2
    assert all(b.joined for b in blocks[1:])


def test_line_without_break_is_cut_at_spaces():
    blocks = whole("word " * 40_000)
    assert all(len(b.source) <= LINE_MAX for b in blocks[:-1])
    assert all(b.source.endswith(" ") and b.inline for b in blocks[1:-1])


@pytest.mark.parametrize("cluster", ["é́", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪"])
def test_cut_is_never_inside_a_character(cluster):
    for shift in range(len(cluster)):
        text = "x" * shift + cluster * 2_100
        rest = text[cut_point(text) :]
        assert rest.startswith(cluster[0])


def test_long_code_comes_in_pieces():
    code = "".join(f"line {i}\n" for i in range(1_000))
    blocks = whole(f"```\n{code}```\n")
    assert "".join(b.code for b in blocks) == code
    assert [b.opens for b in blocks].count(True) == 1
    assert blocks[-1].closes


def test_code_line_without_end_comes_in_pieces():
    code = "x" * 50_000 + "\nend\n"
    blocks = whole(f"```\n{code}```\nafter")
    assert "".join(b.code for b in blocks if b.kind is Kind.CODE) == code
    assert blocks[-1].source == "after"


@pytest.mark.parametrize(
    "hostile",
    [
        "`" * 1_000_000,
        "> " * 10_000,
        "- " * 10_000,
        "".join(" " * i + "- a\n" for i in range(1_400)),
        "\n" * 1_000_000,
        " " * 1_000_000,
        "x" * 200_000,
        "-" * 100_000,
        "|-" * 50_000,
        "1. " * 50_000,
        ">" * 100_000,
        "\t" * 100_000,
        "* " * 50_000,
    ],
    ids=lambda text: f"{text[:6]!r}x{len(text)}",
)
def test_hostile_text_takes_no_time(hostile):
    started = time.perf_counter()
    blocks = whole(hostile)
    assert time.perf_counter() - started < 1
    assert "".join(b.source for b in blocks) == hostile


def test_clean_removes_what_a_document_takes_for_its_own():
    assert clean("a\r\nb\0c\ud800d\ufdd0e\u2029f\ufffc") == "a\nb\ufffdc\ufffdd\ufffde\nf\ufffd"


def test_unfinished_last_line_is_held_back():
    splitter = Splitter()
    splitter.feed("Text\n``")
    assert [b.source for b in splitter.tail()] == ["Text\n"]
    assert [b.source for b in splitter.finish()] == ["Text\n``"]
