"""tokenizer.model: what is read from sound files, and that others cannot harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.errors import CheckpointError
from quantize.tokenizer.sentencepiece import read_pieces
from quantize.tokenizer.wire import WireError, fields
from tests.helpers.fuzz import fuzz
from tests.helpers.tokenizers import PIECES, chunk, sentencepiece, varint

PATH = Path("model", "tokenizer.model")


def refused(data: bytes) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        read_pieces(PATH, data)
    assert str(caught.value) == "tokenizer.model is damaged."
    return caught.value


def test_pieces() -> None:
    pieces = read_pieces(PATH, sentencepiece())
    found = [*zip(pieces.tokens, pieces.scores, pieces.kinds, strict=True)]
    assert found == PIECES


def test_pieces_in_an_unusual_layout() -> None:
    """Fields in another order, unknown fields between them, a long text, a type of two bytes."""
    text = "x" * 200
    odd = b"\x18\x83\x00" + chunk(1, b"early") + chunk(9, b"?") + b"\x15\x00\x00\x80\xbf"
    data = chunk(1, odd + chunk(1, text.encode())) + chunk(1, chunk(1, b"y"))
    pieces = read_pieces(PATH, data)
    assert pieces.tokens == [text, "y"]
    assert pieces.scores == [-1.0, 0.0]
    assert pieces.kinds == [3, 1]


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [("a", 0.0, 1), ("a", 0.0, 1)],
        [("", 0.0, 1)],
        [("<unk>", 0.0, 2), ("<other>", 0.0, 2)],
    ],
)
def test_pieces_that_cannot_be(pieces: list[tuple[str, float, int]]) -> None:
    refused(sentencepiece(pieces))


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # ends within a length
        b"\x0a\xff",  # ends within a varint
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # 2^64 bytes
        b"\x0a" + b"\x80" * 10 + b"\x01",  # a number of eleven bytes
        b"\x0b\x00",  # a group
        b"\x02\x00",  # field 0
        b"\x0d\x00\x00",  # a float cut short
        chunk(1, b"\x0a\x7fab"),  # an inner length beyond its message
        chunk(1, chunk(1, b"\xff\xfe")),  # not UTF-8
        b"\x00" * 64,
        b"PK\x03\x04" + bytes(60),
    ],
)
def test_damaged_files(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize("n", [0, 1, 127, 128, 300, 2**32, 2**64 - 1])
def test_varints(n: int) -> None:
    assert [*fields(b"\x08" + varint(n))] == [(1, n)]


@fuzz
@given(st.binary(max_size=200))
def test_only_its_error_leaves_the_wire(data: bytes) -> None:
    try:
        total = sum(len(value) for _, value in fields(data) if isinstance(value, bytes))
    except WireError:
        return
    assert total <= len(data)


@fuzz
@given(st.data())
def test_only_our_error_leaves_a_mutated_file(data: st.DataObject) -> None:
    content = bytearray(sentencepiece(PIECES[:3] + PIECES[250:]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        pieces = read_pieces(PATH, bytes(content[:cut]))
    except CheckpointError:
        return
    assert len(pieces.tokens) == len(pieces.scores) == len(pieces.kinds) > 0
