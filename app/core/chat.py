"""The conversation tree: what was said, by whom, and which branch is being read.

Messages form a tree by `parent_id`; a conversation is read along the path from its root to
`head_id`. Regenerating or editing adds a sibling and moves the head; nothing is ever overwritten.
Pure data and functions; `app.core.store` keeps it on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Status(StrEnum):
    """How far an answer got. A message of the user is always DONE."""

    PARTIAL = "partial"  # being written, or cut off by a crash of the whole program
    DONE = "done"
    STOPPED = "stopped"  # by the user
    FAILED = "failed"  # by the engine; `error` says why


@dataclass(frozen=True, slots=True)
class AnswerStats:
    """Measured while answering. Times in milliseconds, speed in tokens per second.

    Of the messages before the answer, the first `n_summarised` went to the model as a summary, and
    the `n_dropped` after those not at all. `n_ctx`: the context's size then, 0 where not noted.
    `n_guessed` tokens were guessed ahead, `n_true` of them rightly.
    """

    n_prompt: int
    n_cached: int
    n_generated: int
    tps: float
    ttft_ms: float
    thought_ms: float
    stop_reason: str
    seed: int
    n_dropped: int = 0
    n_summarised: int = 0
    n_ctx: int = 0
    n_guessed: int = 0
    n_true: int = 0


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn. Ids grow with time; times are Unix seconds."""

    id: int
    conversation_id: int
    parent_id: int | None
    role: Role
    text: str
    created_at: float
    reasoning: str = ""
    status: Status = Status.DONE
    error: str = ""
    model_name: str = ""
    variant: str = ""
    stats: AnswerStats | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the list shows. `head_id` is the leaf of the branch being read."""

    id: int
    title: str
    created_at: float
    updated_at: float
    head_id: int | None = None
    system_prompt: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the model reads in place of the messages of a branch up to `up_to_message_id`."""

    id: int
    conversation_id: int
    up_to_message_id: int
    text: str
    n_messages: int
    created_at: float


@dataclass(frozen=True, slots=True)
class OpenConversation:
    """A conversation with the messages of the branch being read, oldest first.

    `branches` gives, for each message that has siblings, its place among them and their ids.
    `summary` is the one of this branch that reaches furthest.
    """

    conversation: Conversation
    messages: tuple[ChatMessage, ...]
    branches: Mapping[int, tuple[int, ...]]
    summary: Summary | None = None


def path_to(head_id: int | None, messages: Mapping[int, ChatMessage]) -> tuple[ChatMessage, ...]:
    """The messages from the root to `head_id`. A broken or looping parent ends the path."""
    path: list[ChatMessage] = []
    seen: set[int] = set()
    message = messages.get(head_id) if head_id is not None else None
    while message is not None and message.id not in seen:
        seen.add(message.id)
        path.append(message)
        message = messages.get(message.parent_id) if message.parent_id is not None else None
    return tuple(reversed(path))


def siblings(messages: Iterable[ChatMessage]) -> dict[int, tuple[int, ...]]:
    """For every message with siblings: the ids of all of them, itself included, oldest first."""
    groups: dict[int | None, list[int]] = {}
    for message in messages:
        groups.setdefault(message.parent_id, []).append(message.id)
    return {
        message_id: tuple(sorted(group))
        for group in groups.values()
        if len(group) > 1
        for message_id in group
    }


def latest_leaf(message_id: int, messages: Iterable[ChatMessage]) -> int:
    """The newest leaf under `message_id`: where reading goes on after a branch switch."""
    newest_child: dict[int, int] = {}
    for message in messages:
        if message.parent_id is not None:
            newest_child[message.parent_id] = max(
                message.id, newest_child.get(message.parent_id, message.id)
            )
    leaf = message_id
    while leaf in newest_child and newest_child[leaf] > leaf:
        leaf = newest_child[leaf]
    return leaf


def furthest(summaries: Iterable[Summary], messages: Sequence[ChatMessage]) -> Summary | None:
    """The summary that stands for most of `messages`; of equal ones the newest."""
    places = {message.id: place for place, message in enumerate(messages)}
    here = [summary for summary in summaries if summary.up_to_message_id in places]
    return max(here, key=lambda each: (places[each.up_to_message_id], each.id), default=None)


def can_go_on(answer: ChatMessage) -> bool:
    """Whether an answer ended before its end, in a place where the model can take it up: not in
    or after thoughts, which templates do not let it begin with."""
    if answer.role is not Role.ASSISTANT or not answer.text or answer.reasoning:
        return False
    stats = answer.stats
    if answer.status is not Status.DONE:
        return answer.status in (Status.STOPPED, Status.PARTIAL)
    if stats is None or stats.stop_reason != "context":
        return stats is not None and stats.stop_reason == "length"
    return stats.n_generated <= stats.n_ctx // 2  # else it would not even fit with its question


def title_from(text: str, limit: int = 48) -> str:
    """A title from the first words of a message, cut at a word where possible."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[:limit]
    head, _, _ = cut.rpartition(" ")
    return (head if len(head) > limit // 2 else cut).rstrip(" ,.;:") + "…"
