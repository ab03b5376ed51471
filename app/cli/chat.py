"""`nibble chat`: stream the answer to one prompt."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from typing import Any

from app import paths
from app.cli.codes import CANCELLED
from app.cli.parsing import add_command, add_model, bounded
from app.core import library, settings
from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.core.settings import Settings
from app.engine.client import BlockingEngine
from app.engine.protocol import Done, Generate, PromptMessage, Stop, Text
from app.engine.requests import load_command, sampling


def add(commands: Any) -> None:
    parser = add_command(commands, "chat", chat, "answer a prompt, streaming")
    add_model(parser)
    parser.add_argument("-p", "--prompt", help="the prompt; standard input without it")
    parser.add_argument("--system", help="the system prompt")
    parser.add_argument("--seed", type=bounded(settings.SEED, int))
    parser.add_argument("--temp", type=bounded(settings.TEMPERATURE, float))
    parser.add_argument("--ctx", type=bounded(settings.N_CTX, int))
    parser.add_argument("--max-tokens", type=bounded(settings.MAX_TOKENS, int))


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
