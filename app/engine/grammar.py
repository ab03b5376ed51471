"""Answers bound to a grammar in GBNF.

A token is drawn first and checked then, as llama.cpp's common_sampler_sample does it: asking the
grammar about every token of the vocabulary costs more than the model does. Only tokens that the
grammar allows are ever accepted, because libllama throws over any other and ends the process.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from math import isfinite
from typing import Any

from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.engine.native import lib
from app.engine.numbers import broken

_MAX_CHARS = 1_000_000
_MAX_NESTING = 500
_BRACKETS = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*|[()]')  # or what hides one


class Grammar:
    """A grammar's state in one answer. Raises EngineError where it does not parse."""

    def __init__(
        self,
        source: str,
        vocab: Any,
        n_vocab: int,
        opens_reasoning: Callable[[int], bool] = lambda _token: False,
    ) -> None:
        self._n_vocab = n_vocab
        self._opens_reasoning = opens_reasoning
        self.has_begun = False
        self._table: Any = None
        self._sampler = lib.llama_sampler_init_grammar(vocab, _checked(source), b"root")
        if not self._sampler:
            raise mistake()

    def close(self) -> None:
        lib.llama_sampler_free(self._sampler)

    def sample(self, chain: Any, context: Any, position: int) -> int:
        """Draws with `chain`, among all tokens or else among those allowed; both accept it.

        A first token that opens the model's reasoning is left to it: the grammar begins after it.
        """
        logits = lib.llama_get_logits_ith(context, position)
        token = self._draw(chain, logits, constrained=False)
        if not isfinite(logits[token]):
            raise broken()
        if not self.has_begun and self._opens_reasoning(token):
            lib.llama_sampler_accept(chain, token)
            return token
        self.has_begun = True
        if not self._allows(token):
            token = self._draw(chain, logits, constrained=True)
        lib.llama_sampler_accept(self._sampler, token)
        lib.llama_sampler_accept(chain, token)
        return token

    def _draw(self, chain: Any, logits: Any, *, constrained: bool) -> int:
        table = self._candidates(logits)
        candidates = (lib.llama_token_data * self._n_vocab).from_buffer(table)
        array = lib.llama_token_data_array(candidates, self._n_vocab, -1, False)
        if constrained:
            lib.llama_sampler_apply(self._sampler, ctypes.byref(array))
            if not (table["logit"] > float("-inf")).any():
                raise EngineError(
                    QT_TRANSLATE_NOOP("engine", "The model cannot follow the grammar any further."),
                    QT_TRANSLATE_NOOP("engine", "Loosen the grammar, or answer without one."),
                )
        lib.llama_sampler_apply(chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _allows(self, token: int) -> bool:
        one = (lib.llama_token_data * 1)((token, 1.0, 0.0))
        array = lib.llama_token_data_array(one, 1, -1, False)
        lib.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return bool(one[0].logit > float("-inf"))

    def _candidates(self, logits: Any) -> Any:
        """Every token with its logit, laid out as llama_token_data: numpy, as there are many."""
        import numpy as np  # only answers with a grammar need it, and its import takes 0.2 s

        if self._table is None:
            layout = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
            self._table = np.empty(self._n_vocab, layout)
            self._ids = np.arange(self._n_vocab)
        self._table["id"] = self._ids  # samplers sort the table
        self._table["logit"] = np.ctypeslib.as_array(logits, (self._n_vocab,))
        self._table["p"] = 0
        return self._table


def _checked(source: str) -> bytes:
    """Raises EngineError for what llama.cpp's parser is not to see."""
    if len(source) > _MAX_CHARS or "\0" in source or _nesting(source) > _MAX_NESTING:
        raise mistake()
    return source.encode("utf-8", "replace")


def _nesting(source: str) -> int:
    """How deep groups lie in each other: llama.cpp's parser calls itself for each, until its stack
    is full and the process ends."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(source):
        depth += {"(": 1, ")": -1}.get(bracket, 0)
        deepest = max(deepest, depth)
    return deepest


def mistake() -> EngineError:
    return EngineError(
        QT_TRANSLATE_NOOP("engine", "The grammar for the answer has a mistake."),
        QT_TRANSLATE_NOOP("engine", "Correct it, or answer without one."),
    )
