"""Segments: the same however the text arrives, and the same objects while it grows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui.transcript.blocks import Kind
from app.ui.transcript.body import Body, CodeSource
from tests.qt.test_transcript_blocks import MARKDOWN


def described(body: Body) -> list[object]:
    return [
        (s.kind, s.gap, s.depth, s.blocks, s.tail, s.index, s.size, s.lines, s.text)
        for s in body.segments
    ]


@pytest.mark.parametrize("plain", [False, True])
@given(text=MARKDOWN, cuts=st.lists(st.integers(0, 100_000), max_size=10))
@settings(max_examples=300, deadline=None)
def test_streamed_is_whole(plain, text, cuts):
    body, at = Body(plain), 0
    for cut in [*sorted(c % (len(text) + 1) for c in cuts), len(text)]:
        body.feed(text[at:cut])
        at = cut
    body.finish()
    whole = Body.of(text, plain)
    assert described(body) == described(whole)
    closed = [s.source.closed for s in body.segments if s.source]
    assert closed == [s.source.closed for s in whole.segments if s.source]


def test_a_segment_stays_the_same_object_while_it_grows():
    body = Body()
    body.feed("Some ")
    first = body.segments[0]
    body.feed("words\n\n```py\nx")
    code = body.segments[1]
    body.feed(" = 1\n```\n\nmore")
    assert body.segments[0] is first
    assert body.segments[1] is code
    assert code.text == "x = 1"


def test_a_possible_fence_is_no_segment_of_its_own():
    body = Body()
    body.feed("Text\n\n``")
    assert [s.text for s in body.segments] == ["Text\n"]
    body.feed("`py\n")
    assert [s.kind for s in body.segments] == [Kind.PROSE, Kind.CODE]


def test_pieces_of_code_know_each_other():
    code = "".join(f"line {i}\n" for i in range(400))
    body = Body.of(f"```py\n{code}```\nafter")
    pieces = body.segments[:-1]
    assert len(pieces) > 2
    assert len({id(s.source) for s in pieces}) == 1
    assert pieces[0].source.text + "\n" == code
    assert [s.is_first_piece for s in pieces].count(True) == 1
    assert [s.is_last_piece for s in pieces] == [False] * (len(pieces) - 1) + [True]
    assert [pieces[0].source.first_line(s.index) for s in pieces][:2] == [0, 119]


def test_only_a_whole_code_block_is_closed():
    body = Body()
    body.feed("```py\nx = 1\n")
    source = body.segments[0].source
    assert not source.closed
    assert source.complete_lines(0, 9) == ["x = 1"]
    body.finish()
    assert source.closed


def test_complete_lines_end_with_their_break():
    source = CodeSource("py")
    source.pieces = ["a\nb\n", "c\nd"]
    assert source.complete_lines(1, 9) == ["b", "c"]
