"""A loaded machine: decode while another program holds a core, with threads that follow the free
cores and with threads that do not; in one process, by turns.

llama.cpp's own library in this process, through the engine's context: no pipe, no sampler.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.engine.context import Context
from app.engine.devices import default_threads
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag, lib
from app.engine.protocol import Load

_SECONDS = 3.0  # for each measurement: the rule takes a quarter of a second to see anything
_DEPTH = 32
_BURN = "while True: pass"


def measure(model: Path, repetitions: int) -> dict[str, Any]:
    """Tokens per second by who else is there and whether the threads follow."""
    lib.llama_backend_init()
    log = NativeLog()  # one for all: llama.cpp calls the last one made
    opened = Model(model, 0, log, lambda _: True)
    found: dict[str, list[float]] = {}
    for _ in range(repetitions):
        found.setdefault("quiet_held", []).append(_tps(opened, log, follow=False))
        found.setdefault("quiet_following", []).append(_tps(opened, log, follow=True))
        with _burner():
            found.setdefault("loaded_held", []).append(_tps(opened, log, follow=False))
            found.setdefault("loaded_following", []).append(_tps(opened, log, follow=True))
    opened.close()
    return {
        "n_threads": default_threads(),
        **found,
        "gain_loaded": _ratio(found["loaded_following"], found["loaded_held"]),
        "cost_quiet": _ratio(found["quiet_following"], found["quiet_held"]),
        "kept": _ratio(found["loaded_following"], found["quiet_held"]),
    }


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _tps(model: Model, log: NativeLog, *, follow: bool) -> float:
    load = Load(str(model.header.path), n_ctx=2048, n_gpu_layers=0)
    context = Context(model, load, log, StopFlag())
    if not follow:
        context.hold_threads(context.n_threads)
    tokens = [(i * 7919 + 13) % model.n_vocab for i in range(_DEPTH)]
    context.decode(tokens)
    n, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < _SECONDS:
        context.decode(tokens[:1])
        n += 1
        if len(context.tokens) > 2 * _DEPTH:
            context.drop_beyond(_DEPTH)
    context.close()
    return n / elapsed


@contextmanager
def _burner() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", _BURN])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def rows(found: dict[str, Any]) -> list[tuple[str, float, str]]:
    """For the table of all benchmarks: name, figure, what is wanted."""
    return [
        ("one core busy: decode with the threads following", found["gain_loaded"], ">= 1.5"),
        ("one core busy: decode kept of a quiet machine's", found["kept"], ""),
        ("quiet: decode with the threads following", found["cost_quiet"], ">= 0.97"),
    ]
