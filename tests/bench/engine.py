"""First token and decode speed: the engine child through its pipe, against the bare loop and
llama-cpp-python's own chat, interleaved in one run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from app.engine.client import BlockingEngine
from app.engine.protocol import Done, Generate, Load, PromptMessage, Text
from app.engine.template import ChatTemplate
from quantize.gguf_header import read_header
from tests.bench.prompts import DEPTHS, N_CTX, SHORT, question, sampling_with

N_TOKENS = 128


def measure(model: Path, repetitions: int) -> dict[str, Any]:
    """{"first_token": …, "decode": {depth: …}}, every figure with all its measurements."""
    result: dict[str, Any] = {"first_token": _first_token(model, repetitions), "decode": {}}
    for depth in DEPTHS:
        result["decode"][str(depth)] = _decode(model, depth, repetitions)
    return result


def _first_token(model: Path, repetitions: int) -> dict[str, Any]:
    ours, bare, high = [], [], []
    for seed in range(repetitions):
        bare.append(_reference("bare_loop", model, rendered(model, SHORT), 8, seed)["ttft_ms"])
        ours.append(_ours(model, SHORT, 8, seed)["ttft_ms"])
        high.append(_reference("high_level", model, SHORT, 8, seed)["ttft_ms"])
    return _compared("ttft_ms", ours, bare, high)


def _decode(model: Path, depth: int, repetitions: int) -> dict[str, Any]:
    text = question(depth)
    ours, bare, high = [], [], []
    for seed in range(repetitions):
        reference = _reference("bare_loop", model, rendered(model, text), N_TOKENS, seed)
        own = _ours(model, text, N_TOKENS, seed)
        if own["text"] != reference["text"]:
            raise SystemExit(f"depth {depth}, seed {seed}: the two wrote different texts")
        bare.append(reference["tps"])
        ours.append(own["tps"])
        high.append(_reference("high_level", model, text, N_TOKENS, seed)["tps"])
    return {"n_prompt": reference["n_prompt"], **_compared("tps", ours, bare, high)}


def _compared(
    figure: str, ours: list[float], bare: list[float], high: list[float]
) -> dict[str, Any]:
    return {
        figure: {"nibble": ours, "bare_loop": bare, "create_chat_completion": high},
        "ratio_to_bare_loop": statistics.median(a / b for a, b in zip(ours, bare, strict=True)),
        "ratio_to_create_chat_completion": statistics.median(
            a / b for a, b in zip(ours, high, strict=True)
        ),
    }


def _ours(model: Path, text: str, n_tokens: int, seed: int) -> dict[str, Any]:
    """As seen from the parent: from the command's sending to the first text's arrival."""
    with BlockingEngine() as engine:
        engine.load(Load(str(model), n_ctx=N_CTX))
        command = Generate(1, (PromptMessage("user", text),), sampling_with(seed), n_tokens)
        started = time.perf_counter()
        engine.send(command)
        first, parts = 0.0, []
        while not isinstance(event := engine.next_event(), Done):
            if isinstance(event, Text):
                first = first or time.perf_counter()
                parts.append(event.text)
    return {"ttft_ms": (first - started) * 1000, "tps": event.tps, "text": "".join(parts)}


def _reference(module: str, model: Path, text: str, n_tokens: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", f"tests.bench.{module}", str(model), str(N_CTX)]
    result = subprocess.run(
        [*command, str(n_tokens), str(seed)], input=text, capture_output=True, text=True, check=True
    )
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def rendered(model: Path, text: str) -> str:
    template = ChatTemplate(read_header(model).chat_template, "", "")
    return template.render((PromptMessage("user", text),))
