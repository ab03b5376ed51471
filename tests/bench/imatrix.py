"""Measuring an importance matrix against plain reading of the same text, in the same run.

The same chunks, batches and threads: with the sums, as `nibble imatrix` does it; plainly, asking
for the scores of the last token of a chunk; and plainly, asking for those of all tokens.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import resources
from app.engine.devices import default_threads
from quantize import imatrix_collect
from quantize.control import Control
from quantize.libllama import lib

N_CTX = imatrix_collect.N_CTX
N_CHUNKS = 2


def measure(model: Path, repetitions: int) -> dict[str, Any]:
    """Medians of `repetitions`, the ways interleaved, loading left out of all of them."""
    n_threads = default_threads()
    text = resources.path("calibration.txt").read_text("utf-8")
    with _Plain(model, n_threads) as plain:
        chunks = plain.tokens(text)[:N_CHUNKS]
        part = plain.text_of(text, N_CHUNKS)
        ways: dict[str, Callable[[], float]] = {
            "plain": lambda: plain.read(chunks, all_scores=False),
            "plain, all scores": lambda: plain.read(chunks, all_scores=True),
            "collect": lambda: _collect(model, part, n_threads),
        }
        plain.read(chunks[:1], all_scores=True)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repetitions):
            for name, run in ways.items():
                seconds[name].append(run())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "n_threads": n_threads,
        "n_tokens": N_CHUNKS * N_CTX,
        "seconds": medians,
        "all_seconds": seconds,
        "ratio_to_plain": medians["collect"] / medians["plain"],
        "ratio_to_plain_all_scores": medians["collect"] / medians["plain, all scores"],
    }


def _collect(path: Path, text: str, n_threads: int) -> float:
    """Seconds from the first chunk to the last."""
    times: list[float] = []
    found = imatrix_collect.collect(
        path,
        text,
        "bench",
        path,
        n_threads=n_threads,
        control=Control(),
        on_progress=lambda *_: times.append(time.perf_counter()),
    )
    assert found.n_chunks == N_CHUNKS, found.n_chunks
    return times[-1] - times[0]


class _Plain:
    """A context with llama.cpp's defaults that reads and does nothing else."""

    def __init__(self, path: Path, n_threads: int) -> None:
        self._log = lib.llama_log_callback(lambda *_: None)
        self._path = path
        self._n_threads = n_threads

    def __enter__(self) -> _Plain:
        lib.llama_log_set(self._log, None)
        lib.llama_backend_init()
        self._model = lib.llama_model_load_from_file(
            str(self._path).encode(), lib.llama_model_default_params()
        )
        self._vocab = lib.llama_model_get_vocab(self._model)
        params = lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = N_CTX
        params.n_threads = params.n_threads_batch = self._n_threads
        self._context = lib.llama_init_from_model(self._model, params)
        return self

    def __exit__(self, *_: object) -> None:
        lib.llama_free(self._context)
        lib.llama_model_free(self._model)
        lib.llama_log_set(lib.llama_log_callback(), None)

    def tokens(self, text: str) -> list[list[int]]:
        """Whole chunks."""
        data = text.encode()
        found = (lib.llama_token * (len(data) + 8))()
        n = lib.llama_tokenize(self._vocab, data, len(data), found, len(found), True, False)
        return [list(found[i : i + N_CTX]) for i in range(0, n - N_CTX + 1, N_CTX)]

    def text_of(self, text: str, n_chunks: int) -> str:
        """The shortest beginning of `text` in paragraphs that has `n_chunks` whole chunks."""
        end = 0
        while len(self.tokens(text[:end])) < n_chunks:
            end = text.index("\n\n", end + 200)
        return text[:end]

    def read(self, chunks: list[list[int]], all_scores: bool) -> float:
        """Seconds."""
        started = time.perf_counter()
        for chunk in chunks:
            lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
            batch = lib.llama_batch_init(len(chunk), 0, 1)
            batch.n_tokens = len(chunk)
            for i, token in enumerate(chunk):
                batch.token[i], batch.pos[i] = token, i
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
                batch.logits[i] = all_scores or i == len(chunk) - 1
            assert lib.llama_decode(self._context, batch) == 0
            lib.llama_synchronize(self._context)
            lib.llama_batch_free(batch)
        return time.perf_counter() - started
