"""`nibble bench`: what llama.cpp's own benchmark measures, and what a person waits for.

Each model, and each number of layers on the GPU, gets a child of its own: nothing is left over in
its memory from the one before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from app import paths
from app.cli import benchreport
from app.cli.parsing import add_command, add_model, bounded, positive, sentence, size
from app.core import benchmarks, library, settings
from app.core.benchmarks import BenchRecord
from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError, StoreError
from app.core.fit import ModelShape, Use, plan
from app.core.fit.split import n_offloadable
from app.core.hardware import Hardware
from app.core.settings import Settings
from app.core.store import Store
from app.engine.benched import record_of, shape_in, usual_bench
from app.engine.client import BlockingEngine, examine
from app.engine.protocol import Bench, BenchDone, BenchProgress, Load
from app.engine.requests import load_command

_STATES_BYTES = 10**12  # they are thrown away with their folder


def add(commands: Any) -> None:
    parser = add_command(
        commands, "bench", bench, "measure prompt and decode speed, first token, memory"
    )
    add_model(parser, several=True)
    parser.add_argument("--ctx", type=bounded(settings.N_CTX, int), metavar="N")
    parser.add_argument(
        "-r", "--repetitions", type=positive, default=benchmarks.REPETITIONS, metavar="N"
    )
    parser.add_argument("-p", "--n-prompt", type=positive, metavar="N", help="tokens to read (512)")
    parser.add_argument("-n", "--n-gen", type=positive, metavar="N", help="tokens to write (128)")
    parser.add_argument(
        "-d",
        "--depth",
        type=_numbers(0),
        default=(0,),
        metavar="N[,N…]",
        help="tokens that are in the context before (0)",
    )
    parser.add_argument(
        "--n-first",
        type=int,
        choices=range(2**24),
        default=benchmarks.N_FIRST,
        metavar="N",
        help="tokens of the conversation whose first token is waited for, 0 for none (512)",
    )
    parser.add_argument(
        "-ngl",
        "--n-gpu-layers",
        type=_numbers(-1),
        metavar="N[,N…]",
        help="layers on the GPU, -1 for all; without it, where there is a GPU: none, half and all",
    )


def _numbers(least: int) -> Any:
    def parse(text: str) -> tuple[int, ...]:
        numbers = tuple(int(part) for part in text.split(","))
        if min(numbers) < least:
            raise argparse.ArgumentTypeError(f"{text} holds a number below {least}")
        return numbers

    parse.__name__ = "list of numbers"
    return parse


def bench(options: argparse.Namespace) -> int:
    """Measure every model named, one after the other."""
    chosen = Settings(paths.settings_file())
    found = [library.find(name) for name in options.model or ["starter"]]
    computer = examine(paths.models_dir())
    results: list[list[BenchRecord]] = []
    documents: list[dict[str, Any]] = []
    for path in found:
        try:
            records = _bench_model(_Subject(path, chosen, options, computer, shape_in(path)))
        except AppError as error:
            if len(found) == 1:
                raise
            print(f"{path.name}: {sentence(error)}", file=sys.stderr)
            documents.append({"model": path.stem, "path": str(path), "error": sentence(error)})
            continue
        results.append(records)
        documents.append(benchreport.document(records))
        if not options.json:
            print(*benchreport.lines(records), sep="\n", end="\n\n", flush=True)
    _keep(computer, [record for records in results for record in records])
    if options.json:
        print(json.dumps(documents if len(found) > 1 else documents[0], indent=1))
    elif len(results) > 1:
        print(*benchreport.comparison([benchreport.best(records) for records in results]), sep="\n")
    return 0 if len(results) == len(found) else 1


@dataclass(frozen=True, slots=True)
class _Subject:
    path: Path
    settings: Settings
    options: argparse.Namespace
    computer: Hardware
    shape: ModelShape


def _bench_model(subject: _Subject) -> list[BenchRecord]:
    """A record for each number of layers that fits. Raises AppError where none does."""
    records: list[BenchRecord] = []
    refusals: list[AppError] = []
    for n_gpu_layers in _layers(subject):
        asked = _asked(subject)
        load = _load(subject, asked, n_gpu_layers)
        try:
            _check_fit(subject, load)
            record = _measure(subject, load, asked)
            if record.n_gpu_layers not in [each.n_gpu_layers for each in records]:
                records.append(record)
        except AppError as error:
            refusals.append(error)
    if not records:
        raise refusals[0]
    for refusal in refusals:
        print(sentence(refusal), file=sys.stderr)
    return records


def _layers(subject: _Subject) -> tuple[int, ...]:
    """What was asked for; else a sweep where there is a GPU."""
    if subject.options.n_gpu_layers is not None:
        return tuple(dict.fromkeys(subject.options.n_gpu_layers))
    if not subject.computer.used_gpus:
        return (0,)
    most = n_offloadable(subject.shape)
    return (0, most // 2, most)


def _asked(subject: _Subject) -> Bench:
    options, n_train = subject.options, subject.shape.n_ctx_train
    usual = usual_bench(n_train - max(options.depth) if n_train else settings.N_CTX.default)
    return msgspec.structs.replace(
        usual,
        request_id=1,
        n_prompt=options.n_prompt or max(usual.n_prompt, 1),
        n_gen=options.n_gen or max(usual.n_gen, 1),
        n_depths=options.depth,
        n_first=options.n_first,
        repetitions=options.repetitions,
    )


def _load(subject: _Subject, asked: Bench, n_gpu_layers: int) -> Load:
    """As a chat would load it, with room for what is measured."""
    usual = load_command(subject.settings, subject.path, subject.options.ctx)
    needed = max(asked.n_depths) + max(asked.n_prompt, asked.n_gen)
    n_ctx = subject.options.ctx or max(usual.n_ctx, needed)
    return msgspec.structs.replace(usual, n_ctx=n_ctx, n_gpu_layers=n_gpu_layers)


def _check_fit(subject: _Subject, load: Load) -> None:
    """Raises EngineError for a model that memory has no room for."""
    use = Use(load.n_ctx, load.kv_type, load.n_gpu_layers, load.flash_attn)
    planned = plan(subject.shape, use, subject.computer)
    if planned.fits:
        return
    text = QT_TRANSLATE_NOOP(
        "cli", "{name} with a context of {n_ctx} tokens needs {size}, and {free} are free."
    )
    raise EngineError(
        text.fill(
            name=subject.path.stem,
            n_ctx=planned.n_ctx,
            size=size(planned.total_bytes),
            free=size(planned.free_bytes),
        ),
        QT_TRANSLATE_NOOP("cli", "“nibble fit” says what would make it fit."),
    )


def _measure(subject: _Subject, load: Load, asked: Bench) -> BenchRecord:
    with (
        tempfile.TemporaryDirectory(prefix="nibble-bench-") as states,
        _engine() as engine,
    ):
        command = msgspec.structs.replace(
            load, states_folder=states, states_limit_bytes=_STATES_BYTES
        )
        loaded = engine.load(command)
        if loaded.notice is not None:
            print(loaded.notice, file=sys.stderr)
        engine.send(asked)
        with _progress_line(f"{loaded.name} {loaded.variant}".strip()) as show:
            while isinstance(event := engine.next_event(), BenchProgress):
                show(event)
    assert isinstance(event, BenchDone), event
    return record_of(loaded, asked, event, subject.shape, subject.computer)


@contextmanager
def _engine() -> Iterator[BlockingEngine]:
    """One that is ended at once where something comes in between: it has nothing to keep."""
    with BlockingEngine() as engine:
        try:
            yield engine
        except BaseException:
            engine.client.kill()
            raise


@contextmanager
def _progress_line(name: str) -> Iterator[Any]:
    """One line on a terminal, rewritten; elsewhere a line when the measuring begins."""
    if not sys.stderr.isatty():
        print(f"Measuring {name} …", file=sys.stderr, flush=True)
        yield lambda _progress: None
        return
    try:
        yield lambda progress: sys.stderr.write(f"\r\x1b[K{benchreport.progress(name, progress)}")
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _keep(computer: Hardware, records: Sequence[BenchRecord]) -> None:
    """In the database, where the window finds them; while that is open it alone may write."""
    if not records:
        return
    try:
        store = Store(paths.database_file(), paths.lock_file())
        try:
            if not store.read_only:
                for record in records:
                    store.record_benchmark(benchmarks.machine_of(computer), record)
        finally:
            store.close()
    except StoreError as error:
        print(f"Not kept for later: {error.text}", file=sys.stderr)
