"""One message in the transcript's list: what is known of it, whether or not a widget shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.chat import ChatMessage, Role, Status
from app.ui.transcript.blocks import Kind
from app.ui.transcript.body import Body, Segment
from app.ui.transcript.mark import Mark
from app.ui.transcript.stream import Stream

if TYPE_CHECKING:
    from app.ui.transcript.message import MessageView

COLUMN_MAX, USER_MAX = 640, 520
_LINE, _CODE_LINE, _TABLE_ROW = 22, 20, 28
_ANSWER_FRAME = 20 + 20 + 8 + 4 + 28
_USER_FRAME = 16 + 20
_FOLD = 34
_USER_SHARE = 0.77  # of the column's width
_SHORT_LINE = 0.55  # how much of a line each line break leaves empty


@dataclass(eq=False, slots=True)
class Row:
    """A message, the parts of it that were cut so far, and the widget that shows it, if any.

    `height` was measured at `width`; where that is 0 it was not. There is a `stream` while the
    answer is written.
    """

    message: ChatMessage
    index: int
    branches: tuple[int, ...] = ()
    is_user: bool = False
    mark: Mark | None = None
    is_last_answer: bool = False
    stream: Stream | None = None
    body: Body | None = None
    thoughts: Body | None = None
    thought_ms: float = 0
    thoughts_open: bool | None = None
    view: MessageView | None = None
    width: int = 0
    height: int = 0
    size: int = 0
    lines: int = 0

    def __post_init__(self) -> None:
        self.is_user = self.message.role is Role.USER
        self.size = len(self.message.text)
        self.lines = self.message.text.count("\n")

    @property
    def is_streaming(self) -> bool:
        return self.stream is not None

    @property
    def is_unfinished(self) -> bool:
        return self.stream is None and self.message.status in (Status.PARTIAL, Status.FAILED)

    @property
    def is_thinking(self) -> bool:
        return self.stream is not None and bool(self.thoughts) and not self.stream.parts

    @property
    def shows_thoughts(self) -> bool:
        """Open while the model thinks, then closed, unless the user wants it otherwise."""
        return self.is_thinking if self.thoughts_open is None else self.thoughts_open

    @property
    def text(self) -> str:
        """The message's own text so far."""
        return self.message.text if self.stream is None else self.stream.text

    def need_bodies(self) -> None:
        """Cut the text into segments, if that was not done yet."""
        if self.body is None:
            self.body = Body.of(self.message.text, plain=self.is_user)
        if self.thoughts is None and self.message.reasoning:
            self.thoughts = Body.of(self.message.reasoning, plain=True)

    def begin_streaming(self) -> None:
        """Make ready for text to come after what is there."""
        self.stream = Stream()
        self.body, self.thoughts = Body(), None
        self.size = self.lines = 0
        if self.message.reasoning:
            self.take_thoughts(self.message.reasoning)
        if self.message.text:
            self.take_text(self.message.text)
        self.flush()

    def take_text(self, text: str) -> None:
        if self.stream is not None:
            self.stream.add(text)
            self.size += len(text)
            self.lines += text.count("\n")

    def take_thoughts(self, text: str) -> None:
        if self.stream is not None:
            self.thoughts = self.thoughts or Body(plain=True)
            self.stream.add_thought(text)

    def flush(self) -> None:
        """Cut what came since the last time."""
        if self.stream is None:
            return
        text, thoughts = self.stream.take(), self.stream.take_thoughts()
        if text and self.body is not None:
            self.body.feed(text)
        if thoughts and self.thoughts is not None:
            self.thoughts.feed(thoughts)

    def finish(self, message: ChatMessage) -> None:
        """Take on the final state. What was streamed stays if it is the same text."""
        if self.stream is not None:
            self._finish_stream(self.stream, message)
        elif message.text != self.message.text:
            self.body = None
        self.message = message
        self.size, self.lines = len(message.text), message.text.count("\n")
        self.stream = None

    def _finish_stream(self, stream: Stream, message: ChatMessage) -> None:
        self.flush()
        self.thought_ms = stream.thought_ms
        if self.body is not None and stream.text.rstrip() == message.text.rstrip():
            self.body.finish()
        else:
            self.body = None
        if self.thoughts is not None and stream.thoughts.rstrip() == message.reasoning.rstrip():
            self.thoughts.finish()
        else:
            self.thoughts = None

    def goes_on_as(self, message: ChatMessage) -> bool:
        """Whether `message` is what this row shows already, or is still being told."""
        if self.stream is None:
            return self.message == message
        return message.status is Status.PARTIAL and self.stream.text.startswith(message.text)

    def unmeasure(self) -> None:
        """The font has changed: no height holds any more."""
        self.width = 0
        for body in (self.body, self.thoughts):
            for segment in body.segments if body else ():
                segment.width = 0

    def show_mark(self, mark: Mark | None) -> None:
        """Where the model's memory begins stands above this message, or does not."""
        self.mark = mark
        self.width = 0

    def measured(self, width: int) -> int:
        """The height it was measured to have at this width; 0 if it was not."""
        return self.height if self.width == width else 0

    def estimate(self, chars_per_line: float, scale: float) -> int:
        """A guess at the height, from the length of the text alone."""
        if self.is_user:
            frame = _USER_FRAME
            chars_per_line *= _USER_SHARE
        else:
            frame = _ANSWER_FRAME + (_FOLD if self.message.reasoning else 0)
        lines = self.size / chars_per_line + self.lines * _SHORT_LINE
        return int(scale * (frame + _LINE * (0.6 + lines)))


def estimate_segment(segment: Segment, width: int, scale: float, char_width: float) -> int:
    """A guess at the height of a segment that was not measured."""
    if segment.kind is Kind.CODE:
        return round(scale * (_CODE_LINE * (segment.lines + 1) + 20))
    if segment.is_table:
        return round(scale * _TABLE_ROW * (segment.lines + 1))
    lines = segment.size * char_width / max(width, 1)
    return round(scale * _LINE * (0.6 + lines + 0.5 * segment.lines))
