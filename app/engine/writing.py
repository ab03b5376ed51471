"""Writes an answer token by token, several in one pass where they can be guessed.

The model checks a guess itself: it is kept only as far as it is what the sampler draws from the
model's own logits, so the text and its distribution are those of plain decoding. The sampler draws
once for each token that is written, guessed or not, and so its penalties, its random numbers and a
grammar's state never know of a guess that was wrong.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from app.engine.answer import AnswerStream
from app.engine.context import Context
from app.engine.guessing import Guessing
from app.engine.model import Model
from app.engine.native import StopFlag
from app.engine.sampling import SamplerChain


class Writer:
    """One answer after the prompt that `context` holds. It counts guesses, and those come true."""

    def __init__(
        self,
        model: Model,
        context: Context,
        sampler: SamplerChain,
        stop: StopFlag,
        guessing: Guessing | None = None,
    ) -> None:
        self._model, self._context, self._sampler, self._stop = model, context, sampler, stop
        self._n_prompt = len(context.tokens)
        self._guessing = guessing if guessing and guessing.is_on and context.n_outputs > 1 else None
        if self._guessing is not None:
            self._guessing.begin(context.tokens)
        self.n_guessed = self.n_true = 0

    def write(self, answer: AnswerStream, max_tokens: int) -> str:
        """Until the end; returns the reason it ended. Raises StoppedError or EngineError."""
        self._sampler.is_free = answer.is_before_answer
        with closing(self._draws()) as draws:
            for token in draws:
                if self._model.is_end(token):
                    return "stop"
                n_past = self._n_prompt + answer.n_generated
                answer.add(self._model.piece(token), n_past + 1)
                if answer.is_over:
                    return "stop"
                if answer.n_generated == max_tokens:
                    return "length"
                if n_past >= self._context.n_ctx:
                    return "context"
                if self._stop:
                    break
                self._sampler.is_free = answer.is_before_answer
        return "cancelled"

    def _draws(self) -> Generator[int, None, None]:
        """The tokens as they are drawn; the model reads one when the next is asked for."""
        token = self._sampler.sample(self._context.handle)
        while True:
            yield token
            guesses = self._guesses(token)
            if guesses:
                token = yield from self._check(token, guesses)
            else:
                self._context.decode([token])
                token = self._sampler.sample(self._context.handle)

    def _guesses(self, token: int) -> Sequence[int]:
        if self._guessing is None:
            return ()
        self._guessing.see(token)
        room = self._context.n_ctx - len(self._context.tokens) - 1
        return self._guessing.guess(min(self._context.n_outputs - 1, room))

    def _check(self, token: int, guesses: Sequence[int]) -> Generator[int, None, int]:
        """One pass over `token` and `guesses`; yields what comes true, returns what follows."""
        context = self._context
        n_kept = len(context.tokens) + 1
        context.decode_each([token, *guesses])
        n_true = 0
        try:
            drawn = self._sampler.sample(context.handle, 0)
            while n_true < len(guesses) and drawn == guesses[n_true]:
                yield drawn  # read already; not if nobody wants what follows it
                n_true += 1
                if self._guessing is not None:
                    self._guessing.see(drawn)
                drawn = self._sampler.sample(context.handle, n_true)
        finally:
            context.drop_beyond(n_kept + n_true)
            self.n_guessed += len(guesses)
            self.n_true += n_true
        return drawn
