"""What of a conversation the model sees: a summary, then all from some message on.

Pure functions over the messages of the open branch. What was really left out is known from the
figures of the last answer; until the next one it is predicted by the same rule, `fit_messages`,
from how many characters a token of this conversation holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.chat import AnswerStats, ChatMessage, Role, Summary
from app.core.errors import PromptError
from app.core.prompt import fit_messages, room_for

_CHARS_PER_TOKEN = 4.0  # until an answer has told
_MESSAGE_TOKENS = 6  # what a template writes around a message
_SUMMARY = "Summary of the conversation so far:"


def sent(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """Those that go to the model: not the answers that came to nothing."""
    return tuple(m for m in messages if m.text or m.role is Role.USER)


def n_summarised(messages: Sequence[ChatMessage], summary: Summary | None) -> int:
    """For how many of `sent(messages)` the summary stands; 0 where it is of another branch."""
    places = [m.id for m in messages]
    if summary is None or summary.up_to_message_id not in places:
        return 0
    return len(sent(messages[: places.index(summary.up_to_message_id) + 1]))


def system_text(system_prompt: str, summary: Summary | None) -> str:
    """The system message. The summary is a part of it: there it is never left out, and templates
    without a system role get it with the first question."""
    parts = [system_prompt.strip()]
    if summary is not None:
        parts.append(f"{_SUMMARY}\n{summary.text.strip()}")
    return "\n\n".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Seen:
    """`messages` go to the model after `system`; of them the first `n_dropped` were left out when
    the last answer was written. `n_summarised` are not among them: the summary has them."""

    system: str
    messages: tuple[ChatMessage, ...]
    n_summarised: int
    n_dropped: int


def seen(messages: Sequence[ChatMessage], system_prompt: str, summary: Summary | None) -> Seen:
    """What is sent to have the last of `messages` answered."""
    n = n_summarised(messages, summary)
    system = system_text(system_prompt, summary if n else None)
    rest = sent(messages)[n:]
    last_turn = max((i for i, m in enumerate(rest) if m.role is Role.USER), default=0)
    n_dropped = min(_n_dropped(last_stats(messages), n), last_turn)
    return Seen(system, rest, n, n_dropped)


def last_stats(messages: Sequence[ChatMessage]) -> AnswerStats | None:
    return next((m.stats for m in reversed(messages) if m.stats is not None), None)


def _n_dropped(stats: AnswerStats | None, n: int) -> int:
    """How many after the first `n` were left out. What a summary had that is gone counts again."""
    if stats is None or stats.n_summarised > n:
        return 0
    return max(0, stats.n_summarised + stats.n_dropped - n)


def chars_per_token(messages: Sequence[ChatMessage], system: str) -> float:
    """How many characters a token of this conversation holds, from its last measured prompt."""
    for place in range(len(messages) - 1, -1, -1):
        stats = messages[place].stats
        if stats is not None and stats.n_prompt:
            read = sent(messages[:place])[stats.n_summarised + stats.n_dropped :]
            n_chars = sum(len(m.text) for m in read) + len(system)
            n_tokens = stats.n_prompt - _MESSAGE_TOKENS * (len(read) + 1)
            measured = n_chars / max(n_tokens, 1)
            return min(max(measured, 1.0), 8.0) if n_tokens >= 20 else _CHARS_PER_TOKEN
    return _CHARS_PER_TOKEN


# --- where memory begins ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """The model sees nothing above the message `message_id` but what a summary says of it.

    `is_predicted`: the context's size is another one than that of the last answer.
    """

    message_id: int
    is_predicted: bool = False


def start_of_memory(
    messages: Sequence[ChatMessage],
    system_prompt: str,
    summary: Summary | None,
    n_ctx: int = 0,
    max_tokens: int = 0,
) -> Start | None:
    """Where the model's memory begins; None where it has all. `n_ctx` 0: not known."""
    stats, now = last_stats(messages), seen(messages, system_prompt, summary)
    n_dropped, is_predicted = now.n_dropped, False
    if stats is not None and n_ctx and stats.n_ctx and n_ctx != stats.n_ctx:
        is_predicted = True
        n_dropped = predicted_drop(now, chars_per_token(messages, now.system), n_ctx, max_tokens)
    hidden = now.n_summarised + n_dropped
    if not hidden or n_dropped >= len(now.messages):
        return None
    return Start(now.messages[n_dropped].id, is_predicted)


