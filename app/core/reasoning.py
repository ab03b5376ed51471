"""What of a model's answer is reasoning: a small state machine over text, whatever writes it.

It knows tags, not models or templates: which tags a model writes is a `Style`. Names of tags as in
llama.cpp's common/chat.cpp and its models/templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

Pair = tuple[str, str]

# What opens reasoning and what closes it, in models whatever their template says of it.
REASONING_TAGS: tuple[Pair, ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<think:opensource>", "</think:opensource>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<unused94>thought", "<unused95>"),
    ("◁think▷", "◁/think▷"),
)
_ANALYSIS, _COMMENTARY = "<|channel|>analysis<|message|>", "<|channel|>commentary<|message|>"
_STEPS, _FINAL = "Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"
_THOUGHT, _RESPONSE = "Here is my thought process:", "Here is my response:"
# These are words or tokens with other uses, so only where the template has the first one.
_IF_NAMED: tuple[tuple[str, tuple[Pair, ...]], ...] = (
    (
        "<|channel|>",
        (
            (_ANALYSIS, "<|end|>"),
            (_COMMENTARY, "<|end|>"),
            ("<|start|>assistant" + _ANALYSIS, "<|end|>"),
            ("<|start|>assistant" + _COMMENTARY, "<|end|>"),
        ),
    ),
    ("<|channel>", (("<|channel>thought", "<channel|>"),)),
    ("<|think|>", (("<|think|>", "<|end|>"),)),
    ("<|eom|>", (("to=self<|message|>", "<|eom|>"),)),
    ("<|open|>", (("<|open|>think<|sep|>", "<|close|>think<|sep|>"),)),
    (_FINAL, ((_STEPS, _FINAL),)),
    (_THOUGHT, ((_THOUGHT, _RESPONSE), ("Here's my thought process:", "Here's my response:"))),
)
# What may stand before an answer and does not belong to it, and what then stands after it; this
# too only where the template has the first one.
_ANSWERS: tuple[Pair, ...] = (
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ("<|START_TEXT|>", "<|END_TEXT|>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<response>", "</response>"),
    (_FINAL, "[END FINAL RESPONSE]"),
)


@dataclass(frozen=True, slots=True)
class Style:
    """How a model marks its reasoning. `answer`: what may stand before an answer, not shown;
    `ends`: what then stands after it. `trims`: white space before an answer is the format's."""

    reasoning: tuple[Pair, ...] = REASONING_TAGS
    answer: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    trims: bool = False

    @property
    def marks(self) -> tuple[str, ...]:
        """Everything that is not shown, at its place."""
        pairs = (text for pair in self.reasoning for text in pair)
        return tuple(dict.fromkeys((*pairs, *self.answer, *self.ends)))


def style_of(
    template: str,
    reasoning: Sequence[Pair] = (),
    answer: Sequence[str] = (),
    *,
    trims: bool = False,
) -> Style:
    """The style of a model with this template, with the marks that it was seen to write."""
    named = [pair for name, pairs in _IF_NAMED if name in template for pair in pairs]
    wrapped = [pair for pair in _ANSWERS if pair[0] in template]
    known = dict.fromkeys((*REASONING_TAGS, *named, *reasoning))
    openings = dict.fromkeys((*answer, *(opening for opening, _ in wrapped)))
    return Style(tuple(known), tuple(openings), tuple(end for _, end in wrapped), trims)


class _Place(Enum):
    START = 0  # nothing yet, or reasoning has just ended: another tag may follow
    REASONING = 1
    ANSWER = 2


