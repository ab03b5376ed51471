"""A chat's speed and memory, in one run: the loop itself, turns, reopening, guessing.

Every figure is a median over `repetitions`, of pairs that were measured one after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench import engine, lookup, turns
from tests.bench.models import chat_models, widened
from tests.bench.prompts import DEPTHS

_DEPTH = 1000


def measure(starter: Path, repetitions: int) -> dict[str, Any]:
    with chat_models(starter) as models:
        bare = {name: engine.against_bare_loop(path, _DEPTH, repetitions) for name, path in models}
        found = {
            "bare_loop": bare,
            "chat_completion": {
                str(depth): engine.against_both(starter, depth, repetitions) for depth in DEPTHS
            },
            "turns": {name: turns.measure(path, repetitions) for name, path in models[:2]},
        }
    with widened(starter) as wide:
        found["lookup"] = lookup.measure(wide, repetitions)
    return found


Row = tuple[str, float, str]


def rows(found: dict[str, Any]) -> list[Row]:
    """Name, what was reached, what is wanted."""
    return [
        *_parity_rows(found["bare_loop"]),
        *_completion_rows(found["chat_completion"]),
        *_turn_rows(found["turns"]),
        *_lookup_rows(found["lookup"]),
    ]


def _parity_rows(found: dict[str, Any]) -> list[Row]:
    result = []
    for name, each in found.items():
        short = name.removeprefix("SmolLM2-135M-Instruct-")
        result += [
            (f"{short}: decode / bare loop", each["tps"]["ratio"], ">= 0.98"),
            (f"{short}: prompt / bare loop", each["prompt_tps"]["ratio"], ">= 0.98"),
            (f"{short}: peak memory / bare loop", each["peak_bytes"]["ratio"], "<= 1.05"),
            (f"{short}: answers that are the same text", each["same_text"], ""),
        ]
    return result


def _completion_rows(found: dict[str, Any]) -> list[Row]:
    return [
        row
        for depth, each in found.items()
        for row in (
            (f"decode / bare loop at {depth}", each["ratio_to_bare_loop"], ">= 0.98"),
            (
                f"decode / create_chat_completion at {depth}",
                each["ratio_to_create_chat_completion"],
                ">= 1.0",
            ),
        )
    ]


def _turn_rows(found: dict[str, Any]) -> list[Row]:
    return [
        row
        for name, each in found.items()
        for row in (
            (f"{name}: second turn's first token / cold", each["warm_to_cold"], "<= 0.10"),
            (f"{name}: reopened from disk / cold", each["reopened_to_cold"], "<= 0.10"),
            (f"{name}: state / KV bytes in use", each["state_to_kv"], "<= 1.2"),
        )
    ]


def _lookup_rows(found: dict[str, Any]) -> list[Row]:
    costs, rewriting, prose = found["costs"], found["rewriting"], found["prose"]
    return [
        ("starter as F32: prompt speed / decode speed", costs["read_to_write"], ">= 4"),
        *((f"a pass over {n} tokens / over one", cost, "") for n, cost in costs["costs"]),
        ("rewriting: decode with guesses / without", rewriting["ratio"], ">= 1.5"),
        ("rewriting: tokens per pass", rewriting["tokens_per_pass"], ""),
        ("rewriting: answers that are the same text", rewriting["same_text"], "1"),
        ("free prose: decode with guesses / without", prose["ratio"], ">= 0.97"),
        ("free prose: tokens per pass", prose["tokens_per_pass"], ""),
        ("free prose: answers that are the same text", prose["same_text"], "1"),
    ]
