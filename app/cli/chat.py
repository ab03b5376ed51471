"""`nibble chat`: stream the answer to one prompt."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from app import paths
from app.cli.codes import CANCELLED
from app.cli.parsing import add_command, add_model, bounded
from app.core import library, settings
from app.core.errors import QT_TRANSLATE_NOOP, EngineError
from app.core.samplingtext import as_line
from app.core.settings import Setting, Settings
from app.engine.client import BlockingEngine
from app.engine.protocol import Done, Generate, Loaded, PromptMessage, Stop, Text
from app.engine.requests import load_command, sampling, stops, thinking

# Flags that stand for a setting, for this one answer.
_NUMBERS: tuple[tuple[str, Setting[int] | Setting[float], type], ...] = (
    ("--temp", settings.TEMPERATURE, float),
    ("--top-k", settings.TOP_K, int),
    ("--top-p", settings.TOP_P, float),
    ("--min-p", settings.MIN_P, float),
    ("--repeat-penalty", settings.REPEAT_PENALTY, float),
    ("--seed", settings.SEED, int),
    ("--max-tokens", settings.MAX_TOKENS, int),
)
_BASE_MODEL = QT_TRANSLATE_NOOP(
    "cli", "This is a base model: it continues text; the prompt reaches it as a plain dialogue."
)


def add(commands: Any) -> None:
    parser = add_command(commands, "chat", chat, "answer a prompt, streaming")
    add_model(parser)
    parser.add_argument("-p", "--prompt", help="the prompt; standard input without it")
    parser.add_argument("--system", help="the system prompt")
    parser.add_argument("--ctx", type=bounded(settings.N_CTX, int))
    for flag, setting, convert in _NUMBERS:
        parser.add_argument(flag, type=bounded(setting, convert), help=str(setting.help))
    parser.add_argument(
        "--think",
        choices=[choice for choice, _ in settings.THINKING.choices],
        help="whether the model thinks before it answers, where it can be told",
    )
    parser.add_argument("--stop", action="append", help="a text that ends the answer; repeatable")
    parser.add_argument("--json-schema", metavar="FILE", help="the answer's form; also as text")
    parser.add_argument("--grammar", metavar="FILE", help="the same in GBNF; also as text")
    parser.add_argument("--draft", metavar="MODEL", help="a small model that guesses ahead")
    parser.add_argument("--no-lookup", action="store_true", help="do not guess from the text")


def chat(options: argparse.Namespace) -> int:
    """Stream the answer to one prompt."""
    prompt = options.prompt if options.prompt is not None else sys.stdin.read().strip()
    if not prompt:
        raise EngineError(
            QT_TRANSLATE_NOOP("cli", "There is no prompt."),
            QT_TRANSLATE_NOOP("cli", "Give one with -p, or on standard input."),
        )
    chosen = _settings(options)
    sampling(chosen)  # what is wrong with it is said before the model is loaded
    path = library.find(options.model or "starter")
    with BlockingEngine() as engine:
        loaded = engine.load(load_command(chosen, path, options.ctx))
        if loaded.notice is not None:
            print(loaded.notice, file=sys.stderr)
        if not loaded.has_chat_template:
            print(_BASE_MODEL, file=sys.stderr)
        engine.send(_generate_command(options, chosen, loaded, prompt))
        return _stream(engine, options.json)


def _settings(options: argparse.Namespace) -> Settings:
    """The person's settings, and over them the flags."""
    chosen = Settings(paths.settings_file())
    for flag, setting, _ in _NUMBERS:
        value = getattr(options, flag[2:].replace("-", "_"))
        if value is not None:
            chosen.lay_over(setting, value)
    if options.stop:
        chosen.lay_over(settings.STOP_STRINGS, "\n".join(map(as_line, options.stop)))
    if options.json_schema or options.grammar:
        chosen.lay_over(settings.JSON_SCHEMA, _text_of(options.json_schema))
        chosen.lay_over(settings.GRAMMAR, _text_of(options.grammar))
    if options.draft:
        chosen.lay_over(settings.DRAFT_MODEL, str(library.find(options.draft)))
    if options.think:
        chosen.lay_over(settings.THINKING, options.think)
    if options.no_lookup:
        chosen.lay_over(settings.LOOKUP, "off")
    return chosen


def _text_of(given: str | None) -> str:
    """The text of the file of that name, else `given` itself."""
    if not given:
        return ""
    try:
        return Path(given).read_text("utf-8")
    except (OSError, ValueError):  # also for a name too long to be one
        return given


def _generate_command(
    options: argparse.Namespace, chosen: Settings, loaded: Loaded, prompt: str
) -> Generate:
    system = options.system if options.system is not None else chosen.get(settings.SYSTEM_PROMPT)
    messages = [PromptMessage("system", system)] if system else []
    return Generate(
        request_id=1,
        messages=(*messages, PromptMessage("user", prompt)),
        sampling=sampling(chosen, loaded.sampling),
        stop=stops(chosen),
        thinking=thinking(chosen),
        max_tokens=chosen.get(settings.MAX_TOKENS),
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
    more = ("stop_reason", "seed", "rss_bytes", "n_guessed", "n_true")
    figures = {name: getattr(event, name) for name in (*kept, *more)}
    print(json.dumps({"event": "done", **figures}), flush=True)
