"""What is not computed twice: the second turn of a long conversation, and one that is reopened.

Each conversation is another text, so that nothing of it is left from the one before; "reopened" is
a new engine, as after a restart of the app, with nothing but the folder of kept caches.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from app.core.fit import ModelShape, shape_of
from app.engine.client import BlockingEngine
from app.engine.protocol import Load, Sampling
from quantize.gguf_header import read_header
from tests.bench.asking import Answer, ask, ratio
from tests.bench.prompts import N_CTX, question

N_CONVERSATION = 3000
_N_ANSWER = 32
_GREEDY = Sampling(temperature=0.0)
_LIMIT_BYTES = 10**10


def measure(model: Path, repetitions: int) -> dict[str, Any]:
    """First tokens in milliseconds, and what the kept cache takes against what it holds."""
    shape = shape_of(read_header(model))
    turns = [_conversation(model, shape, number) for number in range(repetitions)]
    found: dict[str, Any] = {key: [turn[key] for turn in turns] for key in turns[0]}
    return {
        **found,
        "warm_to_cold": ratio(found["warm_ms"], found["cold_ms"]),
        "reopened_to_cold": ratio(found["reopened_ms"], found["cold_ms"]),
        "state_to_kv": statistics.median(
            a / b for a, b in zip(found["state_bytes"], found["kv_bytes"], strict=True)
        ),
    }


def _conversation(model: Path, shape: ModelShape, number: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="nibble-bench-") as folder:
        load = Load(
            str(model),
            n_ctx=N_CTX,
            lookup=False,
            states_folder=folder,
            states_limit_bytes=_LIMIT_BYTES,
        )
        texts = [f"Letter number {number}. {question(N_CONVERSATION)}"]
        with BlockingEngine() as engine:
            engine.load(load)
            cold = _turn(engine, texts, "What happened before that?")
            warm = _turn(engine, texts, "And what came next?")
        states = [file.stat().st_size for file in Path(folder).glob("*.kv")]
        with BlockingEngine() as engine:
            engine.load(load)
            reopened = _turn(engine, texts, "")
    return {
        "n_prompt": cold.done.n_prompt,
        "cold_ms": cold.ttft_ms,
        "warm_ms": warm.ttft_ms,
        "warm_n_cached": warm.done.n_cached,
        "reopened_ms": reopened.ttft_ms,
        "reopened_n_cached": reopened.done.n_cached,
        "state_bytes": sum(states),
        "kv_bytes": kv_bytes(shape, warm.done.n_past),
    }


def _turn(engine: BlockingEngine, texts: list[str], next_question: str) -> Answer:
    """Ask; then the answer and the next question are part of the conversation."""
    answer = ask(engine, texts, _N_ANSWER, _GREEDY, "benchmark")
    texts += [answer.text, next_question]
    return answer


def kv_bytes(shape: ModelShape, n_tokens: int) -> int:
    """What `n_tokens` of the cache take, as f16; a window holds no more than it sees."""
    return sum(
        2 * (layer.k_width + layer.v_width) * min(n_tokens, layer.window or n_tokens)
        for layer in shape.layers
    )
