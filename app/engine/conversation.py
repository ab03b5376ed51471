"""Whose conversation the context holds: brought to a prompt with as little reading as there can be,
and kept on disk when it is left.

What the context cannot go back to by itself it finds in another branch, at a checkpoint, or in the
file of a conversation that is opened again; what none of them has is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.engine.context import Context
from app.engine.protocol import PromptMessage
from app.engine.states import States

_PLACE_TOKENS = 4  # before a prompt's end: where the answer begins, a template may differ next time


class ConversationCache:
    """What `context` holds belongs to one conversation; "" is one that nobody comes back to."""

    def __init__(self, context: Context, states: States | None) -> None:
        self._context = context
        self._states = states
        self._conversation = ""
        self._messages: Sequence[PromptMessage] = ()
        self._is_kept = True

    def read(
        self,
        conversation: str,
        messages: Sequence[PromptMessage],
        tokens: Sequence[int],
        on_progress: Callable[[int], None],
    ) -> int:
        """Bring the cache to hold `tokens`, the prompt that `messages` of `conversation` make;
        returns how many it held already. `on_progress` is told how many there are by now.

        Raises StoppedError or EngineError.
        """
        self._turn_to(conversation, tokens)
        fork = bool(self._messages) and not _goes_on(self._messages, messages)
        self._messages = messages if conversation else ()
        self._is_kept = False
        n_cached = self._context.keep_prefix(tokens, fork=fork)
        self._context.keep_place()
        for start, end in self._parts(n_cached, len(tokens)):
            if start > n_cached:
                on_progress(start)
            self._context.decode(tokens[start:end])
            if end < len(tokens):
                self._keep_place(end, len(tokens))
        return n_cached

    def leave(self) -> int:
        """Keep the conversation's cache on disk; returns the file's bytes, 0 where none is new."""
        if self._is_kept or self._states is None or not self._conversation:
            return 0
        self._is_kept = True
        return self._states.save(self._conversation, self._context)

    def forget(self, conversation: str) -> None:
        """Delete what is kept of a conversation that will not come back."""
        if self._conversation == conversation:
            self.empty()
        if self._states is not None:
            self._states.forget(conversation)

    def empty(self) -> None:
        """Hold nothing, so that the next prompt is read from its beginning."""
        self._context.clear()
        self._conversation, self._messages, self._is_kept = "", (), True

    def _turn_to(self, conversation: str, prompt: Sequence[int]) -> None:
        """Another conversation than before: keep that one's cache, and look for this one's."""
        if conversation == self._conversation:
            return
        self.leave()
        self._conversation, self._messages = conversation, ()
        self._context.keep_current()
        if self._states is not None and conversation:
            self._states.restore(conversation, prompt, self._context)

    def _parts(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        """What is read at once: batches, and the end by itself where a checkpoint is before it."""
        place = end - _PLACE_TOKENS
        marks = list(range(start, end, self._context.n_batch))
        if self._context.has_checkpoints and place > start and place not in marks:
            marks = sorted([*marks, place])
        return list(zip(marks, [*marks[1:], end], strict=True))

    def _keep_place(self, n_held: int, n_prompt: int) -> None:
        if n_held == n_prompt - _PLACE_TOKENS:
            self._context.keep_place()


def _goes_on(before: Sequence[PromptMessage], now: Sequence[PromptMessage]) -> bool:
    """Whether `now` is `before` with its answer and more: nothing else will be wanted again.

    A model's thoughts are not repeated to it, so the cache is cut there with every turn.
    """
    n = len(before)
    return len(now) > n and tuple(now[:n]) == tuple(before)
