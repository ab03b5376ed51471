"""A loaded model that answers: renders the conversation, reads what is new of it, writes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from app.core.library import name_of
from app.core.prompt import fit_messages
from app.engine import devices
from app.engine.answer import AnswerStream
from app.engine.chatformat import ChatFormat
from app.engine.context import Context, StoppedError
from app.engine.conversation import ConversationCache
from app.engine.defaults import sampling_defaults
from app.engine.guessers import guessing_for
from app.engine.guessing import Guessing
from app.engine.loading import Opened, open_model
from app.engine.model import Model, NativeLog
from app.engine.native import LLAMA_CPP_VERSION, StopFlag
from app.engine.numbers import check_all
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
from app.engine.states import States
from app.engine.turns import chat_template, turns_of
from app.engine.usage import rss_bytes
from app.engine.writing import Writer

Emit = Callable[[Event], None]
_HEADER_TOKENS = 24  # enough for the longest beginning of an answer that a template writes


class Session:
    """Loads on construction. Raises ModelFileError, EngineError, or PromptError for a template
    that does not compile. `stop` ends the work in hand."""

    def __init__(self, load: Load, log: NativeLog, stop: StopFlag) -> None:
        started = time.perf_counter()
        log.clear()
        self._stop = stop
        self._guessing: Guessing | None = None
        opened = open_model(load, log, stop)
        self._model, self._context, load = opened.model, opened.context, opened.load
        try:
            source = chat_template(self._model.header)
            self._format = ChatFormat(source, self._model.bos_text, self._model.eos_text)
            self._turns = turns_of(self._format, self._model)
            self._model.mark(self._turns.ends, self._turns.inner, self._turns.shown)
            self._context.warm_up()
            check_all(self._context.handle, self._model.n_vocab)
            self._guessing, unused = guessing_for(load, self._model, self._context, log, stop)
        except BaseException:
            self.close()
            raise
        self._cache = ConversationCache(
            self._context, _states(load, self._model, source, self._context)
        )
        opened = replace(opened, notice=opened.notice or unused)
        self.loaded = self._describe(opened, log, (time.perf_counter() - started) * 1000)

    def leave(self) -> int:
        """Keep the cache of the conversation that was answered last; returns the file's bytes."""
        return self._cache.leave()

    def close(self) -> None:
        if self._guessing is not None:
            self._guessing.close()
        self._context.close()
        self._model.close()

    @property
    def model(self) -> Model:
        return self._model

    @property
    def context(self) -> Context:
        return self._context

    def _describe(self, opened: Opened, log: NativeLog, load_ms: float) -> Loaded:
        header, context, load = self._model.header, self._context, opened.load
        return Loaded(
            kv_type=load.kv_type,
            n_gpu_layers=load.n_gpu_layers,
            n_smaller=opened.n_smaller,
            notice=opened.notice,
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
            has_chat_template=bool(chat_template(header)),
            can_think=self._format.can_think,
            sampling=sampling_defaults(header),
            load_ms=load_ms,
            memory=Memory(
                weights_bytes=log.buffer_bytes("model") or self._model.size_bytes,
                kv_bytes=log.buffer_bytes("KV") + log.buffer_bytes("RS"),
                compute_bytes=log.buffer_bytes("compute") + context.output_bytes,
                rss_bytes=rss_bytes(),
            ),
        )

    # --- answering ----------------------------------------------------------------------------

    def generate(self, request: Generate, emit: Emit) -> Done:
        """Answer, emitting Text as it comes. Raises PromptError or EngineError."""
        stops = (*request.stop, *self._turns.stops)
        answer = AnswerStream(request.request_id, emit, stops, self._format.style)
        prompt = fit_messages(
            request.messages,
            self._context.n_ctx,
            lambda messages: self._tokenize(messages, request.thinking, request.begun),
            max_tokens=request.max_tokens,
            n_dropped=request.n_dropped,
            overflow=request.overflow,
        )
        sampler = SamplerChain(
            request.sampling,
            self._model.vocab,
            self._model.n_vocab,
            self._turns.shown.__contains__,
        )
        stop_reason, n_cached, writer = "cancelled", 0, None
        try:
            sampler.accept_prompt(prompt.tokens)
            n_cached = self._read(request, prompt.tokens, emit)
            answer.begin(self._prompt_end(prompt.tokens))
            writer = self._writer(sampler)
            stop_reason = writer.write(answer, request.max_tokens)
        except StoppedError:
            pass
        finally:
            sampler.close()
            self._context.drop_beyond(len(self._context.tokens))
        return Done(
            n_guessed=writer.n_guessed if writer else 0,
            n_true=writer.n_true if writer else 0,
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

    def _writer(self, sampler: SamplerChain) -> Writer:
        return Writer(self._model, self._context, sampler, self._stop, self._guessing)

    def _tokenize(
        self, messages: Sequence[PromptMessage], thinking: bool | None = None, begun: str = ""
    ) -> Sequence[int]:
        return self._model.tokenize_prompt(self._format.render(messages, thinking) + begun)

    def _prompt_end(self, tokens: Sequence[int]) -> str:
        end = b"".join(self._model.piece(token) for token in tokens[-_HEADER_TOKENS:])
        return end.decode("utf-8", "replace")

    def _read(self, request: Generate, tokens: Sequence[int], emit: Emit) -> int:
        """Bring the cache to hold `tokens`; returns how many it held already."""

        def on_progress(n_done: int) -> None:
            emit(PromptProgress(request.request_id, n_done, len(tokens)))

        return self._cache.read(request.conversation, request.messages, tokens, on_progress)

    def empty(self) -> None:
        """Empty the cache, so that the next prompt is read from its beginning."""
        self._cache.empty()

    def forget(self, conversation: str) -> None:
        """Delete what is kept of a conversation that will not come back."""
        self._cache.forget(conversation)


def _states(load: Load, model: Model, template: str, context: Context) -> States | None:
    if not load.states_folder:
        return None
    owner = (
        load.sha256 or model.fingerprint,
        template,
        load.kv_type,
        context.flash_attn,
        LLAMA_CPP_VERSION,
    )
    return States(Path(load.states_folder), "\0".join(owner), load.states_limit_bytes)
