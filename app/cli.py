"""The command line: the same engine and core as the window, without Qt. The only print().

Exit codes: 0 done, 1 a plain sentence on stderr, 2 bad usage, 130 cancelled.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app import paths
from app.core import hardware, library, settings
from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError
from app.core.settings import Settings
from app.engine.client import BlockingEngine, probe_devices
from app.engine.protocol import (
    Bench,
    BenchDone,
    Done,
    Generate,
    Loaded,
    PromptMessage,
    Stop,
    Text,
)
from app.engine.requests import load_command, sampling
from app.quantizer import QuantizeError, run_job
from quantize import cli as quantizing
from quantize import errors as quantize_errors
from quantize.job import Cancelled, Job, MatrixJob

CANCELLED = 130


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except quantize_errors.QuantizeError as error:
        return complain(QuantizeError(error.text, error.hint, error.detail), options.debug)
    except AppError as error:
        return complain(error, options.debug)
    except KeyboardInterrupt:
        return CANCELLED
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def complain(error: AppError, debug: bool = False) -> int:
    """Say on stderr what went wrong and the way on; returns the exit code."""
    sys.stdout.flush()
    print(error.text, file=sys.stderr)
    if error.hint:
        print(error.hint, file=sys.stderr)
    if debug:
        print(error.detail, file=sys.stderr)
        raise error
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nibble", description="Chat offline with language models; no command opens the window."
    )
    parser.add_argument("--version", action="version", version=f"nibble {version('nibble-chat')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "doctor", doctor, "hardware, backends, versions, folders, and what is wrong")
    _add(commands, "models", models, "the models on this computer")
    chat_options = _add(commands, "chat", chat, "answer a prompt, streaming")
    _add_model(chat_options)
    chat_options.add_argument("-p", "--prompt", help="the prompt; standard input without it")
    chat_options.add_argument("--system", help="the system prompt")
    chat_options.add_argument("--seed", type=_bounded(settings.SEED, int))
    chat_options.add_argument("--temp", type=_bounded(settings.TEMPERATURE, float))
    chat_options.add_argument("--ctx", type=_bounded(settings.N_CTX, int))
    chat_options.add_argument("--max-tokens", type=_bounded(settings.MAX_TOKENS, int))
    bench_options = _add(commands, "bench", bench, "measure prompt and decode speed")
    _add_model(bench_options, several=True)
    bench_options.add_argument("--ctx", type=_bounded(settings.N_CTX, int))
    bench_options.add_argument("--repetitions", type=_positive, default=5)
    quantize_options = _add(commands, "quantize", quantize, "make GGUF files of original weights")
    quantizing.add_quantize_arguments(quantize_options, paths.models_dir())
    quantize_options.set_defaults(parser=quantize_options)
    imatrix_options = _add(commands, "imatrix", imatrix, "measure which weights matter most")
    quantizing.add_imatrix_arguments(imatrix_options)
    return parser


def _add(commands: Any, name: str, function: Any, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
    )
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    parser.add_argument("--debug", action="store_true", help="a traceback where there is trouble")
    parser.set_defaults(command=function)
    return parser


def _add_model(parser: argparse.ArgumentParser, several: bool = False) -> None:
    parser.add_argument(
        "-m",
        "--model",
        action="append" if several else "store",
        help="a GGUF file, an installed name, or “starter” (the default)",
    )


def _bounded(setting: Any, convert: Any) -> Any:
    def parse(text: str) -> Any:
        value = convert(text)
        if not setting.accepts(value):
            raise argparse.ArgumentTypeError(
                f"{text} is not between {setting.minimum:g} and {setting.maximum:g}"
            )
        return value

    parse.__name__ = "number"
    return parse


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


# --- doctor and models ------------------------------------------------------------------------


def doctor(options: argparse.Namespace) -> int:
    """Say what this computer has and what is wrong with the installation."""
    report = _examine()
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    print(f"Nibble {report['version']}, llama-cpp-python {report['llama_cpp']}")
    print(f"Processor  {report['cpu']}, {report['cpu_cores']} cores")
    available, total = report["ram_available_bytes"], report["ram_total_bytes"]
    print(f"Memory     {_size(available)} free of {_size(total)}")
    for device in report["devices"]:
        print(f"Device     {device['name']} ({device['backend']}): {device['description']}")
    for name, folder in report["folders"].items():
        print(f"{name.capitalize():<10} {folder}")
    for problem in report["problems"]:
        print(f"Problem    {problem}")
    if not report["problems"]:
        print("Nothing is wrong.")
    return 0


def _examine() -> dict[str, Any]:
    problems: list[str] = []
    devices: tuple[hardware.Device, ...] = ()
    try:
        devices = probe_devices()
    except AppError as error:
        problems.append(_sentence(error))
    try:
        library.starter()
    except AppError as error:
        problems.append(_sentence(error))
    chosen = Settings(paths.settings_file())
    if chosen.problem:
        problems.append(_sentence(chosen.problem))
    found = hardware.measure(paths.data_dir(), devices)
    return {
        "version": version("nibble-chat"),
        "llama_cpp": version("llama-cpp-python"),
        "python": sys.version.split()[0],
        "cpu": found.cpu,
        "cpu_cores": found.n_cores,
        "ram_total_bytes": found.ram_total_bytes,
        "ram_available_bytes": found.ram_available_bytes,
        "disk_free_bytes": found.disk_free_bytes,
        "devices": [{**asdict(device), "usable": True} for device in found.devices],
        "folders": {
            "settings": str(paths.config_dir()),
            "data": str(paths.data_dir()),
            "models": str(paths.models_dir()),
        },
        "problems": problems,
    }


def _sentence(error: AppError) -> str:
    return f"{error.text} {error.hint}" if error.hint else str(error.text)


def models(options: argparse.Namespace) -> int:
    """List the models that can be loaded."""
    found = library.installed()
    if options.json:
        print(json.dumps([_model_entry(model) for model in found], indent=1))
        return 0
    for model in found:
        print(f"{model.name:<32} {model.variant:<8} {_size(model.size_bytes):>9}  {model.path}")
    if not found:
        print(f"No models yet. Put a .gguf file into {paths.models_dir()}.")
    return 0


def _model_entry(model: library.InstalledModel) -> dict[str, Any]:
    return {**asdict(model), "path": str(model.path)}


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


# --- chat -------------------------------------------------------------------------------------


def chat(options: argparse.Namespace) -> int:
    """Stream the answer to one prompt."""
    prompt = options.prompt if options.prompt is not None else sys.stdin.read().strip()
    if not prompt:
        raise EngineError(
            QT_TRANSLATE_NOOP("cli", "There is no prompt."),
            QT_TRANSLATE_NOOP("cli", "Give one with -p, or on standard input."),
        )
    chosen = Settings(paths.settings_file())
    path = library.find(options.model or "starter")
    with BlockingEngine() as engine:
        engine.load(load_command(chosen, path, options.ctx))
        engine.send(_generate_command(options, chosen, prompt))
        return _stream(engine, options.json)


def _generate_command(options: argparse.Namespace, chosen: Settings, prompt: str) -> Generate:
    system = options.system if options.system is not None else chosen.get(settings.SYSTEM_PROMPT)
    messages = [PromptMessage("system", system)] if system else []
    limit = options.max_tokens
    return Generate(
        request_id=1,
        messages=(*messages, PromptMessage("user", prompt)),
        sampling=sampling(chosen, options.seed, options.temp),
        max_tokens=chosen.get(settings.MAX_TOKENS) if limit is None else limit,
    )


def _stream(engine: BlockingEngine, as_json: bool) -> int:
    """Print until Done. Ctrl+C, whenever it comes, asks the engine to stop; Done follows."""
    cancelled = threading.Event()

    def on_interrupt(*_: object) -> None:
        cancelled.set()
        engine.send(Stop(1))

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        _print_until_done(engine, as_json)
    finally:
        signal.signal(signal.SIGINT, previous)
    return CANCELLED if cancelled.is_set() else 0


def _print_until_done(engine: BlockingEngine, as_json: bool) -> None:
    while True:
        event = engine.next_event()
        if isinstance(event, Text):
            _print_text(event, as_json)
        if isinstance(event, Done):
            _print_done(event, as_json)
            return


def _print_text(event: Text, as_json: bool) -> None:
    if as_json:
        for kind, text in (("reasoning", event.reasoning), ("token", event.text)):
            if text:
                print(json.dumps({"event": kind, "text": text}), flush=True)
    else:
        print(event.text, end="", flush=True)


def _print_done(event: Done, as_json: bool) -> None:
    if not as_json:
        print()
        return
    kept = ("n_prompt", "n_cached", "n_generated", "n_dropped", "tps", "prompt_tps", "ttft_ms")
    figures = {name: getattr(event, name) for name in (*kept, "stop_reason", "seed", "rss_bytes")}
    print(json.dumps({"event": "done", **figures}), flush=True)


# --- bench ------------------------------------------------------------------------------------


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


# --- quantize and imatrix ---------------------------------------------------------------------


def quantize(options: argparse.Namespace) -> int:
    """Make the files in a child, or say what there is to choose from."""
    if problem := quantizing.usage_problem(options):
        options.parser.error(problem)
    if options.list_types:
        print(quantizing.list_types(options.json))
    elif options.inspect:
        print(quantizing.inspect(options.inspect, options.against, options.json))
    else:
        return _run_job(quantizing.job_from(options), options.json)
    return 0


def imatrix(options: argparse.Namespace) -> int:
    """Collect an importance matrix in a child."""
    options.model = library.find(options.model)
    return _run_job(quantizing.matrix_job_from(options), options.json)


def _run_job(job: Job | MatrixJob, as_json: bool) -> int:
    printer = quantizing.Printer(as_json)
    cancelled = False
    try:
        for event in run_job(job):
            printer(event)
            cancelled = isinstance(event, Cancelled)
    except AppError as error:
        printer.error(error.text, error.hint)
        raise
    return CANCELLED if cancelled else 0
