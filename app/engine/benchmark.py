"""Measures a loaded model: reading, writing, the wait for a first token. Runs in the engine child.

As llama.cpp's own benchmark does it: random tokens, a warm-up that does not count, the depth filled
before the clock starts, and nothing guessed. The waits are those of real answers to a made-up
conversation, through all that an answer goes through. It keeps no figures beyond its run.

Source: tools/llama-bench/llama-bench.cpp (test_prompt, test_gen) at the pinned commit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.engine.context import StoppedError
from app.engine.native import StopFlag, lib
from app.engine.protocol import (
    Bench,
    BenchDepth,
    BenchDone,
    BenchProgress,
    Event,
    Generate,
    PromptMessage,
    Sampling,
)
from app.engine.session import Session
from app.engine.usage import peak_rss_bytes

Emit = Callable[[Event], None]
_PROGRESS_S = 0.1
_N_WARM = 8  # tokens written before any are counted
_ROOM = 192  # tokens of context that template, short answer and second question may take
_N_SECOND = 40  # tokens that the second turn adds, about
_LEAST_FIRST = 128  # a conversation of fewer tokens is not one
_SHORT = "What is the capital of France?"
_WORDS = (
    "the of and to in is was for on that with he as it his at by from are this had not but were "
    "have one be which or an their all when who there been would her she if more can out about "
    "so into only some could time these two may then do first any my now such like our over man "
    "me even most made after also did many before must through years where much way down should "
    "because long each just state people those too water house garden river winter letter bread"
)


class Benchmark:
    """One run of `command`. It empties the cache of `session` and leaves it empty."""

    def __init__(self, session: Session, command: Bench, emit: Emit, stop: StopFlag) -> None:
        self._session, self._command, self._stop = session, command, stop
        self._context, self._model = session.context, session.model
        self._random = random.Random(command.request_id)
        self._n_first = _n_first(command.n_first, self._context.n_ctx)
        self._progress = _Progress(command, self._n_first, emit)
        self._depths: list[BenchDepth] = []
        self._short_ms: list[float] = []
        self._waits_ms: tuple[list[float], list[float], list[float]] = ([], [], [])

    def run(self) -> BenchDone:
        """Measure; Stop ends it with what there is by then. Raises EngineError."""
        self._check_room()
        was_stopped = False
        self._session.leave()
        try:
            self._warm_up()
            for n_depth in sorted(set(self._command.n_depths)):
                self._measure_depth(n_depth)
            self._measure_waits()
        except StoppedError:
            was_stopped = True
        finally:
            self._session.empty()
        return self._done(was_stopped)

    def _check_room(self) -> None:
        command = self._command
        n_needed = max(command.n_depths) + max(command.n_prompt, command.n_gen)
        if n_needed > self._context.n_ctx:
            raise EngineError(
                QT_TRANSLATE_NOOP(
                    "engine",
                    "The benchmark needs a context of {needed} tokens, and there are {n_ctx}.",
                ).fill(needed=n_needed, n_ctx=self._context.n_ctx),
                QT_TRANSLATE_NOOP("engine", "Measure at a smaller depth, or with fewer tokens."),
            )

    def _done(self, was_stopped: bool) -> BenchDone:
        first = self._depths[0] if self._depths else BenchDepth(0)
        cold, warm, restored = (tuple(waits) for waits in self._waits_ms)
        return BenchDone(
            request_id=self._command.request_id,
            pp_tps=first.pp_tps,
            tg_tps=first.tg_tps,
            ttft_ms=tuple(self._short_ms),
            peak_bytes=peak_rss_bytes(),
            n_threads=self._context.n_threads,
            depths=tuple(self._depths),
            n_first=self._n_first,
            cold_ms=cold,
            warm_ms=warm,
            restored_ms=restored,
            was_stopped=was_stopped,
        )

    # --- speed --------------------------------------------------------------------------------

    def _warm_up(self) -> None:
        """Every kernel runs once, and the pages of the weights are in memory."""
        self._progress.begin("warmup")
        self._session.empty()
        self._progress.read_s = 1 / self._timed(min(self._command.n_prompt, self._batch))
        self._progress.write_s = 1 / self._timed(min(self._command.n_gen, _N_WARM), 1)

    def _measure_depth(self, n_depth: int) -> None:
        filling = self._tokens(n_depth)
        prompt: list[float] = []
        decode: list[float] = []
        try:
            for _ in range(self._command.repetitions):
                self._fill(filling)
                self._progress.begin("prompt", n_depth)
                prompt.append(self._timed(self._command.n_prompt))
                self._progress.read_s = 1 / prompt[-1]
                self._fill(filling)
                self._progress.begin("decode", n_depth)
                decode.append(self._timed(self._command.n_gen, 1))
                self._progress.write_s = 1 / decode[-1]
        finally:
            self._depths.append(BenchDepth(n_depth, tuple(prompt), tuple(decode)))

    def _fill(self, tokens: Sequence[int]) -> None:
        """Hold exactly `tokens`, as far as the cache can be cut back without reading them again."""
        self._progress.begin("depth", len(tokens))
        n_kept = self._context.keep_prefix([*tokens, 0])
        self._read(tokens[n_kept:], self._batch)

    def _timed(self, n_tokens: int, n_batch: int = 0) -> float:
        """Tokens per second of reading `n_tokens` random tokens, `n_batch` at a time."""
        tokens = self._tokens(n_tokens)
        self._context.synchronize()
        started = time.perf_counter()
        self._read(tokens, n_batch or self._batch)
        return n_tokens / (time.perf_counter() - started)

    def _read(self, tokens: Sequence[int], n_batch: int) -> None:
        for start in range(0, len(tokens), n_batch):
            if self._stop:
                raise StoppedError
            part = tokens[start : start + n_batch]
            self._context.decode(part)
            self._context.synchronize()
            self._progress.count(len(part), is_written=n_batch == 1)

    def _tokens(self, n_tokens: int) -> list[int]:
        """Random ones, so that no cache of experts or pages is kinder than a real text."""
        drawn = self._random.choices(range(self._model.n_vocab), k=n_tokens)
        if drawn and lib.llama_vocab_get_add_bos(self._model.vocab):
            drawn[0] = self._model.bos
        return drawn

    @property
    def _batch(self) -> int:
        return self._context.n_batch

    # --- waiting ------------------------------------------------------------------------------

    def _measure_waits(self) -> None:
        for i in range(self._command.repetitions):
            self._progress.begin("first")
            self._session.empty()
            self._short_ms.append(self._wait(_SHORT))
            self._progress.count(_N_SECOND)
            if self._n_first:
                self._measure_turns(f"benchmark-{self._command.request_id}-{i}")

    def _measure_turns(self, name: str) -> None:
        """Two turns of one conversation: read whole, continued, and continued from disk."""
        cold, warm, restored = self._waits_ms
        text = self._text(self._n_first)
        try:
            self._session.empty()
            cold.append(self._wait(text, name=name))
            self._progress.count(self._n_first)
            warm.append(self._wait(text, "I see.", "And what comes next?", name=name))
            self._progress.count(_N_SECOND)
            if self._session.leave():
                self._session.empty()
                restored.append(self._wait(text, "I see.", "Is that all of it?", name=name))
                self._progress.count(_N_SECOND)
        finally:
            self._session.forget(name)

    def _wait(self, *texts: str, name: str = "") -> float:
        """Milliseconds to the first token of the answer to the last of `texts`, turn by turn."""
        roles = ("user", "assistant")
        messages = tuple(PromptMessage(roles[i % 2], text) for i, text in enumerate(texts))
        greedy = Sampling(temperature=0.0)
        request = Generate(0, messages, greedy, max_tokens=1, conversation=name)
        started = time.perf_counter()
        done = self._session.generate(request, lambda _event: None)
        if self._stop:
            raise StoppedError
        return done.ttft_ms or (time.perf_counter() - started) * 1000  # it may write nothing

    def _text(self, n_tokens: int) -> str:
        """Words of about `n_tokens` tokens, others each time."""
        words = self._random.choices(_WORDS.split(), k=n_tokens)
        n_real = len(self._model.tokenize(" ".join(words)))
        return " ".join(words[: max(1, n_tokens * n_tokens // n_real)])


def _n_first(n_tokens: int, n_ctx: int) -> int:
    """As many of `n_tokens` as there is room for beside the second turn; 0 for too few."""
    n = min(n_tokens, n_ctx - _ROOM)
    return n if n >= _LEAST_FIRST else 0


class _Progress:
    """How much is done and how long the rest takes, by the speeds measured so far.

    `read_s` and `write_s`: seconds per token of reading and of writing.
    """

    def __init__(self, command: Bench, n_first: int, emit: Emit) -> None:
        self._request_id, self._emit = command.request_id, emit
        n_depths, n = len(set(command.n_depths)), command.repetitions
        filling = sum(set(command.n_depths))
        waits = _N_SECOND + (n_first + 2 * _N_SECOND if n_first else 0)
        self._n_to_read = filling + n * (n_depths * command.n_prompt + waits)
        self._n_to_write = n * n_depths * command.n_gen
        self._started = time.perf_counter()
        self._sent = self._share = 0.0
        self._step, self._n_depth = "warmup", 0
        self.read_s = self.write_s = 0.0

    def begin(self, step: str, n_depth: int = 0) -> None:
        self._step, self._n_depth = step, n_depth

    def count(self, n_tokens: int, is_written: bool = False) -> None:
        """`n_tokens` more are done; says so now and then."""
        if self._step != "warmup":
            if is_written:
                self._n_to_write = max(0, self._n_to_write - n_tokens)
            else:
                self._n_to_read = max(0, self._n_to_read - n_tokens)
        now = time.perf_counter()
        if now - self._sent >= _PROGRESS_S:
            self._sent = now
            self._send(now - self._started)

    def _send(self, elapsed_s: float) -> None:
        left_s = self._n_to_read * self.read_s + self._n_to_write * self.write_s
        if left_s:  # else nothing has been measured yet
            self._share = max(self._share, elapsed_s / (elapsed_s + left_s))
        self._emit(BenchProgress(self._request_id, self._step, self._n_depth, self._share, left_s))
