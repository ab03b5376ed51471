"""Stop strings, wherever the pieces are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.stopping import StopStrings


def shown(pieces: list[str], *strings: str) -> tuple[str, bool]:
    stops = StopStrings(strings)
    text = "".join(stops.feed(piece) for piece in pieces)
    return text + stops.finish(), stops.hit


@pytest.mark.parametrize("cut", range(len("Hello\nUser: hi")))
def test_a_stop_string_split_over_pieces_ends_the_text(cut: int) -> None:
    text = "Hello\nUser: hi"
    assert shown([text[:cut], text[cut:]], "\nUser:") == ("Hello", True)


def test_the_first_of_several_ends_it() -> None:
    assert shown(["a STOP b END c"], "END", "STOP") == ("a ", True)


def test_a_beginning_that_goes_on_otherwise_is_shown() -> None:
    assert shown(["Hello\nUs", "ers"], "\nUser:") == ("Hello\nUsers", False)
    assert shown(["Hello\nUs"], "\nUser:") == ("Hello\nUs", False)


def test_without_strings_all_is_shown_at_once() -> None:
    stops = StopStrings(("",))
    assert stops.feed("abc") == "abc"


@given(st.text("ab", max_size=30), st.text("ab", min_size=1, max_size=4), st.data())
def test_it_is_the_same_as_searching_the_whole(text: str, stop: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    edges = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
    expected = text.partition(stop)[0] if stop in text else text
    assert shown(pieces, stop) == (expected, stop in text)
