"""The pipe between parent and child: whole frames of known shape, or an error."""

from __future__ import annotations

import contextlib
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import QT_TRANSLATE_NOOP
from app.engine import protocol
from app.engine.protocol import Failed, Generate, Load, PromptMessage, ProtocolError, Text


def test_frames_survive_the_pipe() -> None:
    request = Generate(7, (PromptMessage("user", "line\nbreak \u2028 😀"),), max_tokens=5)
    line = protocol.encode(request)
    assert line.count(b"\n") == 1
    assert protocol.decode_command(line) == request


def test_a_sentence_survives_the_pipe_with_its_places() -> None:
    text = QT_TRANSLATE_NOOP("engine", "{n} tokens").fill(n="5,000")
    event = protocol.decode_event(protocol.encode(Failed("model", text)))
    assert isinstance(event, Failed)
    assert str(event.text) == "5,000 tokens"


def test_every_event_and_command_has_a_type_of_its_own() -> None:
    for union in (protocol.Command, protocol.Event):
        names = [frame.__name__ for frame in typing.get_args(union)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}\n",
        b'{"type":"Nothing"}\n',
        b'{"type":"Load"}\n',
        b'{"type":"Load","path":5}\n',
        b'{"type":"Text","request_id":1}\n',
        b"[" * 100_000,
        b"\xff\xfe\n",
        b'{"type":"Load","path":"a"',
    ],
)
def test_anything_else_is_an_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_command(line)


@given(st.binary(max_size=300))
def test_only_protocol_errors_come_out(line: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        protocol.decode_event(line)


def test_a_frame_too_long_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_FRAME_BYTES", 100)
    with pytest.raises(ProtocolError):
        protocol.encode(Load("x" * 200))
    with pytest.raises(ProtocolError):
        protocol.decode_event(b'{"type":"Text","request_id":1,"text":"' + b"x" * 200 + b'"}\n')


def test_the_smallest_text_frame_is_small() -> None:
    assert len(protocol.encode(Text(1, "a"))) < 100
