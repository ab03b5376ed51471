"""What a pass over several tokens costs against one over a single token, every logit asked for.

Usage: python -m tests.bench.passes MODEL N_CTX N_DEPTH REPETITIONS    prints one JSON object
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from typing import Any

from app.engine.devices import default_threads
from app.engine.native import lib

SIZES = (1, 2, 4, 8, 16)
_N_BATCH = 512


def main(model_path: str, n_ctx: int, n_depth: int, repetitions: int) -> None:
    """Medians in seconds; sizes take turns, so that no one of them has a bad moment alone."""
    silent = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(silent, None)
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(model_path.encode(), lib.llama_model_default_params())
    context = lib.llama_init_from_model(model, _params(n_ctx))
    n_vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    batch = lib.llama_batch_init(_N_BATCH, 0, 1)
    draw = random.Random(0)
    read_s = 0.0
    for start in range(0, n_depth, _N_BATCH):
        n = min(_N_BATCH, n_depth - start)
        read_s += _pass(context, batch, draw, n_vocab, start, n, 1)
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(repetitions):
        for size in SIZES:
            times[size].append(_pass(context, batch, draw, n_vocab, n_depth, size, size))
            lib.llama_memory_seq_rm(lib.llama_get_memory(context), 0, n_depth, -1)
    medians = {size: statistics.median(found) for size, found in times.items()}
    figures = {
        "costs": [[size, medians[size] / medians[1]] for size in SIZES[1:]],
        "one_s": medians[1],
        "read_to_write": n_depth / read_s * medians[1],
    }
    sys.stdout.write(json.dumps(figures))


def _pass(
    context: Any, batch: Any, draw: random.Random, n_vocab: int, n_past: int, n: int, n_logits: int
) -> float:
    batch.n_tokens = n
    for i in range(n):
        batch.token[i], batch.pos[i] = draw.randrange(n_vocab), n_past + i
        batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        batch.logits[i] = int(i >= n - n_logits)
    started = time.perf_counter()
    lib.llama_decode(context, batch)
    lib.llama_synchronize(context)
    return time.perf_counter() - started


def _params(n_ctx: int) -> object:
    params = lib.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = params.n_ubatch = _N_BATCH
    params.n_threads = params.n_threads_batch = default_threads()
    params.flash_attn_type = 0
    params.n_seq_max, params.n_outputs_max = 1, max(SIZES)
    return params


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]))
