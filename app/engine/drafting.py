"""A small model of the same vocabulary that guesses what a larger one will write.

It reads along in a context of its own, as far behind as the last time it was asked, and writes its
likeliest tokens. Source: common/speculative.cpp at the pinned commit, for what has to agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.engine.context import Context
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag, lib
from app.engine.protocol import Load

_MOST_MORE_TOKENS = 128  # by which vocabularies may differ at their end, which holds unused tokens


class DraftModel:
    """Loads on construction, beside `model`, whose context is as `load` says.

    Raises AppError where it cannot be read, or speaks of other tokens.
    """

    hopes = (0.7,)
    observes = False

    def __init__(self, load: Load, model: Model, log: NativeLog, stop: StopFlag) -> None:
        self._model = Model(Path(load.draft_path), load.n_gpu_layers, log, lambda _share: not stop)
        try:
            _check_vocabulary(self._model, model)
            own = msgspec.structs.replace(load, path=load.draft_path, lookup=False)
            self._context = Context(self._model, own, log, stop)
        except BaseException:
            self._model.close()
            raise
        self.token_cost = self._model.size_bytes / max(1, model.size_bytes)
        self._n_common = min(model.n_vocab, self._model.n_vocab)
        self._greedy = lib.llama_sampler_init_greedy()
        self._tokens: list[int] = []

    def begin(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)

    def extend(self, tokens: Iterable[int]) -> None:
        self._tokens.extend(tokens)

    def rank(self) -> int:
        return 0 if len(self._tokens) < self._context.n_ctx else -1

    def guess(self, n_tokens: int) -> Sequence[int]:
        """Raises StoppedError or EngineError."""
        context, guessed = self._context, list[int]()
        n_tokens = min(n_tokens, context.n_ctx - len(self._tokens))
        self._read_along()
        while True:
            token = int(lib.llama_sampler_sample(self._greedy, context.handle, -1))
            if token >= self._n_common:
                return guessed
            guessed.append(token)
            if len(guessed) >= n_tokens or self._model.is_end(token):
                return guessed
            context.decode([token])

    def close(self) -> None:
        if self._greedy is not None:
            lib.llama_sampler_free(self._greedy)
            self._greedy = None
        self._context.close()
        self._model.close()

    def _read_along(self) -> None:
        n_known = self._context.keep_prefix(self._tokens)
        for start in range(n_known, len(self._tokens), self._context.n_batch):
            self._context.decode(self._tokens[start : start + self._context.n_batch])


def _check_vocabulary(draft: Model, model: Model) -> None:
    """Raises EngineError unless both mean the same by every token."""
    n_common = min(draft.n_vocab, model.n_vocab)
    agree = (
        lib.llama_vocab_type(draft.vocab) == lib.llama_vocab_type(model.vocab)
        and abs(draft.n_vocab - model.n_vocab) <= _MOST_MORE_TOKENS
        and lib.llama_vocab_bos(draft.vocab) == lib.llama_vocab_bos(model.vocab)
        and lib.llama_vocab_eos(draft.vocab) == lib.llama_vocab_eos(model.vocab)
        and all(_text(draft, token) == _text(model, token) for token in range(n_common))
    )
    if not agree:
        raise EngineError(
            QT_TRANSLATE_NOOP("engine", "{draft} cannot guess for {model}: other tokens.").fill(
                draft=draft.header.path.name, model=model.header.path.name
            ),
            QT_TRANSLATE_NOOP("engine", "Choose a small model of the same family."),
        )


def _text(model: Model, token: int) -> bytes | None:
    text: bytes | None = lib.llama_vocab_get_text(model.vocab, token)
    return text
