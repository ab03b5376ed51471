"""`nibble bench`: prompt and decode speed, first token, load time."""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from app import paths
from app.cli.parsing import add_command, add_model, bounded, positive
from app.core import library, settings
from app.core.settings import Settings
from app.engine.client import BlockingEngine
from app.engine.protocol import Bench, BenchDone, Loaded
from app.engine.requests import load_command


def add(commands: Any) -> None:
    parser = add_command(commands, "bench", bench, "measure prompt and decode speed")
    add_model(parser, several=True)
    parser.add_argument("--ctx", type=bounded(settings.N_CTX, int))
    parser.add_argument("--repetitions", type=positive, default=5)


def bench(options: argparse.Namespace) -> int:
    """Measure every model named, one after the other."""
    chosen = Settings(paths.settings_file())
    found = [library.find(name) for name in options.model or ["starter"]]
    results = [_bench_one(path, chosen, options) for path in found]
    if options.json:
        print(json.dumps(results if len(results) > 1 else results[0], indent=1))
        return 0
    print(f"{'model':<36} {'prompt t/s':>10} {'decode t/s':>10} {'first ms':>9} {'load ms':>8}")
    for result in results:
        print(
            f"{result['model']:<36} {result['pp_tps']:>10.1f} {result['tg_tps']:>10.1f}"
            f" {result['ttft_ms']:>9.1f} {result['load_ms']:>8.0f}"
        )
    return 0


def _bench_one(path: Path, chosen: Settings, options: argparse.Namespace) -> dict[str, Any]:
    with BlockingEngine() as engine:
        loaded = engine.load(load_command(chosen, path, options.ctx))
        engine.send(Bench(request_id=1, repetitions=options.repetitions))
        event = engine.next_event()
    assert isinstance(event, BenchDone), event
    return _bench_entry(loaded, event)


def _bench_entry(loaded: Loaded, done: BenchDone) -> dict[str, Any]:
    """Medians, with every measurement beside them."""
    return {
        "model": f"{loaded.name} {loaded.variant}".strip(),
        "path": loaded.path,
        "device": loaded.device,
        "pp_tps": statistics.median(done.pp_tps),
        "tg_tps": statistics.median(done.tg_tps),
        "ttft_ms": statistics.median(done.ttft_ms),
        "load_ms": loaded.load_ms,
        "peak_bytes": done.peak_bytes,
        "n_threads": done.n_threads,
        "n_ctx": loaded.n_ctx,
        "pp_tps_all": done.pp_tps,
        "tg_tps_all": done.tg_tps,
        "ttft_ms_all": done.ttft_ms,
    }
