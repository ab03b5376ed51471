"""`nibble fit`: what a model will take of this computer's memory, part by part."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import paths
from app.cli.parsing import add_command, bounded, size
from app.cli.subject import Subject, find_subject
from app.core import settings
from app.core.errors import QT_TRANSLATE_NOOP, EngineError, Message, ModelFileError
from app.core.fit import DevicePlan, Fit, MemoryPlan, Use, advice, most_gpu_layers, plan
from app.core.hardware import Hardware
from app.core.measured import Measured, measured
from app.core.recommend import Candidate, recommend

_WIDTH = 50  # of a bar, in characters
_KV_TYPES = ("f16", "q8_0", "q4_0")
_USUAL = "Q4_K_M"
_N_CTX = 8192


def add(commands: Any) -> None:
    parser = add_command(commands, "fit", run, "how much memory a model takes, and if that is free")
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a GGUF file, an installed name, “starter”, of the catalogue, or REPO[:QUANT|:FILE]",
    )
    parser.add_argument(
        "--ctx",
        type=bounded(settings.N_CTX, int),
        default=_N_CTX,
        metavar="N",
        help="tokens of context (%(default)s)",
    )
    parser.add_argument("--kv", choices=_KV_TYPES, default="f16", help="how the context is kept")
    parser.add_argument(
        "--ngl", type=_layers, metavar="N", help="layers on the GPU; default: as many as fit"
    )
    parser.add_argument("--mmproj", action="store_true", help="with the part that sees pictures")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="load it and read a prompt as long as the context; shows the actual figures",
    )


def _layers(text: str) -> int:
    value = int(text)
    if value < -1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of layers (-1: all)")
    return value


_layers.__name__ = "number"


@dataclass(frozen=True, slots=True)
class _Question:
    candidate: Candidate
    name: str
    use: Use
    hardware: Hardware

    @property
    def path(self) -> Path | None:
        """Its file, where it is on this computer."""
        return self.candidate.key if isinstance(self.candidate.key, Path) else None


def run(options: argparse.Namespace) -> int:
    """Predict, and measure where that was asked for. Exit code 0 also where it does not fit."""
    from app.engine.client import examine

    subject = find_subject(options.model)
    hardware = examine(paths.models_dir())
    candidate = _chosen(subject, hardware, options)
    use = _use(candidate, hardware, options)
    question = _Question(candidate, subject.name, use, hardware)
    planned = _plan(question)
    taken = _measure(question, planned) if options.measure else None
    if options.json:
        print(json.dumps(_document(planned, taken), indent=1))
    else:
        _print(question, planned, taken)
    return 0


def _chosen(subject: Subject, hardware: Hardware, options: argparse.Namespace) -> Candidate:
    """The variant that was named, the recommended one, or the usual one."""
    candidates = subject.candidates
    if len(candidates) > 1:
        pick = recommend(candidates, hardware, options.ctx, options.kv).pick
        if pick is not None:
            return pick.candidate
    usual = (each for each in candidates if each.variant == _USUAL)
    return next(usual, candidates[-1])


def _use(candidate: Candidate, hardware: Hardware, options: argparse.Namespace) -> Use:
    use = Use(options.ctx, options.kv, with_mmproj=options.mmproj)
    n = options.ngl
    if n is None:
        n = most_gpu_layers(candidate.shape, use, hardware)
    return Use(options.ctx, options.kv, n_gpu_layers=n, with_mmproj=options.mmproj)


def _plan(question: _Question) -> MemoryPlan:
    """llama.cpp's own figures where the file is here, the formulas' otherwise."""
    shape = question.candidate.shape
    if question.path is not None:
        from app.engine.client import exact_plan

        try:
            return exact_plan(question.path, question.use, question.hardware, shape.mmproj_bytes)
        except EngineError as error:
            print(error.text, error.hint or "", file=sys.stderr)
    return plan(shape, question.use, question.hardware)


def _measure(question: _Question, planned: MemoryPlan) -> Measured:
    """Load it as the window would, and fill its context."""
    from app.engine.client import BlockingEngine
    from app.engine.protocol import Bench, BenchDone, BenchProgress, Load

    if question.path is None:
        raise ModelFileError(
            QT_TRANSLATE_NOOP("cli", "Only a model on this computer can be measured."),
            QT_TRANSLATE_NOOP("cli", "“nibble pull” gets it."),
        )
    use = question.use
    command = Load(
        str(question.path), n_ctx=use.n_ctx, n_gpu_layers=use.n_gpu_layers, kv_type=use.kv_type
    )
    with BlockingEngine() as engine:
        loaded = engine.load(command)
        print(f"Reading a prompt of {loaded.n_ctx:,} tokens …", file=sys.stderr)
        engine.send(Bench(1, n_prompt=loaded.n_ctx - 1, n_gen=1, repetitions=1))
        while isinstance(done := engine.next_event(), BenchProgress):
            pass
    assert isinstance(done, BenchDone)
    return measured(loaded.memory.total_bytes, done.peak_bytes, planned)


def _document(planned: MemoryPlan, taken: Measured | None) -> dict[str, Any]:
    result: dict[str, Any] = {
        "weights_bytes": planned.weights_bytes,
        "kv_bytes": planned.kv_bytes,
        "compute_bytes": planned.compute_bytes,
        "mmproj_bytes": planned.mmproj_bytes,
        "host_bytes": planned.host_bytes,
        "total_bytes": planned.total_bytes,
        "free_bytes": planned.free_bytes,
        "fits": planned.fits,
        "fit": planned.fit.value,
        "n_ctx": planned.n_ctx,
        "kv_type": planned.kv_type,
        "n_gpu_layers": planned.n_gpu_layers,
        "is_exact": planned.is_exact,
        "devices": [_device(device) for device in planned.devices],
    }
    if taken is not None:
        result |= {
            "actual_bytes": taken.actual_bytes,
            "peak_rss_bytes": taken.peak_rss_bytes,
            "error": taken.error,
        }
    return result


def _device(device: DevicePlan) -> dict[str, Any]:
    return {
        "device": device.device,
        "total_bytes": device.total_bytes,
        "free_bytes": device.free_bytes,
    }


# --- for people -------------------------------------------------------------------------------


_PARTS = (("█", "model"), ("▓", "context"), ("▒", "work"), ("░", "program"))
_VERDICTS = {
    Fit.FITS: "It fits.",
    Fit.TIGHT: "It fits, but only just: other programs may have to give way.",
    Fit.DOES_NOT_FIT: "It does not fit.",
}


def _print(question: _Question, planned: MemoryPlan, taken: Measured | None) -> None:
    candidate = question.candidate
    print(f"{question.name} {candidate.variant}, {planned.n_ctx:,} tokens of {planned.kv_type}")
    for device in planned.devices:
        parts = (
            device.weights_bytes + device.mmproj_bytes,
            device.kv_bytes,
            device.compute_bytes,
            device.host_bytes,
        )
        if not sum(parts):
            continue
        print(f"\n{device.device}: {size(sum(parts))} of {size(device.free_bytes)} free")
        print(_bar(parts, device.free_bytes))
        words = zip(_PARTS, parts, strict=True)
        print("  ".join(f"{mark} {name} {size(part)}" for (mark, name), part in words if part))
        if device.reserve_bytes:
            print(f"The driver takes {size(device.reserve_bytes)} more of what is free.")
    print(f"\nTogether {size(planned.total_bytes)}, {_how(planned)}. {_VERDICTS[planned.fit]}")
    if not planned.fits:
        for way in _ways_on(question):
            print(f"- {way}")
    if taken is not None:
        print(
            f"Actually {size(taken.actual_bytes)}: the prediction is {taken.error:+.1%} off."
            f" Most of it resident at once: {size(taken.peak_rss_bytes)}."
        )


def _ways_on(question: _Question) -> tuple[Message, ...]:
    """What would make it fit, or what fits in its place."""
    candidate, use = question.candidate, question.use
    ways = advice(candidate.shape, use, question.hardware)
    return ways or recommend((candidate,), question.hardware, use.n_ctx, use.kv_type).reasons


def _how(planned: MemoryPlan) -> str:
    return "as llama.cpp says" if planned.is_exact else "predicted"


def _bar(parts: tuple[int, ...], free: int) -> str:
    """The whole bar is what is free; more than that goes on behind its end."""
    text, so_far, scale = "", 0, max(free, 1)
    for (mark, _), part in zip(_PARTS, parts, strict=True):
        so_far += part
        text += mark * (min(round(so_far * _WIDTH / scale), 2 * _WIDTH) - len(text))
    if len(text) <= _WIDTH:
        return f"[{text:·<{_WIDTH}}]"
    return f"[{text[:_WIDTH]}]{text[_WIDTH:]}"
