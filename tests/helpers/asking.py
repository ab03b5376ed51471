"""Short ways to ask a BlockingEngine."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from app.engine.client import BlockingEngine
from app.engine.protocol import Done, Generate, PromptMessage, Sampling, Text

GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0)
_ids = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    text: str
    frames: list[Text]
    done: Done


def messages(*texts: str) -> tuple[PromptMessage, ...]:
    """A dialogue: user, assistant, user …"""
    return tuple(PromptMessage(("user", "assistant")[i % 2], text) for i, text in enumerate(texts))


def request(
    *texts: str,
    max_tokens: int = 32,
    sampling: Sampling = GREEDY,
    stop: tuple[str, ...] = (),
    conversation: str = "",
) -> Generate:
    return Generate(next(_ids), messages(*texts), sampling, max_tokens, stop, conversation)


def ask(engine: BlockingEngine, command: Generate) -> Answer:
    """Ask and wait. Raises AppError."""
    engine.send(command)
    return wait(engine)


def wait(engine: BlockingEngine) -> Answer:
    frames: list[Text] = []
    while True:
        event = engine.next_event()
        if isinstance(event, Text):
            frames.append(event)
        if isinstance(event, Done):
            return Answer("".join(frame.text for frame in frames), frames, event)
