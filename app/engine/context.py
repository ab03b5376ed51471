"""A llama.cpp context: the KV cache, which always holds exactly `tokens`, and decoding into it.

What it holds beside them (`branches`, `checkpoints`) only makes going back cheap.

Source: include/llama.h and src/llama-context.cpp at the pinned commit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

from app.core import running
from app.core.errors import QT_TRANSLATE_NOOP, EngineError, EngineLostError
from app.engine import devices, filling
from app.engine.batch import Batch
from app.engine.branches import Branches, common_prefix
from app.engine.checkpoints import Checkpoints
from app.engine.cores import CoreWatch
from app.engine.model import Model, NativeLog, is_out_of_memory, out_of_memory
from app.engine.native import ABORTED, NO_KV_SLOT, StopFlag, lib
from app.engine.protocol import Load

_KV_TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0, "q4_0": lib.GGML_TYPE_Q4_0}
_FLASH_ATTN = {"off": 0, "on": 1, "auto": -1}
_OWN_CACHES = frozenset(  # architectures whose caches hold more than keys and values of each token
    {"deepseek32", "deepseek4", "dots3note", "glm-dsa", "hy_v4", "minimax-m3", "qwen4exp"}
)


class StoppedError(Exception):
    """The user asked to stop: an outcome, which the worker turns into an answer that ends here."""


class Context:
    """One conversation in one context. `stop` ends a running decode between two graph nodes.

    Raises EngineError when it cannot be made.
    """

    def __init__(self, model: Model, load: Load, log: NativeLog, stop: StopFlag) -> None:
        self._model = model
        self._log = log
        self._stop = stop
        self.n_threads = load.n_threads or devices.default_threads()
        self.on_gpu = load.n_gpu_layers != 0 and devices.has_gpu()
        self.flash_attn = running.flash_attn_for(load.flash_attn, load.kv_type, self.on_gpu)
        self.n_outputs = running.n_outputs_for(
            model.n_vocab, model.size_bytes, is_recurrent=not model.can_rewind
        )
        sees_everything = model.can_rewind and not model.n_swa
        is_plain = sees_everything and model.header.architecture not in _OWN_CACHES
        self._n_sequences = running.n_sequences_for(self.n_outputs, is_plain)
        self._cores = CoreWatch(self.n_threads)
        if self.flash_attn != "off" and load.kv_type == "f16" and not self.on_gpu:
            # Here the number of threads is in the low bits of the logits: ggml splits the cache
            # among them and adds up (ops.cpp, use_split_kv_path). The same seed, the same text.
            self._cores.hold(self.n_threads)
        params = self._params(load)
        self.handle = lib.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise _context_error(log.errors())
        self._memory = lib.llama_get_memory(self.handle)
        self.n_ctx = int(lib.llama_n_ctx(self.handle))
        self.n_batch = int(lib.llama_n_batch(self.handle))
        self._batch = Batch(self.n_batch)
        self._branches = Branches(self._memory, self._n_sequences)
        limit_bytes = 0 if sees_everything else running.checkpoint_bytes_for(model.size_bytes)
        self.checkpoints = Checkpoints(self.handle, limit_bytes)
        self.has_checkpoints = not sees_everything

    def _params(self, load: Load) -> object:
        params = lib.llama_context_default_params()
        params.n_ctx = running.n_ctx_for(load.n_ctx, self._model.n_ctx_train)
        params.n_batch = running.N_BATCH
        params.n_ubatch = running.n_ubatch_for(self._model.n_params, self.on_gpu)
        params.n_threads = params.n_threads_batch = self.n_threads
        params.type_k = params.type_v = _KV_TYPES[load.kv_type]
        params.flash_attn_type = _FLASH_ATTN[self.flash_attn]
        params.swa_full = False
        params.n_seq_max = self._n_sequences
        params.kv_unified = True  # else n_ctx is divided among the sequences
        # Never ask for more outputs than this: llama.cpp aborts.
        params.n_outputs_max = self.n_outputs
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

    @property
    def output_bytes(self) -> int:
        """What the logits take once a pass has had them all; llama.cpp begins with fewer."""
        return ctypes.sizeof(ctypes.c_float) * self._model.n_vocab * self.n_outputs

    @property
    def tokens(self) -> list[int]:
        """What the current sequence holds. Not to be changed."""
        return self._branches.current.tokens

    def clear(self) -> None:
        self._branches.clear()
        self.checkpoints.drop_beyond(0)

    def keep_prefix(self, tokens: Sequence[int], *, fork: bool = False) -> int:
        """Hold what there is of `tokens` but the last one, whose logits are needed; returns how
        many. `fork`: much that has to be cut off for that stays in a branch of its own."""
        wanted = tokens[:-1]
        self._branches.turn_to(wanted, fork=fork)
        self.drop_beyond(common_prefix(self.tokens, wanted))
        return len(self.tokens)

    def drop_beyond(self, n_keep: int) -> None:
        """Hold the first `n_keep` tokens only; fewer, or none, where the cache cannot be cut."""
        if self._cut(n_keep):
            return
        n_restored = self.checkpoints.restore(n_keep)
        if not n_restored or not self._cut(n_restored):
            self.clear()

    def keep_place(self) -> None:
        """It may be wanted to go back to here."""
        if self.has_checkpoints:
            self.checkpoints.take(len(self.tokens))

    def keep_current(self) -> None:
        """The other branches belong to a conversation that is over."""
        self._branches.keep_current()

    def _cut(self, n_keep: int) -> bool:
        branch = self._branches.current
        if not self._can_rewind(n_keep):
            return False
        if not lib.llama_memory_seq_rm(self._memory, branch.sequence, n_keep, -1):
            return False
        del branch.tokens[n_keep:]
        self.checkpoints.drop_beyond(n_keep)
        return True

    def _can_rewind(self, n_keep: int) -> bool:
        """Whether a sliding window still holds what position `n_keep` looks back on."""
        n_swa = self._model.n_swa
        if not n_swa:
            return True
        oldest = int(lib.llama_memory_seq_pos_min(self._memory, 0))
        return oldest <= max(0, n_keep - n_swa + 1)

    def decode(self, tokens: Sequence[int]) -> None:
        """Read `tokens`, n_batch at most, at the end of the cache; logits of the last one only.

        Raises StoppedError, after which the cache may hold a part of them, or EngineError.
        """
        self._decode(tokens, each=False)

    def decode_each(self, tokens: Sequence[int]) -> None:
        """As `decode`, for `n_outputs` tokens at most, with the logits of every one of them."""
        self._decode(tokens, each=True)

    def _decode(self, tokens: Sequence[int], *, each: bool) -> None:
        branch = self._branches.current
        batch = self._batch.fill(tokens, len(branch.tokens), branch.sequence, each=each)
        if self._cores.before():
            self._use_threads(self._cores.n_threads)
        result = lib.llama_decode(self.handle, batch)
        while result == NO_KV_SLOT and self._branches.evict():
            result = lib.llama_decode(self.handle, batch)
        if self._cores.after():
            self._use_threads(self._cores.n_threads)
        if result == 0:
            branch.tokens += tokens
            return
        if result == ABORTED or self._stop:
            raise StoppedError
        raise _decode_error(result, self._log.errors())

    def hold_threads(self, n_threads: int) -> None:
        """Decode with this number from now on, however busy the machine is: for measurements."""
        self._cores.hold(n_threads)
        self._use_threads(n_threads)

    def _use_threads(self, n_threads: int) -> None:
        lib.llama_set_n_threads(self.handle, n_threads, n_threads)

    # --- keeping the cache ----------------------------------------------------------------------

    def save_state(self, path: Path) -> int:
        """Write the cache and its tokens to `path`; returns the bytes, 0 where that failed."""
        sequence, tokens = self._branches.current.sequence, self.tokens
        array = (lib.llama_token * len(tokens))(*tokens)
        name = str(path).encode()
        return int(lib.llama_state_seq_save_file(self.handle, name, sequence, array, len(tokens)))

    def load_state(self, path: Path, tokens: Sequence[int]) -> bool:
        """Hold what `save_state` wrote to `path`, whose tokens those are, in place of the present.

        Nothing is held where llama.cpp refuses it. The file must be known to be whole.
        """
        self.clear()
        array = (lib.llama_token * len(tokens))()
        n_read = ctypes.c_size_t()
        name = str(path).encode()
        if not lib.llama_state_seq_load_file(
            self.handle, name, 0, array, len(tokens), ctypes.byref(n_read)
        ):
            self.clear()
            return False
        self._branches.current.tokens += array[: n_read.value]
        return True

    def take_state(self, state: bytearray, n_tokens: int) -> bool:
        """Hold `state`, in which `n_tokens` stand that are not known, in place of the present."""
        self.clear()
        if not filling.put_state(self.handle, self._branches.current.sequence, state):
            self.clear()
            return False
        self._branches.current.tokens += [0] * n_tokens
        return True

    def synchronize(self) -> None:
        lib.llama_synchronize(self.handle)


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
    return EngineLostError(
        QT_TRANSLATE_NOOP("engine", "The model could not go on (code {code}).").fill(code=result),
        QT_TRANSLATE_NOOP("engine", "Try again. If it comes back, choose another model."),
        log,
    )
