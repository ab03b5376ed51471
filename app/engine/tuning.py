"""Finds out in a few seconds how a loaded model is run best on this computer.

Small contexts beside the session's own, one at a time: how many threads, whether flash attention
pays, and what a pass over several tokens costs, after 128 and after 2,048 tokens. What is usual
stays unless something else is clearly faster; nothing is said where other programs kept the
processor busy, memory is short, or time ran out before the usual itself was measured.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass, replace

from app.core import running
from app.core.errors import EngineError
from app.core.hardware.platforms import this_platform
from app.engine import devices, filling
from app.engine.context import Context, StoppedError
from app.engine.cores import Times, read_times
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag
from app.engine.numbers import last_logits
from app.engine.protocol import Load, Loaded, Tune, Tuned
from app.engine.usage import give_memory_back

SHALLOW, DEEP = 128, 2048
PASSES = (2, 4, 8, 16)
_N_CTX = DEEP + 256
_N_READ = 16  # tokens that are really read; the depths are multiples of it
_CLEARLY = 0.95  # of the usual one's time, for something else to be taken
# Flash attention over an f16 cache sums up in another order with every number of threads: the
# threads can then not follow the machine's load. It has to bring more.
_CLEARLY_FLASH = 0.90
_MOST_OTHERS = 0.4  # cores that other programs may have kept busy meanwhile
_SHARE_S, _MOST_REPEATS, _LEAST_REPEATS = 0.2, 9, 3
_LONG_S = 0.1
_SAME_LOGITS = 0.05  # apart, at most, as float weights have it; quantized ones may be 1 apart
_SHORT_OF_RAM = 0.10  # of all memory is left, or less


@dataclass(frozen=True, slots=True)
class Way:
    """How a model could be run. `flash_attn` as llama.cpp has it: "on", "off", "auto"."""

    n_threads: int
    flash_attn: str
    kv_type: str


class _OutOfTimeError(Exception):
    """`limit_s` is over."""


class Tuning:
    """One tune of the model that `loaded` describes. `stop` ends it within a graph node."""

    def __init__(self, model: Model, loaded: Loaded, log: NativeLog, stop: StopFlag) -> None:
        self._model, self._loaded, self._log, self._stop = model, loaded, log, stop
        on_gpu = loaded.n_gpu_layers != 0 and devices.has_gpu()
        self._usual = Way(
            devices.default_threads(), running.flash_attn_for("auto", "f16", on_gpu), "f16"
        )
        self._on_gpu = on_gpu
        self._until = 0.0

    def run(self, request: Tune) -> Tuned:
        """Raises nothing for a stop: what was begun is then not said."""
        began = read_times()
        self._until = began.at_s + request.limit_s
        found: tuple[Way, dict[int, float]] | None = None
        if self._has_room():
            with contextlib.suppress(StoppedError, _OutOfTimeError, EngineError):
                found = self._best()
            give_memory_back()
        if found is None or self._was_disturbed(began, read_times()):
            return Tuned(request.request_id, 0, "", "", ())
        way, costs = found
        return Tuned(
            request.request_id,
            way.n_threads,
            way.flash_attn,
            way.kv_type,
            tuple((n, round(cost, 2)) for n, cost in costs.items()),
        )

    def _best(self) -> tuple[Way, dict[int, float]]:
        usual = _Trial(self, self._usual)
        try:
            usual.choose_threads(thread_counts(self._usual.n_threads))
            usual.measure()
            costs = usual.pass_costs()
        finally:
            usual.close()
        way, seconds = usual.way, usual.seconds
        for other, limit in self._others(way):
            trial = self._tried(other, limit * seconds)
            if trial is not None:
                way, seconds, costs = trial.way, trial.seconds, trial.costs
        return way, costs

    def _others(self, way: Way) -> tuple[tuple[Way, float], ...]:
        """What to try beside `way`, each with the share of its time that it may take.

        A quantized cache takes half the memory and loses a little, so it has to be no slower, and
        is of use only where memory is short.
        """
        flash = "off" if self._on_gpu else "on"
        limit = _CLEARLY if self._on_gpu else _CLEARLY_FLASH
        tried = [(replace(way, flash_attn=flash), limit)]
        if _is_memory_short():
            tried.append((replace(way, flash_attn="on", kv_type="q8_0"), 1.0))
        return tuple(tried)

    def _tried(self, way: Way, most_s: float) -> _Trial | None:
        """`way` measured; None where it takes more than `most_s`, or time ran out over it."""
        try:
            trial = _Trial(self, way)
        except _OutOfTimeError:
            return None
        try:
            trial.measure()
            if trial.seconds > most_s:
                return None
            trial.pass_costs()
        except _OutOfTimeError:
            return None
        finally:
            trial.close()
        return trial

    def context(self, way: Way) -> Context:
        load = Load(
            path=self._loaded.path,
            n_ctx=_N_CTX,
            n_threads=way.n_threads,
            n_gpu_layers=self._loaded.n_gpu_layers,
            flash_attn=way.flash_attn,
            kv_type=way.kv_type,
        )
        context = Context(self._model, load, self._log, self._stop)
        context.hold_threads(way.n_threads)
        return context

    def check_time(self) -> None:
        if self._stop:
            raise StoppedError
        if time.perf_counter() > self._until:
            raise _OutOfTimeError

    @property
    def model(self) -> Model:
        return self._model

    def _has_room(self) -> bool:
        """Whether the small context fits beside the session's: twice what it should take is free,
        where it lies."""
        memory = self._loaded.memory
        kv_bytes = memory.kv_bytes * _N_CTX // max(1, self._loaded.n_ctx)
        need = 2 * (kv_bytes + memory.compute_bytes)
        free = [this_platform().memory().available_bytes]
        if self._on_gpu:
            free += [d.free_bytes for d in devices.list_devices() if d.kind == "gpu"]
        return need < min(free)

    def _was_disturbed(self, began: Times, ended: Times) -> bool:
        own_s = ended.own_s - began.own_s
        others = (ended.busy_s - began.busy_s - own_s) / max(ended.at_s - began.at_s, 1e-3)
        return others > _MOST_OTHERS


class _Trial:
    """A way to run the model, in a context of its own. `seconds`: what a token of a conversation
    takes, read and written, on average over the depths."""

    def __init__(self, tuning: Tuning, way: Way) -> None:
        tuning.check_time()
        self.way, self.seconds = way, 0.0
        self.costs: dict[int, float] = {}
        self._tuning = tuning
        self._context = context = tuning.context(way)
        try:
            context.decode(_tokens(tuning.model, _N_READ))
            self._state = filling.state_of(context.handle)
        except BaseException:
            context.close()
            raise

    def close(self) -> None:
        self._context.close()

    def choose_threads(self, counts: tuple[int, ...]) -> None:
        """Take the number that decodes fastest; the first one unless another is clearly faster."""
        self._fill(SHALLOW)
        times = {}
        for n_threads in counts:
            self._context.hold_threads(n_threads)
            times[n_threads] = self._time_of(1)
        usual, best = counts[0], min(times, key=lambda n: times[n])
        if times[best] > _CLEARLY * times[usual]:
            best = usual
        self._context.hold_threads(best)
        self.way = replace(self.way, n_threads=best)

    def measure(self) -> None:
        for depth in (SHALLOW, DEEP):
            self._fill(depth)
            self.seconds += self._time_of(1) + self._time_of(_N_READ) / _N_READ

    def pass_costs(self) -> dict[int, float]:
        """What a pass over n tokens takes against one over a single token, up to the size from
        which on passes compute something else, so that checking guesses would change the text."""
        self._fill(SHALLOW)
        one = self._time_of(1)
        sizes = [n for n in PASSES if n <= self._context.n_outputs]
        if not self._context.on_gpu:  # there it is so at any size, but little
            sizes = self._agreeing(sizes)
        self.costs = {1: 1.0, **{n: self._time_of(n, each=True) / one for n in sizes}}
        return self.costs

    def _agreeing(self, sizes: list[int]) -> list[int]:
        """Those of `sizes`, from the smallest on, in whose passes tokens get the logits that they
        get one by one."""
        context, depth = self._context, len(self._context.tokens)
        agreeing, tokens = list[int](), _tokens(self._tuning.model, PASSES[-1])
        for size in sizes:
            for token in tokens[len(context.tokens) - depth : size]:
                self._tuning.check_time()
                context.decode([token])
            alone = last_logits(context.handle, self._tuning.model.n_vocab)
            context.drop_beyond(depth)
            context.decode_each(tokens[:size])
            together = last_logits(context.handle, self._tuning.model.n_vocab)
            if max(abs(a - b) for a, b in zip(alone, together, strict=True)) > _SAME_LOGITS:
                break
            agreeing.append(size)
        context.drop_beyond(depth)
        return agreeing

    def _fill(self, depth: int) -> None:
        """Hold `depth` tokens, or as many as can be had in time."""
        context = self._context
        depth = min(depth, (context.n_ctx - 2 * PASSES[-1]) // _N_READ * _N_READ)
        context.clear()
        try:
            state = filling.widened(self._state, depth, self._tuning.model.n_swa)
            if context.take_state(state, depth):
                return
        except filling.UnknownShapeError:
            pass
        context.clear()
        for start in range(0, depth, context.n_batch):
            self._tuning.check_time()
            n_tokens = min(context.n_batch, depth - start)
            context.decode(_tokens(self._tuning.model, n_tokens))

    def _time_of(self, n_tokens: int, *, each: bool = False) -> float:
        """Seconds of a pass over `n_tokens` tokens: the median of a few, the first one not counted.
        `each`: with the logits of all of them, as guesses are checked."""
        context, tokens = self._context, _tokens(self._tuning.model, n_tokens)
        decode = context.decode_each if each else context.decode
        depth, times = len(context.tokens), list[float]()
        until, least = time.perf_counter() + _SHARE_S, _LEAST_REPEATS
        while len(times) <= least or (len(times) <= _MOST_REPEATS and time.perf_counter() < until):
            self._tuning.check_time()
            started = time.perf_counter()
            decode(tokens)
            context.synchronize()
            times.append(time.perf_counter() - started)
            if times[0] > _LONG_S:  # a large model: one pass says enough
                least = 1
            if self._tuning.model.can_rewind:
                context.drop_beyond(depth)
        return statistics.median(times[1:])


def thread_counts(n_usual: int) -> tuple[int, ...]:
    """The usual number and fewer: memory may be the limit, and each thread costs at every step."""
    shares = (n_usual, -(-3 * n_usual // 4), -(-n_usual // 2))
    return tuple(dict.fromkeys(n for n in shares if n >= 1))


def _is_memory_short() -> bool:
    memory = this_platform().memory()
    return memory.available_bytes < _SHORT_OF_RAM * memory.total_bytes


def _tokens(model: Model, n_tokens: int) -> list[int]:
    return [(i * 7919 + 13) % model.n_vocab for i in range(n_tokens)]
