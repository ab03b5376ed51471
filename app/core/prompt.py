"""Which messages fit the context.

Pure functions. Rendering the chat template is `app.engine.template`'s job, because it must run in
the child; what of an answer is reasoning is `app.core.reasoning`'s.

When something has to go, more goes than must: the prompt then begins at the same message for many
turns, and the KV cache keeps it. Dropping one turn at a time would have all of it read again with
every question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.core.errors import QT_TRANSLATE_NOOP, PromptError

ANSWER_TOKENS = 512  # kept free for an answer whose length nobody has limited
DOWN_TO = 0.6  # of the room, once something has to go
_CHARS_PER_TOKEN_MAX = 12.0  # text that is longer than this for its room is not even counted
_ENOUGH_TOKENS = 64  # to tell how many characters a token of a conversation holds
_CHARS_PER_TOKEN = 4.0  # where it is only to be said roughly


class HasText(Protocol):
    @property
    def role(self) -> str: ...
    @property
    def text(self) -> str: ...


M = TypeVar("M", bound=HasText)


@dataclass(frozen=True, slots=True)
class FittedPrompt(Generic[M]):
    """The messages that go to the model, their token ids, and how many old ones were left out."""

    messages: tuple[M, ...]
    tokens: Sequence[int]
    n_dropped: int


def room_for(n_ctx: int, max_tokens: int = 0) -> int:
    """How many tokens a prompt may have, so that an answer of `max_tokens` (0: any) has a place.

    A limit on the answer that would leave the prompt less than half of the context does not count.
    """
    wanted, most = (max_tokens, n_ctx // 2) if max_tokens else (ANSWER_TOKENS, n_ctx // 4)
    return n_ctx - min(wanted, most)


def fit_messages(
    messages: Sequence[M],
    n_ctx: int,
    tokenize: Callable[[Sequence[M]], Sequence[int]],
    *,
    max_tokens: int = 0,
    n_dropped: int = 0,
    overflow: str = "oldest",
) -> FittedPrompt[M]:
    """Keep the system prompt and as many of the latest turns as leave room for an answer.

    Whole turns are dropped, oldest first, down to DOWN_TO of the room; `n_dropped` messages were
    left out before already, and from there it goes on while that fits. `overflow` "stop" drops
    nothing. `tokenize` renders and tokenizes a list of messages; it is called O(log turns) times,
    and never for text that cannot fit. Raises PromptError where it does not fit.
    """
    room = room_for(n_ctx, max_tokens)
    prompts = _Prompts(messages, tokenize)
    kept = prompts.start_at(n_dropped)
    if kept and prompts.fits(kept, room) and not prompts.fits(0, room) and overflow == "oldest":
        if not prompts.fits(kept - 1, int(room * DOWN_TO)):
            return prompts.fitted(kept)
    elif prompts.fits(0, room):
        return prompts.fitted(0)
    if overflow == "stop":
        raise _too_long(prompts, room)
    if not prompts.fits(prompts.last, room):
        raise _last_too_long(prompts, room)
    return prompts.fitted(prompts.first_that_fits(int(room * DOWN_TO)))


class _Prompts(Generic[M]):
    """The prompts there are to choose from: the system prompt, then all from one turn on."""

    def __init__(
        self, messages: Sequence[M], tokenize: Callable[[Sequence[M]], Sequence[int]]
    ) -> None:
        self.system = [message for message in messages if message.role == "system"]
        self._turns = [message for message in messages if message.role != "system"]
        users = [i for i, message in enumerate(self._turns) if i and message.role == "user"]
        self._starts = [0, *users]
        self._tokenize = tokenize
        self._counted: dict[int, Sequence[int]] = {}
        self._chars_per_token = _CHARS_PER_TOKEN_MAX

    @property
    def last(self) -> int:
        return len(self._starts) - 1

    def start_at(self, n_dropped: int) -> int:
        """The turn that begins after `n_dropped` messages; 0 where none does."""
        return self._starts.index(n_dropped) if n_dropped in self._starts else 0

    def fits(self, start: int, room: int) -> bool:
        if start not in self._counted and self.n_chars(start) > room * self._chars_per_token:
            return False
        return len(self.tokens(start)) <= room

    def first_that_fits(self, room: int) -> int:
        """The earliest start that takes `room` tokens at most; the last where none does."""
        low, high = 0, self.last
        while low < high:
            middle = (low + high) // 2
            if self.fits(middle, room):
                high = middle
            else:
                low = middle + 1
        return high

    def fitted(self, start: int) -> FittedPrompt[M]:
        return FittedPrompt(tuple(self._from(start)), self.tokens(start), self._starts[start])

    def tokens(self, start: int) -> Sequence[int]:
        if start not in self._counted:
            tokens = self._counted[start] = self._tokenize(self._from(start))
            if len(tokens) >= _ENOUGH_TOKENS:  # another part may have longer ones: twice as long
                measured = 2 * self.n_chars(start) / len(tokens)
                self._chars_per_token = min(_CHARS_PER_TOKEN_MAX, max(measured, 1.0))
        return self._counted[start]

    def n_chars(self, start: int) -> int:
        return sum(len(message.text) for message in self._from(start))

    def n_tokens(self, start: int) -> tuple[int, bool]:
        """How many there are, and whether they were counted."""
        if start in self._counted:
            return len(self._counted[start]), True
        return int(self.n_chars(start) / _CHARS_PER_TOKEN), False

    def _from(self, start: int) -> list[M]:
        return self.system + self._turns[self._starts[start] :]


def _too_long(prompts: _Prompts[M], room: int) -> PromptError:
    return PromptError(
        QT_TRANSLATE_NOOP(
            "prompt", "This conversation has {n} tokens; {limit} fit into the context."
        ).fill(n=_about(*prompts.n_tokens(0)), limit=f"{room:,}"),
        QT_TRANSLATE_NOOP(
            "prompt",
            "Summarise the older part, choose a larger context in the inspector, "
            "or begin a new conversation.",
        ),
    )


def _last_too_long(prompts: _Prompts[M], room: int) -> PromptError:
    """The last question or the system prompt is alone more than fits."""
    n_tokens, is_counted = prompts.n_tokens(prompts.last)
    n_system = sum(len(message.text) for message in prompts.system)
    share = n_system / max(prompts.n_chars(prompts.last), 1)
    if n_tokens * share > room:
        return PromptError(
            QT_TRANSLATE_NOOP("prompt", "The system prompt has {n} tokens; {limit} fit.").fill(
                n=_about(int(n_tokens * share), share == 1.0 and is_counted), limit=f"{room:,}"
            ),
            QT_TRANSLATE_NOOP("prompt", "Shorten it, or choose a larger context in the inspector."),
        )
    return PromptError(
        QT_TRANSLATE_NOOP("prompt", "This message has {n} tokens; {limit} fit.").fill(
            n=_about(n_tokens, is_counted), limit=f"{room:,}"
        ),
        QT_TRANSLATE_NOOP("prompt", "Shorten it, or choose a larger context in the inspector."),
    )


def _about(n_tokens: int, is_exact: bool) -> str:
    """The count, after a tilde where it is not exact."""
    return f"{n_tokens:,}" if is_exact else f"~{n_tokens:,}"
