"""Between messages and model text: which messages fit the context, and what is reasoning.

Pure functions and one small state machine. Rendering the chat template is `app.engine.template`'s
job, because it must run in the child.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.core.errors import QT_TRANSLATE_NOOP, PromptError

REASONING_TAGS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)


class HasRole(Protocol):
    @property
    def role(self) -> str: ...


M = TypeVar("M", bound=HasRole)


@dataclass(frozen=True, slots=True)
class FittedPrompt(Generic[M]):
    """The messages that go to the model, their token ids, and how many old ones were left out."""

    messages: tuple[M, ...]
    tokens: Sequence[int]
    n_dropped: int


def fit_messages(
    messages: Sequence[M], n_ctx: int, tokenize: Callable[[Sequence[M]], Sequence[int]]
) -> FittedPrompt[M]:
    """Keep the system prompt and as many of the latest turns as leave room for an answer.

    Whole turns are dropped, oldest first; `tokenize` renders and tokenizes a list of messages and
    is called O(log turns) times. Raises PromptError when not even the last turn fits.
    """
    n_limit = n_ctx - min(512, n_ctx // 4)
    tokens = tokenize(messages)
    if len(tokens) <= n_limit:
        return FittedPrompt(tuple(messages), tokens, 0)
    system = [message for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    starts = [i for i, message in enumerate(turns) if message.role == "user"] or [0]
    low, high = 0, len(starts) - 1
    best = tokenize(system + turns[starts[high] :])
    if len(best) > n_limit:
        raise _too_long(len(best), n_limit)
    while low < high:  # the earliest start that fits; starts[high] is known to
        middle = (low + high) // 2
        tokens = tokenize(system + turns[starts[middle] :])
        if len(tokens) <= n_limit:
            high, best = middle, tokens
        else:
            low = middle + 1
    return FittedPrompt(tuple(system + turns[starts[high] :]), best, starts[high])


def _too_long(n_tokens: int, n_limit: int) -> PromptError:
    return PromptError(
        QT_TRANSLATE_NOOP("prompt", "This message has {n} tokens; {limit} fit.").fill(
            n=f"{n_tokens:,}", limit=f"{n_limit:,}"
        ),
        QT_TRANSLATE_NOOP("prompt", "Shorten it, or choose a larger context in the inspector."),
    )


class ReasoningSplitter:
    """Parts streamed text into reasoning and answer, wherever the pieces are cut.

    Reasoning stands at the very start of an answer, between one of REASONING_TAGS; `opened_by` is
    the prompt's own end when the template has opened the tag already.
    """

    def __init__(self, opened_by: str = "") -> None:
        self._held = ""
        self._close = ""
        self._undecided = True
        self._trim = False
        for opening, closing in REASONING_TAGS:
            if opened_by.rstrip().endswith(opening):
                self._close, self._undecided, self._trim = closing, False, True

    @property
    def in_reasoning(self) -> bool:
        return bool(self._close)

    def feed(self, piece: str) -> tuple[str, str]:
        """The (text, reasoning) that `piece` completes."""
        self._held += piece
        reasoning = ""
        if self._undecided and not self._decide():
            return "", ""
        if self._close:
            reasoning = self._take_reasoning()
            if self._close:
                return "", reasoning
        return self._take_text(), reasoning

    def finish(self) -> tuple[str, str]:
        """What is still held back at the end of the answer."""
        held, self._held = self._held, ""
        return ("", held) if self._close else (held, "")

    def _decide(self) -> bool:
        start = self._held.lstrip()
        for opening, closing in REASONING_TAGS:
            if start.startswith(opening):
                self._close, self._undecided, self._trim = closing, False, True
                self._held = start[len(opening) :]
                return True
        if any(opening.startswith(start) for opening, _ in REASONING_TAGS):
            return False
        self._undecided = False
        return True

    def _take_reasoning(self) -> str:
        if self._trim:
            self._held = self._held.lstrip("\n")
            self._trim = not self._held
        head, found, tail = self._held.partition(self._close)
        if found:
            self._close, self._held, self._trim = "", tail, True
            return head.rstrip("\n")
        keep = _overlap(self._held, self._close)
        head = self._held[: len(self._held) - keep].rstrip("\n")
        self._held = self._held[len(head) :]
        return head

    def _take_text(self) -> str:
        text, self._held = self._held, ""
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        return text


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` could be the beginning of `tag`."""
    return next(
        (n for n in range(min(len(text), len(tag) - 1), 0, -1) if tag.startswith(text[-n:])), 0
    )
