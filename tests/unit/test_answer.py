"""Tokens' bytes become text: at once, then in frames, never half a character."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.reasoning import Style
from app.engine.answer import FRAME_S, AnswerStream
from app.engine.protocol import Event, Text


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    clock.now = 100.0
    monkeypatch.setattr("app.engine.answer.time.perf_counter", clock)
    return clock


def _stream(pieces: list[bytes], prompt_end: str = "") -> list[Text]:
    events: list[Event] = []
    stream = AnswerStream(1, events.append)
    stream.begin(prompt_end)
    for n, piece in enumerate(pieces):
        stream.add(piece, n)
    stream.finish(0)
    return [event for event in events if isinstance(event, Text)]


@given(st.text(), st.lists(st.integers(0, 40)))
def test_any_cut_of_the_bytes_gives_the_same_text(text: str, cuts: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    events = _stream(pieces)
    got = "".join(e.text for e in events)
    thought = "".join(e.reasoning for e in events)
    if not any(mark in text for mark in Style().marks):
        assert (got, thought) == (data.decode(), "")


@pytest.mark.parametrize("text", ["😀👩‍👩‍👧", "漢字かな", "e\u0301o\u0308", "नमस्ते"])
def test_characters_of_several_tokens_come_whole(text: str) -> None:
    events = _stream([bytes([byte]) for byte in text.encode()])
    assert "".join(event.text for event in events) == text
    assert all("\ufffd" not in event.text for event in events)


def test_bytes_that_are_no_text_are_marked_not_lost() -> None:
    assert "".join(e.text for e in _stream([b"a\xff", b"b\xe6\xbc"])) == "a\ufffdb\ufffd"


def test_bytes_that_are_no_text_end_reasoning_too() -> None:
    events = _stream([b"<think>a", b"b\xe6\xbc"])
    assert "".join(event.reasoning for event in events) == "ab\ufffd"


def test_stop_strings_end_the_answer_and_not_the_reasoning() -> None:
    events: list[Event] = []
    stream = AnswerStream(1, events.append, ["\n\n", "END"])
    stream.begin("")
    pieces = [b"<think>one\n\ntwo END", b"</thi", b"nk>\n\nPar", b"is.E", b"N", b"D more"]
    for n, piece in enumerate(pieces):
        assert not stream.is_over
        stream.add(piece, n)
    assert stream.is_over
    stream.finish(0)
    texts = [event for event in events if isinstance(event, Text)]
    assert "".join(event.text for event in texts) == "Paris."
    assert "".join(event.reasoning for event in texts) == "one\n\ntwo END"


def test_the_first_token_comes_at_once_and_the_rest_in_frames(clock: _Clock) -> None:
    events: list[Event] = []
    stream = AnswerStream(1, events.append)
    stream.begin("")
    stream.add(b"a", 1)
    assert len(events) == 1
    for n in range(10):
        clock.now += FRAME_S / 4
        stream.add(b"b", n)
    assert [e.text for e in events if isinstance(e, Text)] == ["a", "bbbb", "bbbb"]
    figures = stream.finish(0)
    assert [e.text for e in events if isinstance(e, Text)] == ["a", "bbbb", "bbbb", "bb"]
    assert figures["n_generated"] == 11


def test_the_clock_parts_prompt_thought_and_answer(clock: _Clock) -> None:
    stream = AnswerStream(1, lambda _event: None)
    clock.now += 0.5
    stream.begin("<think>")
    for piece in (b"so", b"</think>", b"Paris", b"."):
        clock.now += 0.1
        stream.add(piece, 0)
    figures = stream.finish(n_read=50)
    assert figures["ttft_ms"] == pytest.approx(600)
    assert figures["prompt_tps"] == pytest.approx(100)
    assert figures["tps"] == pytest.approx(10)
    assert figures["thought_ms"] == pytest.approx(200)
