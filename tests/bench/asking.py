"""One engine for a benchmark: loads, asks, and looks on from where the window would."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.engine.chatformat import ChatFormat
from app.engine.client import BlockingEngine
from app.engine.protocol import Done, Generate, Load, PromptMessage, Sampling, Text
from app.engine.turns import chat_template
from quantize.gguf_header import read_header


@dataclass(frozen=True)
class Answer:
    """`ttft_ms`: from the command's sending to the first text's arrival at the parent."""

    ttft_ms: float
    text: str
    done: Done


def ask(
    engine: BlockingEngine,
    texts: Sequence[str],
    n_tokens: int,
    sampling: Sampling,
    conversation: str = "",
) -> Answer:
    """`texts` are question, answer, question …; the last is answered."""
    roles = ("user", "assistant")
    messages = tuple(PromptMessage(roles[i % 2], text) for i, text in enumerate(texts))
    command = Generate(1, messages, sampling, n_tokens, conversation=conversation)
    started = time.perf_counter()
    engine.send(command)
    first, parts = 0.0, []
    while not isinstance(event := engine.next_event(), Done):
        if isinstance(event, Text):
            first = first or time.perf_counter()
            parts.append(event.text)
    return Answer(((first or time.perf_counter()) - started) * 1000, "".join(parts), event)


def answer_once(load: Load, text: str, n_tokens: int, sampling: Sampling) -> dict[str, Any]:
    """In an engine of its own: speeds, first token, its largest size, and the text."""
    with BlockingEngine() as engine:
        engine.load(load)
        answer = ask(engine, [text], n_tokens, sampling)
        peak = peak_bytes(engine.client.pid)
    return {
        "ttft_ms": answer.ttft_ms,
        "tps": answer.done.tps,
        "prompt_tps": answer.done.prompt_tps,
        "peak_bytes": peak,
        "text": answer.text,
        "n_generated": answer.done.n_generated,
        "n_guessed": answer.done.n_guessed,
        "n_true": answer.done.n_true,
    }


def reference(module: str, model: Path, text: str, *arguments: int) -> dict[str, Any]:
    """What `tests.bench.<module>` prints, in a process of its own."""
    command = [sys.executable, "-m", f"tests.bench.{module}", str(model), *map(str, arguments)]
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def peak_bytes(pid: int) -> int:
    """The largest resident size of the process so far. Linux only, as the rest of this is."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def rendered(model: Path, text: str) -> str:
    """The prompt that the engine makes of `text`."""
    return ChatFormat(chat_template(read_header(model)), "", "").render(
        (PromptMessage("user", text),)
    )


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of what was measured side by side."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
