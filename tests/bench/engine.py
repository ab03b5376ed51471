"""First token and decode speed: the engine child through its pipe, against the bare loop and
llama-cpp-python's own chat, interleaved in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.engine.protocol import Load
from tests.bench.asking import answer_once, ratio, reference, rendered
from tests.bench.prompts import DEPTHS, N_CTX, SHORT, question, sampling_with

N_TOKENS = 128


def measure(model: Path, repetitions: int) -> dict[str, Any]:
    """{"first_token": …, "decode": {depth: …}}, every figure with all its measurements."""
    result: dict[str, Any] = {"first_token": _first_token(model, repetitions), "decode": {}}
    for depth in DEPTHS:
        result["decode"][str(depth)] = against_both(model, depth, repetitions)
    return result


def _first_token(model: Path, repetitions: int) -> dict[str, Any]:
    ours, bare, high = [], [], []
    for seed in range(repetitions):
        bare.append(_bare(model, SHORT, 8, seed)["ttft_ms"])
        ours.append(_ours(model, SHORT, 8, seed)["ttft_ms"])
        high.append(reference("high_level", model, SHORT, N_CTX, 8, seed)["ttft_ms"])
    return _compared("ttft_ms", ours, bare, high)


def against_both(model: Path, depth: int, repetitions: int) -> dict[str, Any]:
    text = question(depth)
    ours, bare, high = [], [], []
    for seed in range(repetitions):
        theirs = _bare(model, text, N_TOKENS, seed)
        own = _ours(model, text, N_TOKENS, seed)
        if own["text"] != theirs["text"]:
            raise SystemExit(f"depth {depth}, seed {seed}: the two wrote different texts")
        bare.append(theirs["tps"])
        ours.append(own["tps"])
        high.append(reference("high_level", model, text, N_CTX, N_TOKENS, seed)["tps"])
    return {"n_prompt": theirs["n_prompt"], **_compared("tps", ours, bare, high)}


def against_bare_loop(model: Path, depth: int, repetitions: int) -> dict[str, Any]:
    """Decode, prompt and memory. `same_text`: the share of the answers that are the same text."""
    text = question(depth)
    pairs = [
        (_ours(model, text, N_TOKENS, seed), _bare(model, text, N_TOKENS, seed))
        for seed in range(repetitions)
    ]
    found: dict[str, Any] = {"n_prompt": pairs[0][1]["n_prompt"]}
    for figure in ("tps", "prompt_tps", "ttft_ms", "peak_bytes"):
        ours, bare = [own[figure] for own, _ in pairs], [theirs[figure] for _, theirs in pairs]
        found[figure] = {"nibble": ours, "bare_loop": bare, "ratio": ratio(ours, bare)}
    found["same_text"] = sum(a["text"] == b["text"] for a, b in pairs) / len(pairs)
    return found


def _compared(
    figure: str, ours: list[float], bare: list[float], high: list[float]
) -> dict[str, Any]:
    return {
        figure: {"nibble": ours, "bare_loop": bare, "create_chat_completion": high},
        "ratio_to_bare_loop": ratio(ours, bare),
        "ratio_to_create_chat_completion": ratio(ours, high),
    }


def _ours(model: Path, text: str, n_tokens: int, seed: int) -> dict[str, Any]:
    """Nothing guessed: what is compared is the loop itself."""
    return answer_once(
        Load(str(model), n_ctx=N_CTX, lookup=False), text, n_tokens, sampling_with(seed)
    )


def _bare(model: Path, text: str, n_tokens: int, seed: int) -> dict[str, Any]:
    return reference("bare_loop", model, rendered(model, text), N_CTX, n_tokens, seed)
