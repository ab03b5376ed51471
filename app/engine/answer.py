"""The answer while it is written: bytes to text, text to frames, and the clock beside it."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Sequence
from typing import TypedDict

from app.core.reasoning import ReasoningSplitter, Style
from app.engine.protocol import Event, Text
from app.engine.stopping import StopStrings

FRAME_S = 0.033


class AnswerFigures(TypedDict):
    n_generated: int
    tps: float
    prompt_tps: float
    ttft_ms: float
    thought_ms: float


class AnswerStream:
    """Sends the first token at once, later ones together every FRAME_S, never half a character.

    `style` tells reasoning from the answer; stop strings end the answer, not the reasoning.
    """

    def __init__(
        self,
        request_id: int,
        emit: Callable[[Event], None],
        stop_strings: Sequence[str] = (),
        style: Style | None = None,
    ) -> None:
        self._request_id = request_id
        self._emit = emit
        self._stops = StopStrings(stop_strings)
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._style = style
        self._splitter = ReasoningSplitter(style=style)
        self._text = self._reasoning = ""
        self._started = time.perf_counter()
        self._began = self._first = self._thought_from = self._thought_until = 0.0
        self._last = self._sent = 0.0
        self._n_past = 0
        self.n_generated = 0

    @property
    def is_over(self) -> bool:
        """A stop string has been written; it and what follows are not shown."""
        return self._stops.hit

    @property
    def is_before_answer(self) -> bool:
        """Whether what the model writes next belongs to its reasoning, or to a tag."""
        return self._splitter.is_before_answer

    def begin(self, prompt_end: str) -> None:
        """The prompt has been read; `prompt_end` are its last characters."""
        self._began = time.perf_counter()
        self._splitter = ReasoningSplitter(prompt_end, self._style)
        if self._splitter.in_reasoning:
            self._thought_from = self._began

    def add(self, piece: bytes, n_past: int) -> None:
        """One more token, whose bytes are `piece`; `n_past` tokens are in the context with it."""
        now = time.perf_counter()
        self._first = self._first or now
        self._last = now
        self.n_generated += 1
        self._n_past = n_past
        self._split(self._splitter.feed(self._utf8.decode(piece)), now)
        if now - self._sent >= FRAME_S:
            self._send(now)

    def finish(self, n_read: int) -> AnswerFigures:
        """Send what is still held back; `n_read` prompt tokens were computed for this answer."""
        now = time.perf_counter()
        self._split(self._splitter.feed(self._utf8.decode(b"", final=True)), now)
        self._split(self._splitter.finish(), now)
        self._text += self._stops.finish()
        self._send(now)
        if self._thought_from and not self._thought_until:
            self._thought_until = now
        read_s = self._began - self._started
        return AnswerFigures(
            n_generated=self.n_generated,
            tps=self._tps(),
            prompt_tps=n_read / read_s if read_s > 0 else 0.0,
            ttft_ms=(self._first - self._started) * 1000 if self._first else 0.0,
            thought_ms=(self._thought_until - self._thought_from) * 1000,
        )

    def _split(self, parts: tuple[str, str], now: float) -> None:
        text, reasoning = parts
        self._text += self._stops.feed(text)
        self._reasoning += reasoning
        if self._splitter.in_reasoning:
            self._thought_from = self._thought_from or now
        elif self._thought_from and not self._thought_until:
            self._thought_until = now

    def _send(self, now: float) -> None:
        if not self._text and not self._reasoning:
            return
        self._emit(Text(self._request_id, self._text, self._reasoning, self._n_past, self._tps()))
        self._text = self._reasoning = ""
        self._sent = now

    def _tps(self) -> float:
        """Tokens per second after the first one, whose time belongs to the prompt."""
        elapsed = self._last - self._first
        return (self.n_generated - 1) / elapsed if elapsed > 0 else 0.0
