"""The window: start, streaming into a long conversation, idling; and decode with it visible."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.core.chat import Role
from app.core.settings import Settings
from app.core.store import Store
from app.engine.client import BlockingEngine
from app.engine.protocol import Done, Generate, Load, PromptMessage
from app.engine.requests import sampling
from tests.bench.prompts import N_STREAMED, question
from tests.helpers import desktop

N_MESSAGES = 2000
_SEED = 11
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def measure_start(model: Path, repetitions: int) -> dict[str, Any]:
    with desktop.display() as display:
        return {
            "cold": _start(display, model, repetitions, cold=True),
            "warm": _start(display, model, repetitions, cold=False),
        }


def measure_streaming(model: Path, repetitions: int) -> dict[str, Any]:
    with desktop.display() as display:
        return _streaming(display, model, repetitions)


def measure_idle(model: Path, _repetitions: int) -> dict[str, Any]:
    home = Path(_home())
    settings = home / "config" / "nibble" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"engine.tune": "off"}))  # done once for each model, not idle
    with desktop.display() as display:
        return _probe(display, model, "idle", home)


def _home() -> str:
    return tempfile.mkdtemp(prefix="nibble-bench-")


def _start(display: str, model: Path, repetitions: int, cold: bool) -> dict[str, Any] | str:
    if cold and not os.access(_DROP_CACHES, os.W_OK):
        return "only root can drop the disk cache"
    runs = []
    for _ in range(repetitions + (not cold)):
        if cold:
            os.sync()
            _DROP_CACHES.write_text("3")
        runs.append(_probe(display, model, "start", Path(_home())))
    return _medians(runs if cold else runs[1:])  # the first warm one warms


def _streaming(display: str, model: Path, repetitions: int) -> dict[str, Any]:
    runs, ratios = [], []
    for _ in range(repetitions):
        home = Path(_home())
        _write_long_conversation(home)
        headless = _headless_tps(model, home)
        run = _probe(display, model, "stream", home)
        ratios.append(run["tps"] / headless)
        del run["text"]
        runs.append(run)
    return {**_medians(runs), "n_messages": N_MESSAGES, "ratio_to_headless": ratios}


def _write_long_conversation(home: Path) -> None:
    """2,000 messages with code, lists and tables; settings that fix the answer."""
    settings = {
        "sampling.seed": _SEED,
        "sampling.max_tokens": N_STREAMED,
        "sampling.temperature": 1.0,
    }
    (home / "config" / "nibble").mkdir(parents=True)
    (home / "config" / "nibble" / "settings.json").write_text(json.dumps(settings))
    data = home / "data" / "nibble"
    data.mkdir(parents=True)
    store = Store(data / "conversations.db", data / "nibble.lock")
    store._connection.execute("PRAGMA synchronous=OFF")
    conversation = store.create_conversation("A long one", "")
    parent = None
    for n in range(N_MESSAGES):
        role = (Role.USER, Role.ASSISTANT)[n % 2]
        text = f"Question {n}: and then?" if role is Role.USER else _ANSWERS[n // 2 % len(_ANSWERS)]
        parent = store.add_message(conversation.id, parent, role, text).id
    store.close()


_ANSWERS = (
    "The sea was calm. " * 30,
    "Here is code:\n\n```python\ndef f(x: int) -> int:\n    return x * 2  # twice\n```\n\nDone.\n",
    "1. First\n2. Second, with **bold** and `code`\n3. Third\n\n- a\n- b\n  - c\n",
    "| Day | Loaves |\n|---|---:|\n| Friday | 231 |\n| Saturday | 264 |\n\nBake more.\n",
)


def _headless_tps(model: Path, home: Path) -> float:
    """The same question after the same conversation, without a window."""
    data = home / "data" / "nibble"
    store = Store(data / "conversations.db", data / "nibble.lock")
    messages = [PromptMessage(m.role, m.text) for m in store.open_conversation(1).messages]
    store.close()
    messages.append(PromptMessage("user", question(0)))
    with BlockingEngine() as engine:
        engine.load(Load(str(model)))
        chosen = sampling(Settings(home / "config" / "nibble" / "settings.json"))
        engine.send(Generate(1, tuple(messages), chosen, N_STREAMED))
        while not isinstance(event := engine.next_event(), Done):
            pass
    return event.tps


@contextmanager
def _home_environment(home: Path) -> Iterator[dict[str, str]]:
    changed = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield dict(os.environ)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _probe(display: str, model: Path, mode: str, home: Path) -> dict[str, Any]:
    with _home_environment(home) as environment:
        result = subprocess.run(
            [sys.executable, "-m", "tests.bench.window_probe", mode],
            env={
                **environment,
                "DISPLAY": display,
                "NIBBLE_STARTER": str(model),
                "NIBBLE_BENCH_STARTED": repr(time.time()),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        raise SystemExit(result.stderr)
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def _medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    names = runs[0].keys()
    medians = {name: statistics.median(run[name] for run in runs) for name in names}
    return {**medians, "runs": runs}
