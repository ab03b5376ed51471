"""A loaded model that answers: renders the conversation, reads what is new of it, writes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.core.library import name_of
from app.core.prompt import fit_messages
from app.engine import devices
from app.engine.answer import AnswerStream
from app.engine.context import Context, StoppedError
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag
from app.engine.protocol import (
    Done,
    Event,
    Generate,
    Load,
    Loaded,
    Memory,
    PromptMessage,
    PromptProgress,
)
from app.engine.sampling import SamplerChain
from app.engine.template import FALLBACK_TEMPLATE, ChatTemplate
from app.engine.usage import rss_bytes

Emit = Callable[[Event], None]


class Session:
    """Loads on construction. Raises ModelFileError, EngineError, or PromptError for a template
    that does not compile. `stop` ends the work in hand."""

    def __init__(self, load: Load, log: NativeLog, stop: StopFlag) -> None:
        started = time.perf_counter()
        log.clear()
        self._stop = stop
        self._model = Model(Path(load.path), load.n_gpu_layers, log, lambda _fraction: not stop)
        try:
            self._context = Context(self._model, load, log, stop)
        except BaseException:
            self._model.close()
            raise
        try:
            source = self._model.header.chat_template or FALLBACK_TEMPLATE
            self._template = ChatTemplate(source, self._model.bos_text, self._model.eos_text)
            self._context.warm_up()
        except BaseException:
            self.close()
            raise
        self.loaded = self._describe(load, log, (time.perf_counter() - started) * 1000)

    def close(self) -> None:
        self._context.close()
        self._model.close()

    @property
    def n_threads(self) -> int:
        return self._context.n_threads

    def _describe(self, load: Load, log: NativeLog, load_ms: float) -> Loaded:
        header, context = self._model.header, self._context
        return Loaded(
            path=load.path,
            name=name_of(Path(load.path), header),
            variant=header.variant,
            architecture=header.architecture,
            n_params=self._model.n_params,
            size_bytes=header.file_size_bytes,
            n_ctx=context.n_ctx,
            n_ctx_train=self._model.n_ctx_train,
            n_threads=context.n_threads,
            device=devices.main_device(context.on_gpu),
            flash_attn=context.flash_attn != "off",
            has_chat_template=bool(header.chat_template),
            load_ms=load_ms,
            memory=Memory(
                weights_bytes=log.buffer_bytes("model") or self._model.size_bytes,
                kv_bytes=log.buffer_bytes("KV") + log.buffer_bytes("RS"),
                compute_bytes=log.buffer_bytes("compute") + log.buffer_bytes("output"),
                rss_bytes=rss_bytes(),
            ),
        )

    # --- answering ----------------------------------------------------------------------------

    def generate(self, request: Generate, emit: Emit) -> Done:
        """Answer, emitting Text as it comes. Raises PromptError or EngineError."""
        answer = AnswerStream(request.request_id, emit)
        prompt = fit_messages(request.messages, self._context.n_ctx, self._tokenize)
        sampler = SamplerChain(request.sampling, self._model.n_vocab)
        stop_reason, n_cached = "cancelled", 0
        try:
            sampler.accept_prompt(prompt.tokens)
            n_cached = self._read(prompt.tokens, request.request_id, emit)
            answer.begin(self._prompt_end(prompt.tokens))
            stop_reason = self._write(answer, sampler, request.max_tokens)
        except StoppedError:
            pass
        finally:
            sampler.close()
            self._context.drop_beyond(len(self._context.tokens))
        return Done(
            request_id=request.request_id,
            n_prompt=len(prompt.tokens),
            n_cached=n_cached,
            n_past=len(self._context.tokens),
            n_dropped=prompt.n_dropped,
            stop_reason=stop_reason,
            seed=sampler.seed,
            rss_bytes=rss_bytes(),
            **answer.finish(len(prompt.tokens) - n_cached),
        )

    def _tokenize(self, messages: Sequence[PromptMessage]) -> Sequence[int]:
        return self._model.tokenize_prompt(self._template.render(messages))

    def _prompt_end(self, tokens: Sequence[int]) -> str:
        end = b"".join(self._model.piece(token) for token in tokens[-8:])
        return end.decode("utf-8", "replace")

    def _read(self, tokens: Sequence[int], request_id: int, emit: Emit) -> int:
        """Bring the cache to hold `tokens`; returns how many it held already."""
        n_cached = self._context.keep_prefix(tokens)
        for start in range(n_cached, len(tokens), self._context.n_batch):
            if start > n_cached:
                emit(PromptProgress(request_id, start, len(tokens)))
            self._context.decode(tokens[start : start + self._context.n_batch])
        return n_cached

    def _write(self, answer: AnswerStream, sampler: SamplerChain, max_tokens: int) -> str:
        """Sample and decode until the end; returns the reason it ended."""
        context = self._context
        while not self._stop:
            token = sampler.sample(context.handle)
            if self._model.is_end(token):
                return "stop"
            answer.add(self._model.piece(token), len(context.tokens) + 1)
            if answer.n_generated == max_tokens:
                return "length"
            if len(context.tokens) >= context.n_ctx:
                return "context"
            context.decode([token])
        return "cancelled"

    # --- measuring ----------------------------------------------------------------------------

    def measure_prompt(self, n_tokens: int) -> float:
        """Tokens per second of reading `n_tokens` tokens into an empty cache."""
        return self._measure(n_tokens, self._context.n_batch)

    def measure_decode(self, n_tokens: int) -> float:
        """Tokens per second of writing `n_tokens` tokens from an empty cache."""
        return self._measure(n_tokens, 1)

    def _measure(self, n_tokens: int, n_batch: int) -> float:
        n_tokens = min(n_tokens, self._context.n_ctx)
        self.forget()
        tokens = [(i * 7919 + 13) % self._model.n_vocab for i in range(n_tokens)]
        started = time.perf_counter()
        for start in range(0, n_tokens, n_batch):
            self._context.decode(tokens[start : start + n_batch])
        self._context.synchronize()
        return n_tokens / (time.perf_counter() - started)

    def forget(self) -> None:
        """Empty the cache, so that the next prompt is read from its beginning."""
        self._context.clear()
