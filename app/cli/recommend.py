"""`nibble recommend`: which variant to take, on this computer or on a simulated one, and why."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app import paths
from app.cli.parsing import add_command, positive, size, size_bytes
from app.core.catalog import load_catalog
from app.core.errors import QT_TRANSLATE_NOOP, AppError
from app.core.hardware import Hardware, simulated
from app.core.measured import read_speeds
from app.core.recommend import (
    N_CTX,
    Assessment,
    Recommendation,
    SpeedRecord,
    recommend,
    recommend_model,
)

_BACKENDS = ("cuda", "metal", "vulkan", "rocm", "cpu")
_KV_TYPES = ("f16", "q8_0", "q4_0")


class NothingFitsError(AppError):
    """No variant fits, or is worth having."""


def add(commands: Any) -> None:
    parser = add_command(commands, "recommend", run, "which variant to take, and why")
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="of the catalogue, installed, a file, REPO[:QUANT]; default: the best to begin with",
    )
    parser.add_argument(
        "--ctx", type=positive, default=N_CTX, metavar="N", help="tokens of context (%(default)s)"
    )
    parser.add_argument("--kv", choices=_KV_TYPES, help="how the context is kept; default: chosen")
    other = parser.add_argument_group("another computer, instead of this one")
    other.add_argument("--ram", type=size_bytes, metavar="B", help="16GB, 16GiB, 16G or bytes")
    other.add_argument(
        "--vram", type=size_bytes, action="append", metavar="B", help="once for each GPU"
    )
    other.add_argument(
        "--backend", choices=_BACKENDS, help="what computes; default: cuda with --vram, else cpu"
    )
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Exit code 1 where nothing can be recommended, with what would fit instead."""
    hardware = _hardware(options)
    measured = () if options.ram else read_speeds(paths.database_file())
    model_id, name, found = _recommendation(options, hardware, measured)
    if options.json:
        print(json.dumps(_document(model_id, found), indent=1))
    elif found.pick:
        _print(name, found.pick, found)
    if found.pick is None:
        text, hint, *_ = (*found.reasons, None)
        raise NothingFitsError(text or _NOTHING, hint)
    return 0


def _hardware(options: argparse.Namespace) -> Hardware:
    """The flags' computer, or this one. A wrong set of flags ends the program (exit code 2)."""
    if options.ram is None:
        if options.vram or options.backend:
            options.usage_error("--vram and --backend need --ram")
        from app.engine.client import examine

        return examine(paths.models_dir())
    backend = options.backend or ("cuda" if options.vram else "cpu")
    if options.vram and backend == "cpu":
        options.usage_error("--vram needs a --backend other than cpu")
    return simulated(options.ram, options.vram or (), backend)


def _recommendation(
    options: argparse.Namespace, hardware: Hardware, measured: tuple[SpeedRecord, ...]
) -> tuple[str, str, Recommendation]:
    if options.model is not None:
        from app.cli.subject import find_subject

        subject = find_subject(options.model)
        found = recommend(subject.candidates, hardware, options.ctx, options.kv, measured)
        return subject.id, subject.name, found
    best = recommend_model(load_catalog(), hardware, options.ctx, measured)
    if best is None:
        raise NothingFitsError(_NOTHING, _STARTER)
    model, found = best
    return model.id, model.name, found


def _document(model_id: str, found: Recommendation) -> dict[str, Any]:
    """Where nothing is recommended, what belongs to a pick is null."""
    pick = _pick(found.pick) if found.pick else dict.fromkeys(_PICK_KEYS)
    return {
        "model": model_id,
        **pick,
        "n_threads": found.n_threads,
        "reasons": [str(reason) for reason in found.reasons],
        "others": [_other(each) for each in found.others],
    }


_PICK_KEYS = (
    *("variant", "n_ctx", "n_gpu_layers", "kv_type", "total_bytes", "predicted_tps"),
    *("size_bytes", "fit"),
)


def _pick(pick: Assessment) -> dict[str, Any]:
    return {
        "variant": pick.candidate.variant,
        "n_ctx": pick.use.n_ctx,
        "n_gpu_layers": pick.plan.n_gpu_layers,
        "kv_type": pick.use.kv_type,
        "total_bytes": pick.plan.total_bytes,
        "predicted_tps": round(pick.predicted_tps, 1),
        "size_bytes": pick.candidate.size_bytes,
        "fit": pick.plan.fit.value,
    }


def _other(each: Assessment) -> dict[str, Any]:
    names = ("variant", "size_bytes", "total_bytes", "predicted_tps", "fit")
    return {name: _pick(each)[name] for name in names}


def _print(name: str, pick: Assessment, found: Recommendation) -> None:
    plan = pick.plan
    print(f"{name} {pick.candidate.variant}, {size(pick.candidate.size_bytes)}")
    for reason in found.reasons:
        print(f"  {reason}")
    where = f"{plan.n_gpu_layers} layers on the GPU, " if len(plan.devices) > 1 else ""
    print(
        f"  {size(plan.total_bytes)} of memory (predicted), context {pick.use.n_ctx}"
        f" as {pick.use.kv_type}, {where}{found.n_threads} threads"
    )


_NOTHING = QT_TRANSLATE_NOOP("cli", "No model of the catalogue fits this computer.")
_STARTER = QT_TRANSLATE_NOOP("cli", "The starter model needs the least: “nibble chat” uses it.")
