"""How the older part of a conversation becomes a summary: what the model is asked, step by step.

Where the part does not fit the context it is summarised in chunks of whole messages, and then the
summaries together. Pure: whoever runs the model asks for `step` and gives `take` what it wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.chat import ChatMessage, Role, Summary

_FRAME_TOKENS = 160  # of the instruction, and of what the template writes around it
_LEAST_CHARS = 200  # of text in one step; less than this says nothing
_MAX_TOKENS, _MIN_TOKENS = 400, 48  # of a summary
_WORDS_PER_TOKEN = 0.6
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "”", '."', ")", ":", ";")

_FIRST = (
    "Here is a part of a conversation between a user and an assistant.\n\n"
    "<conversation>\n{text}\n</conversation>\n\n"
    "Write a summary that takes the place of this part when the conversation goes on. Keep names, "
    "numbers, decisions, what the user wants, and what is still open. Use the language of the "
    "conversation. Write at most {n} words, and nothing but the summary."
)
_JOIN = (
    "Here are summaries of the parts of one conversation between a user and an assistant, in "
    "order.\n\n<summaries>\n{text}\n</summaries>\n\n"
    "Write one summary of all of them. Keep names, numbers, decisions, what the user wants, and "
    "what is still open. Use their language. Write at most {n} words, and nothing but the summary."
)


@dataclass(frozen=True, slots=True)
class Step:
    """One question to the model: number `n` of `n_steps`. `joins`: it puts summaries together."""

    question: str
    max_tokens: int
    n: int
    n_steps: int
    joins: bool


class Summarising:
    """Summarises `pieces` in a context of `n_ctx` tokens that hold `per_token` characters each.

    `text` is the summary, once `step` is None.
    """

    def __init__(self, pieces: Sequence[str], n_ctx: int, per_token: float) -> None:
        self._max_tokens = max(_MIN_TOKENS, min(_MAX_TOKENS, n_ctx // 8))
        n_tokens = n_ctx - self._max_tokens - _FRAME_TOKENS
        self._n_chars = max(_LEAST_CHARS, int(n_tokens * per_token * 0.8))
        self._joins = False
        self._done: list[str] = []
        self._chunks = self._cut(pieces)
        self.text = ""

    @property
    def step(self) -> Step | None:
        if self.text or not self._chunks:
            return None
        n_words = int(self._max_tokens * _WORDS_PER_TOKEN) // 10 * 10
        question = (_JOIN if self._joins else _FIRST).format(
            text="\n\n".join(self._chunks[len(self._done)]), n=max(n_words, 20)
        )
        n = len(self._done) + 1
        return Step(question, self._max_tokens, n, len(self._chunks), self._joins)

    def take(self, summary: str) -> None:
        """What the model wrote for `step`."""
        self._done.append(summary.strip())
        if len(self._done) < len(self._chunks):
            return
        if len(self._done) == 1:
            self.text = self._done[0]
            return
        self._chunks, self._done, self._joins = self._cut(self._done), [], True

    def _cut(self, pieces: Sequence[str]) -> list[list[str]]:
        """Whole pieces in chunks that fit; two at least in each, so that it comes to an end."""
        chunks: list[list[str]] = []
        room = 0
        for piece in (shortened(piece, (self._n_chars - 2) // 2) for piece in pieces):
            if not chunks or len(piece) + 2 > room:
                chunks.append([])
                room = self._n_chars + 2
            chunks[-1].append(piece)
            room -= len(piece) + 2
        return chunks


def pieces_of(messages: Sequence[ChatMessage], before: Summary | None) -> list[str]:
    """The messages as they are read for a summary, after the summary of what was `before`."""
    names = {Role.USER: "User", Role.ASSISTANT: "Assistant", Role.SYSTEM: "System"}
    first = [f"Earlier: {before.text}"] if before is not None else []
    return first + [f"{names[message.role]}: {message.text.strip()}" for message in messages]


def shortened(text: str, n_chars: int) -> str:
    """`text` in at most `n_chars` characters: its beginning and its end, where it is longer."""
    mark = "\n[…]\n"
    if len(text) <= n_chars:
        return text
    half = max(1, (n_chars - len(mark)) // 2)
    return f"{text[:half]}{mark}{text[-half:]}"


def whole_sentences(text: str) -> str:
    """`text`, which was cut off somewhere, up to its last whole sentence, if that is most of it."""
    text = text.rstrip()
    end = max(text.rfind(mark) + len(mark) for mark in (". ", ".\n", "! ", "? ", "。"))
    if text.endswith(_SENTENCE_ENDS) or end <= len(text) // 2:
        return text
    return text[:end].rstrip()
