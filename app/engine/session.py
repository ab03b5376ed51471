"""A model with its context: keeps what it has read, reads the rest, writes the answer.

The KV cache always holds exactly `_tokens`; whatever the next prompt shares with them is kept, and
after a stop or a failure everything beyond the last known position is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.core.prompt import fit_messages
from app.engine import devices
from app.engine.answer import AnswerStream
from app.engine.model import Model, NativeLog, is_out_of_memory, out_of_memory
from app.engine.native import ABORTED, NO_KV_SLOT, StopFlag, lib
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

_KV_TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0, "q4_0": lib.GGML_TYPE_Q4_0}
_FLASH_ATTN = {"off": 0, "on": 1, "auto": -1}
Emit = Callable[[Event], None]


class Stopped(Exception):
    """The user asked to stop: an outcome, not an error."""


class Session:
    """Loads on construction. Raises ModelFileError or EngineError; `stop` ends the work in hand."""

    def __init__(self, load: Load, log: NativeLog, stop: StopFlag) -> None:
        started = time.perf_counter()
        self._stop = stop
        self._log = log
        log.clear()
        self.model = Model(Path(load.path), load.n_gpu_layers, log, lambda _fraction: not stop)
        self._context = None
        try:
            self._open_context(load)
            self._template = self._chat_template()
            self._warm_up()
        except BaseException:
            self.close()
            raise
        self._tokens: list[int] = []
        self.loaded = self._describe(load, (time.perf_counter() - started) * 1000)

    # --- loading ------------------------------------------------------------------------------

    def _open_context(self, load: Load) -> None:
        params = lib.llama_context_default_params()
        self.n_threads = load.n_threads or devices.default_threads()
        self.on_gpu = load.n_gpu_layers != 0 and devices.has_gpu()
        params.n_ctx = min(load.n_ctx, self.model.n_ctx_train or load.n_ctx)
        params.n_batch = 512
        params.n_ubatch = n_ubatch_for(self.model.n_params, self.on_gpu)
        params.n_threads = params.n_threads_batch = self.n_threads
        params.type_k = params.type_v = _KV_TYPES[load.kv_type]
        self.flash_attn = flash_attn_for(load, self.on_gpu)
        params.flash_attn_type = _FLASH_ATTN[self.flash_attn]
        params.swa_full = False
        params.n_seq_max = params.n_outputs_max = 1
        params.abort_callback, params.abort_callback_data = self._stop.callback, self._stop.data
        self._context = lib.llama_init_from_model(self.model.handle, params)
        if not self._context:
            raise self._context_error()
        self._memory = lib.llama_get_memory(self._context)
        self.n_ctx = int(lib.llama_n_ctx(self._context))
        self._n_batch = int(lib.llama_n_batch(self._context))

    def _context_error(self) -> EngineError:
        log = self._log.errors()
        if is_out_of_memory(log):
            return out_of_memory(log)
        return EngineError(
            QT_TRANSLATE_NOOP("engine", "The model was read, but its context could not be made."),
            QT_TRANSLATE_NOOP("engine", "Choose a smaller context, or the context precision f16."),
            log,
        )

    def _chat_template(self) -> ChatTemplate:
        source = self.model.header.chat_template or FALLBACK_TEMPLATE
        return ChatTemplate(source, self.model.bos_text, self.model.eos_text)

    def _warm_up(self) -> None:
        """One token through the whole model, so that the first answer need not wait for the disk."""
        lib.llama_set_warmup(self._context, True)
        self._decode([max(self.model.bos, 0)])
        lib.llama_memory_clear(self._memory, True)
        lib.llama_set_warmup(self._context, False)

    def _describe(self, load: Load, load_ms: float) -> Loaded:
        header = self.model.header
        return Loaded(
            path=load.path,
            name=header.name or Path(load.path).stem,
            variant=header.variant,
            architecture=header.architecture,
            n_params=self.model.n_params,
            size_bytes=header.file_size_bytes,
            n_ctx=self.n_ctx,
            n_ctx_train=self.model.n_ctx_train,
            n_threads=self.n_threads,
            device=devices.main_device(self.on_gpu),
            flash_attn=self.flash_attn != "off",
            has_chat_template=bool(header.chat_template),
            load_ms=load_ms,
            memory=Memory(
                weights_bytes=self.model.size_bytes,
                kv_bytes=self._log.buffer_bytes("KV"),
                compute_bytes=self._log.buffer_bytes("compute")
                + self._log.buffer_bytes("output"),
                rss_bytes=rss_bytes(),
            ),
        )

    def close(self) -> None:
        if self._context:
            lib.llama_free(self._context)
            self._context = None
        self.model.close()

    # --- answering ----------------------------------------------------------------------------

    def generate(self, request: Generate, emit: Emit) -> Done:
        """Answer, emitting Text as it comes. Raises PromptError or EngineError."""
        answer = AnswerStream(request.request_id, emit)
        prompt = fit_messages(request.messages, self.n_ctx, self._tokenize_messages)
        sampler = SamplerChain(request.sampling)
        stop_reason, n_cached = "cancelled", 0
        try:
            sampler.accept_prompt(prompt.tokens)
            n_cached = self._read(prompt.tokens, request.request_id, emit)
            answer.begin(self._prompt_end(prompt.tokens))
            stop_reason = self._write(answer, sampler, request.max_tokens)
        except Stopped:
            pass
        finally:
            sampler.close()
            self._drop_beyond(len(self._tokens))
        return Done(
            request_id=request.request_id,
            n_prompt=len(prompt.tokens),
            n_cached=n_cached,
            n_past=len(self._tokens),
            n_dropped=prompt.n_dropped,
            stop_reason=stop_reason,
            seed=sampler.seed,
            rss_bytes=rss_bytes(),
            **answer.finish(len(prompt.tokens) - n_cached),
        )

    def _tokenize_messages(self, messages: Sequence[PromptMessage]) -> Sequence[int]:
        return self.model.tokenize_prompt(self._template.render(messages))

    def _prompt_end(self, tokens: Sequence[int]) -> str:
        end = b"".join(self.model.piece(token) for token in tokens[-8:])
        return end.decode("utf-8", "replace")

    def _read(self, tokens: Sequence[int], request_id: int, emit: Emit) -> int:
        """Bring the cache to hold `tokens`; returns how many it held already."""
        n_cached = self._keep_prefix(tokens)
        for start in range(n_cached, len(tokens), self._n_batch):
            if start > n_cached:
                emit(PromptProgress(request_id, start, len(tokens)))
            part = list(tokens[start : start + self._n_batch])
            self._decode(part)
            self._tokens += part
        return n_cached

    def _keep_prefix(self, tokens: Sequence[int]) -> int:
        n = common_prefix(self._tokens, tokens[:-1])
        if n < len(self._tokens) and not self._can_rewind(n):
            n = 0
        self._drop_beyond(n)
        return len(self._tokens)

    def _can_rewind(self, n_keep: int) -> bool:
        """Whether a sliding window still holds what position `n_keep` looks back on."""
        if not self.model.n_swa:
            return True
        oldest = int(lib.llama_memory_seq_pos_min(self._memory, 0))
        return oldest <= max(0, n_keep - self.model.n_swa)

    def _drop_beyond(self, n_keep: int) -> None:
        """Make the cache hold exactly the first `n_keep` tokens, or nothing where it cannot."""
        del self._tokens[n_keep:]
        if not lib.llama_memory_seq_rm(self._memory, 0, n_keep, -1):
            lib.llama_memory_clear(self._memory, True)
            self._tokens.clear()

    def _write(self, answer: AnswerStream, sampler: SamplerChain, max_tokens: int) -> str:
        """Sample and decode until the end; returns the reason it ended."""
        while not self._stop:
            token = sampler.sample(self._context)
            if self.model.is_end(token):
                return "stop"
            answer.add(self.model.piece(token), len(self._tokens) + 1)
            if answer.n_generated == max_tokens:
                return "length"
            if len(self._tokens) >= self.n_ctx:
                return "context"
            self._decode([token])
            self._tokens.append(token)
        return "cancelled"

    def _decode(self, tokens: list[int]) -> None:
        """One llama_decode; logits of the last position only. Raises Stopped or EngineError."""
        array = (lib.llama_token * len(tokens))(*tokens)
        result = lib.llama_decode(self._context, lib.llama_batch_get_one(array, len(tokens)))
        if result == 0:
            return
        if result == ABORTED or self._stop:
            raise Stopped
        if result == NO_KV_SLOT:
            raise EngineError(
                QT_TRANSLATE_NOOP("engine", "The context is full."),
                QT_TRANSLATE_NOOP("engine", "Choose a larger context, or start a new conversation."),
            )
        raise EngineError(
            QT_TRANSLATE_NOOP("engine", "The model could not go on (code {code}).").fill(
                code=result
            ),
            QT_TRANSLATE_NOOP("engine", "Try again. If it comes back, choose another model."),
            self._log.errors(),
        )

    # --- measuring ----------------------------------------------------------------------------

    def measure_prompt(self, n_tokens: int) -> float:
        """Tokens per second of reading `n_tokens` tokens into an empty cache."""
        self.forget()
        tokens = self._arbitrary_tokens(n_tokens)
        started = time.perf_counter()
        for start in range(0, n_tokens, self._n_batch):
            self._decode(tokens[start : start + self._n_batch])
        lib.llama_synchronize(self._context)
        return n_tokens / (time.perf_counter() - started)

    def measure_decode(self, n_tokens: int) -> float:
        """Tokens per second of writing `n_tokens` tokens from an empty cache."""
        self.forget()
        tokens = self._arbitrary_tokens(n_tokens)
        started = time.perf_counter()
        for token in tokens:
            self._decode([token])
        lib.llama_synchronize(self._context)
        return n_tokens / (time.perf_counter() - started)

    def forget(self) -> None:
        """Empty the cache, so that the next prompt is read from its beginning."""
        lib.llama_memory_clear(self._memory, True)
        self._tokens.clear()

    def _arbitrary_tokens(self, n: int) -> list[int]:
        return [(i * 7919 + 13) % self.model.n_vocab for i in range(n)]


def common_prefix(old: Sequence[int], new: Sequence[int]) -> int:
    """How many leading tokens the two share."""
    n = min(len(old), len(new))
    return next((i for i in range(n) if old[i] != new[i]), n)


def n_ubatch_for(n_params: int, on_gpu: bool) -> int:
    """Tokens computed in one graph. Stop is noticed between the nodes of a graph, so a node must
    stay short: large models, and GPUs (which look only between graphs), get small ones."""
    return 128 if on_gpu or n_params > 1_000_000_000 else 512


def flash_attn_for(load: Load, on_gpu: bool) -> str:
    """Off on the CPU with an f16 cache, where it slows decoding; a quantized V cache needs it."""
    if load.flash_attn != "auto":
        return load.flash_attn
    if load.kv_type != "f16":
        return "on"
    return "auto" if on_gpu else "off"