class ReasoningSplitter:
    """Parts streamed text into reasoning and answer, wherever the pieces are cut.

    Reasoning stands before the answer, once or several times; `opened_by` is the prompt's own end,
    where the template may have opened the tag already. White space around tags is nobody's.
    """

    def __init__(self, opened_by: str = "", style: Style | None = None) -> None:
        style = style or Style()
        self._closings = dict(style.reasoning)
        stray = (closing for closing in self._closings.values() if closing.startswith("</"))
        self._marks = (*self._closings, *style.answer, *dict.fromkeys(stray))
        self._place = _Place.START
        self._held = self._opening = self._closing = ""
        self._trims = style.trims
        self._is_fresh = self._has_thought = self._parts = False
        end = opened_by.rstrip()
        opening = max((o for o in self._closings if end.endswith(o)), key=len, default="")
        if opening:
            self._begin_reasoning(opening)
        self._trims |= any(end.endswith(closing) for closing in self._closings.values())

    @property
    def in_reasoning(self) -> bool:
        return self._place is _Place.REASONING

    @property
    def is_before_answer(self) -> bool:
        """Whether what comes next is not the answer yet: reasoning, or the rest of a tag."""
        in_tag = self._place is _Place.START and bool(self._held.strip())
        return in_tag or self.in_reasoning

    def feed(self, piece: str) -> tuple[str, str]:
        """The (text, reasoning) that `piece` completes."""
        self._held += piece
        return self._take(is_end=False)

    def finish(self) -> tuple[str, str]:
        """What is still held back at the end of the answer."""
        return self._take(is_end=True)

    def _take(self, *, is_end: bool) -> tuple[str, str]:
        reasoning = ""
        while self._place is not _Place.ANSWER:
            if self._place is _Place.START:
                if not self._decide(is_end=is_end):
                    return "", reasoning
            else:
                reasoning += self._take_reasoning(is_end=is_end)
                if self.in_reasoning:
                    return "", reasoning
        return self._take_text(), reasoning

    def _decide(self, *, is_end: bool) -> bool:
        """Whether it is certain now what comes: reasoning, an answer, or after a tag another."""
        start = self._held.lstrip()
        if not is_end and any(m.startswith(start) and m != start for m in self._marks):
            return False
        mark = max((m for m in self._marks if start.startswith(m)), key=len, default="")
        if not mark:
            self._place = _Place.ANSWER
            return True
        self._held = start[len(mark) :]
        self._trims = True
        if mark in self._closings:
            self._begin_reasoning(mark)
        return True

    def _begin_reasoning(self, opening: str) -> None:
        self._place, self._trims, self._is_fresh = _Place.REASONING, True, True
        self._opening, self._closing = opening, self._closings[opening]
        self._parts = self._has_thought

    def _take_reasoning(self, *, is_end: bool) -> str:
        if self._is_fresh and not self._skip_repeated(is_end=is_end):
            return ""
        head, found, tail = self._held.partition(self._closing)
        if found:
            self._place, self._held = _Place.START, tail
            return self._thought(head.rstrip())
        keep = 0 if is_end else overlap(self._held, self._closing)
        head = self._held[: len(self._held) - keep].rstrip()
        self._held = "" if is_end else self._held[len(head) :]
        return self._thought(head)

    def _skip_repeated(self, *, is_end: bool) -> bool:
        """Models repeat the tag that the template has opened. False while that is not certain."""
        self._held = self._held.lstrip()
        is_part = self._opening.startswith(self._held) and self._opening != self._held
        if is_part and not is_end:
            return False
        self._held = self._held.removeprefix(self._opening).lstrip()
        self._opening = ""
        self._is_fresh = not self._held
        return not self._is_fresh

    def _thought(self, text: str) -> str:
        """`text`, parted from what was thought before it under another tag."""
        if not text:
            return ""
        parted, self._parts, self._has_thought = self._parts, False, True
        return f"\n\n{text}" if parted else text

    def _take_text(self) -> str:
        text, self._held = self._held, ""
        if self._trims:
            text = text.lstrip()
            self._trims = not text
        return text


def overlap(text: str, mark: str) -> int:
    """How many characters at the end of `text` could be the beginning of `mark`."""
    longest = min(len(text), len(mark) - 1)
    return next((n for n in range(longest, 0, -1) if mark.startswith(text[-n:])), 0)