def predicted_drop(now: Seen, per_token: float, n_ctx: int, max_tokens: int = 0) -> int:
    """How many of `now.messages` will be left out with a context of `n_ctx` tokens."""

    def roughly(messages: Sequence[_Text]) -> Sequence[int]:
        n_chars = sum(len(message.text) for message in messages)
        return range(int(n_chars / per_token) + _MESSAGE_TOKENS * len(messages))

    texts = [_Text("system", now.system)] if now.system else []
    texts += [_Text(m.role.value, m.text) for m in now.messages]
    try:
        fitted = fit_messages(texts, n_ctx, roughly, max_tokens=max_tokens, n_dropped=now.n_dropped)
    except PromptError:
        return now.n_dropped
    return fitted.n_dropped


@dataclass(frozen=True, slots=True)
class _Text:
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What the next question would send: `n_tokens`, of which `room` fit.

    `is_measured`: none of them was estimated. `question_tokens` are those that cannot be left out.
    """

    n_tokens: int
    room: int
    is_measured: bool
    question_tokens: int = 0


def expected(
    messages: Sequence[ChatMessage],
    system_prompt: str,
    summary: Summary | None,
    n_ctx: int,
    max_tokens: int = 0,
    n_typed: int = 0,
) -> Expected:
    """With `n_typed` characters of the question written, and a context of `n_ctx` tokens."""
    now, stats = seen(messages, system_prompt, summary), last_stats(messages)
    per_token = chars_per_token(messages, now.system)

    def roughly(n_chars: int) -> int:
        return int(n_chars / per_token) + _MESSAGE_TOKENS if n_chars else 0

    n_tokens, n_since = _measured(messages)
    is_measured = stats is not None and (stats.n_summarised, stats.n_ctx or n_ctx) == (
        now.n_summarised,
        n_ctx,
    )
    if is_measured:
        fresh = sent(messages[len(messages) - n_since :]) if n_since else ()
    else:
        n_tokens = roughly(len(now.system))
        fresh = now.messages[predicted_drop(now, per_token, n_ctx, max_tokens) :]
    question = roughly(n_typed)
    n_tokens += sum(roughly(len(m.text)) for m in fresh) + question
    is_exact = is_measured and not fresh and not n_typed
    least = question + roughly(len(now.system))
    return Expected(n_tokens, room_for(n_ctx, max_tokens), is_exact, least)


def _measured(messages: Sequence[ChatMessage]) -> tuple[int, int]:
    """The tokens of the last measured answer and its prompt, and how many messages came since.

    What the model thought is not sent again; it is taken off by its share of the characters.
    """
    for n_since, message in enumerate(reversed(messages)):
        stats = message.stats
        if stats is not None:
            whole = len(message.text) + len(message.reasoning)
            share = len(message.text) / whole if whole else 1.0
            return stats.n_prompt + int(stats.n_generated * share), n_since
    return 0, 0


# --- the older part -----------------------------------------------------------------------------


def older_part(messages: Sequence[ChatMessage], summary: Summary | None) -> tuple[ChatMessage, ...]:
    """The messages to summarise, after those that the summary has: what the model no longer sees,
    or the older half where it sees all. The last turn always stays; () where nothing is left."""
    now = seen(messages, "", summary)
    return now.messages[: now.n_dropped or _half(now.messages)]


def _half(messages: Sequence[ChatMessage]) -> int:
    """Where a turn begins that has at least half of the characters before it."""
    starts = [i for i, m in enumerate(messages) if i and m.role is Role.USER]
    half, n_chars, sums = sum(len(m.text) for m in messages) / 2, 0, [0]
    for message in messages:
        n_chars += len(message.text)
        sums.append(n_chars)
    return next((i for i in starts if sums[i] >= half), starts[-1] if starts else 0)
