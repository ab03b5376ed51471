"""A llama.cpp context: the KV cache, which always holds exactly `tokens`, and decoding into it.

Source: include/llama.h and src/llama-context.cpp at the pinned commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.core import running
from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.engine import devices
from app.engine.model import Model, NativeLog, is_out_of_memory, out_of_memory
from app.engine.native import ABORTED, NO_KV_SLOT, StopFlag, lib
from app.engine.protocol import Load

_KV_TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0, "q4_0": lib.GGML_TYPE_Q4_0}
_FLASH_ATTN = {"off": 0, "on": 1, "auto": -1}


class StoppedError(Exception):
    """The user asked to stop: an outcome, which the worker turns into an answer that ends here."""


class Context:
    """One sequence in one context. `stop` ends a running decode between two graph nodes.

    Raises EngineError when it cannot be made.
    """

    def __init__(self, model: Model, load: Load, log: NativeLog, stop: StopFlag) -> None:
        self._model = model
        self._log = log
        self._stop = stop
        self.n_threads = load.n_threads or devices.default_threads()
        self.on_gpu = load.n_gpu_layers != 0 and devices.has_gpu()
        self.flash_attn = running.flash_attn_for(load.flash_attn, load.kv_type, self.on_gpu)
        params = self._params(load)
        self.handle = lib.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise _context_error(log.errors())
        self._memory = lib.llama_get_memory(self.handle)
        self.n_ctx = int(lib.llama_n_ctx(self.handle))
        self.n_batch = int(lib.llama_n_batch(self.handle))
        self.tokens: list[int] = []

    def _params(self, load: Load) -> object:
        params = lib.llama_context_default_params()
        params.n_ctx = running.n_ctx_for(load.n_ctx, self._model.n_ctx_train)
        params.n_batch = running.N_BATCH
        params.n_ubatch = running.n_ubatch_for(self._model.n_params, self.on_gpu)
        params.n_threads = params.n_threads_batch = self.n_threads
        params.type_k = params.type_v = _KV_TYPES[load.kv_type]
        params.flash_attn_type = _FLASH_ATTN[self.flash_attn]
        params.swa_full = False
        # Never ask for more outputs than this: llama.cpp aborts.
        params.n_seq_max = params.n_outputs_max = 1
        params.abort_callback, params.abort_callback_data = self._stop.callback, self._stop.data
        return params

    def close(self) -> None:
        if self.handle:
            lib.llama_free(self.handle)
            self.handle = None

    def warm_up(self) -> None:
        """One token through all weights, so that the first answer need not wait for the disk."""
        lib.llama_set_warmup(self.handle, True)
        self.decode([max(self._model.bos, 0)])
        self.clear()
        lib.llama_set_warmup(self.handle, False)

    def clear(self) -> None:
        lib.llama_memory_clear(self._memory, True)
        self.tokens.clear()

    def keep_prefix(self, tokens: Sequence[int]) -> int:
        """Drop what is not a prefix of `tokens`, and the last token always, whose logits are
        needed. Returns how many tokens are kept."""
        n = common_prefix(self.tokens, tokens[:-1])
        if n < len(self.tokens) and not self._can_rewind(n):
            n = 0
        self.drop_beyond(n)
        return len(self.tokens)

    def _can_rewind(self, n_keep: int) -> bool:
        """Whether a sliding window still holds what position `n_keep` looks back on."""
        if not self._model.n_swa:
            return True
        oldest = int(lib.llama_memory_seq_pos_min(self._memory, 0))
        return oldest <= max(0, n_keep - self._model.n_swa)

    def drop_beyond(self, n_keep: int) -> None:
        """Hold the first `n_keep` tokens only, or nothing where the cache cannot be cut."""
        del self.tokens[n_keep:]
        if not lib.llama_memory_seq_rm(self._memory, 0, n_keep, -1):
            self.clear()

    def decode(self, tokens: Sequence[int]) -> None:
        """Read `tokens`, n_batch at most, at the end of the cache; logits of the last one only.

        Raises StoppedError, after which the cache may hold a part of them, or EngineError.
        """
        array = (lib.llama_token * len(tokens))(*tokens)
        result = lib.llama_decode(self.handle, lib.llama_batch_get_one(array, len(tokens)))
        if result == 0:
            self.tokens += tokens
            return
        if result == ABORTED or self._stop:
            raise StoppedError
        raise _decode_error(result, self._log.errors())

    def synchronize(self) -> None:
        lib.llama_synchronize(self.handle)


def common_prefix(old: Sequence[int], new: Sequence[int]) -> int:
    """How many leading tokens the two share."""
    n = min(len(old), len(new))
    return next((i for i in range(n) if old[i] != new[i]), n)


def _context_error(log: str) -> EngineError:
    if is_out_of_memory(log):
        return out_of_memory(log)
    return EngineError(
        QT_TRANSLATE_NOOP("engine", "The model was read, but its context could not be made."),
        QT_TRANSLATE_NOOP("engine", "Choose a smaller context, or the context precision f16."),
        log,
    )


def _decode_error(result: int, log: str) -> EngineError:
    if result == NO_KV_SLOT:
        return EngineError(
            QT_TRANSLATE_NOOP("engine", "The context is full."),
            QT_TRANSLATE_NOOP("engine", "Choose a larger context, or begin a new conversation."),
        )
    return EngineError(
        QT_TRANSLATE_NOOP("engine", "The model could not go on (code {code}).").fill(code=result),
        QT_TRANSLATE_NOOP("engine", "Try again. If it comes back, choose another model."),
        log,
    )
