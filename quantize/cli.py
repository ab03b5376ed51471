"""The command line's part that `nibble quantize` and `python -m quantize` share: flags to a job,
events to lines. Runs nothing itself.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import msgspec

from quantize import job as j
from quantize.job import AnyEvent, Event, Job, KvOverride, MatrixJob, Recipe, TensorType
from quantize.messages import Message
from quantize.variants import LADDER, VARIANTS

_KV_TYPES = ("int", "float", "bool", "str")


def add_quantize_arguments(parser: argparse.ArgumentParser, default_out: Path) -> None:
    """The flags of `quantize`; the last group has llama.cpp's own names."""
    parser.add_argument("source", nargs="?", help="a folder with .safetensors files, or a GGUF")
    parser.add_argument("-t", "--type", action="append", default=[], help="repeat for several")
    parser.add_argument(
        "-o", "--out", type=Path, default=default_out, metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--imatrix", default="none", metavar="none|auto|FILE", help="importance matrix"
    )
    parser.add_argument("--imatrix-precision", choices=("q8_0", "bf16"), default="q8_0")
    parser.add_argument("--dry-run", action="store_true", help="say what it would take, and end")
    parser.add_argument("--threads", type=_natural, default=0, help="default: physical cores")
    parser.add_argument("--list-types", action="store_true", help="every type, in words")
    parser.add_argument("--inspect", type=Path, metavar="FILE", help="what a GGUF holds")
    parser.add_argument(
        "--against", type=Path, metavar="SRC", help="with --inspect: compare the chat template"
    )
    _add_recipe_arguments(parser.add_argument_group("as in llama.cpp's llama-quantize"))


def _add_recipe_arguments(group: Any) -> None:
    group.add_argument("--pure", action="store_true", help="one type for all tensors")
    group.add_argument(
        "--tensor-type", action="append", default=[], type=_tensor_type, metavar="REGEX=TYPE"
    )
    group.add_argument("--output-tensor-type", default="", metavar="TYPE")
    group.add_argument("--token-embedding-type", default="", metavar="TYPE")
    group.add_argument("--leave-output-tensor", action="store_true")
    group.add_argument("--prune-layers", type=_layers, default=(), metavar="N,N…")
    group.add_argument(
        "--override-kv", action="append", default=[], type=_kv_override, metavar="KEY=TYPE:VALUE"
    )
    group.add_argument(
        "--allow-requantize", action="store_true", help="a source that is quantized already"
    )


def add_imatrix_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `imatrix`."""
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("-f", "--file", default="", metavar="TEXT", help="default: a built-in text")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--threads", type=_natural, default=0, help="default: physical cores")


def job_from(options: argparse.Namespace) -> Job:
    """The job that `add_quantize_arguments`'s flags ask for. Without types: the whole ladder."""
    types = options.type or [kind.name for kind in LADDER]
    return Job(
        source=_path(options.source),
        types=tuple(types),
        out_dir=_path(options.out),
        imatrix=_matrix(options.imatrix),
        imatrix_precision=options.imatrix_precision,
        recipe=Recipe(
            pure=options.pure,
            tensor_types=tuple(options.tensor_type),
            output_tensor_type=options.output_tensor_type,
            token_embedding_type=options.token_embedding_type,
            leave_output_tensor=options.leave_output_tensor,
            prune_layers=options.prune_layers,
            override_kv=tuple(options.override_kv),
            allow_requantize=options.allow_requantize,
        ),
        n_threads=options.threads,
        dry_run=options.dry_run,
    )


def usage_problem(options: argparse.Namespace) -> str:
    """What is missing among the flags, in words; "" for nothing."""
    if options.list_types or options.inspect:
        return ""
    if not options.source:
        return "say what to quantize: a folder with .safetensors files, or a GGUF"
    if not options.type and not options.dry_run:
        return "say which type: -t Q4_K_M; --list-types names them all"
    return ""


def matrix_job_from(options: argparse.Namespace) -> MatrixJob:
    """The job that `add_imatrix_arguments`'s flags ask for."""
    text = _path(options.file) if options.file else ""
    return MatrixJob(_path(options.model), _path(options.out), text, options.threads)


def list_types(as_json: bool) -> str:
    """Every type with bits per weight, a sentence, and whether it needs an importance matrix."""
    if as_json:
        return json.dumps([_variant_entry(variant) for variant in VARIANTS], indent=1)
    lines = [f"{'type':<10} {'bits':>5}  {'matrix':<6}  in words"]
    lines += [
        f"{v.file_type.name:<10} {v.bpw:>5.2f}  {'needed' if v.needs_imatrix else '':<6}  {v.words}"
        for v in VARIANTS
    ]
    return "\n".join(lines)


def inspect(path: Path, against: Path | None, as_json: bool) -> str:
    """What the GGUF at `path` holds, and how its chat template differs from `against`'s."""
    from quantize.inspect import inspect_file, render, to_json

    inspection = inspect_file(path, against)
    return json.dumps(to_json(inspection), indent=1) if as_json else render(inspection)


def _variant_entry(variant: Any) -> dict[str, Any]:
    return {
        "type": variant.file_type.name,
        "bpw": variant.bpw,
        "needs_imatrix": variant.needs_imatrix,
        "words": str(variant.words),
    }


# --- events -----------------------------------------------------------------------------------


class Printer:
    """Writes events: JSON lines, or for people; progress goes to stderr, on one line."""

    def __init__(self, as_json: bool, out: TextIO | None = None) -> None:
        self._as_json = as_json
        self._out = out or sys.stdout
        self._line = _StatusLine()

    def __call__(self, event: AnyEvent | Event) -> None:
        if self._as_json:
            if not isinstance(event, j.Heartbeat):
                self._print(json.dumps(plain(event)))
            return
        self._line.clear()
        show = _SHOWN.get(type(event))
        if show is not None:
            self._print(show(event))
        status = _STATUS.get(type(event))
        if status is not None:
            self._line.show(status(event))

    def error(self, text: Message, hint: Message | None) -> None:
        """With --json, the line that says why the job failed; the sentence itself is stderr's."""
        self._line.clear()
        if self._as_json:
            line = {"event": "error", "text": str(text), "hint": str(hint) if hint else ""}
            self._print(json.dumps(line))

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class _StatusLine:
    """One line on stderr that is written over, where stderr is a terminal."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, text: str) -> None:
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{text[:width]:<{width}}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{'':<{width}}\r", end="", file=sys.stderr, flush=True)
            self._shown = False


def plain(value: Any) -> Any:
    """An event as JSON can hold it, its sentences in English."""
    if isinstance(value, Message):
        return str(value)
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        head = {"event": tag} if tag else {}
        return head | {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def _plan_text(plan: j.Plan) -> str:
    lines = [
        f"{plan.name}: {plan.architecture}, {plan.n_params / 1e9:.2f} B weights in"
        f" {plan.n_tensors} tensors, {plan.source_type}, {_size(plan.source_bytes)}",
        f"{'type':<10} {'file':>9} {'bits':>5} {'time':>9}  kept larger",
    ]
    lines += [_file_text(file, plan.n_tensors) for file in plan.files]
    lines.append(
        f"Disk {_size(plan.peak_disk_bytes)} of {_size(plan.disk_free_bytes)} free, memory"
        f" {_size(plan.peak_memory_bytes)}, about {_duration(plan.seconds)}"
        f" with {plan.n_threads} threads."
    )
    lines += [f"Warning: {text}" for text in plan.warnings]
    lines += [f"Problem: {text}" for text in plan.problems]
    return "\n".join(lines)


def _file_text(file: j.PlannedFile, n_tensors: int) -> str:
    text = (
        f"{file.type:<10} {_size(file.size_bytes):>9} {file.bpw:>5.2f} {_duration(file.seconds):>9}"
    )
    if file.n_fallback:
        text += f"  {file.n_fallback} of {n_tensors} tensors"
    if file.problem:
        text += f"  {file.problem}"
    return text


def _done_text(done: j.FileDone) -> str:
    parts = sorted(done.composition.items(), key=lambda item: -item[1])
    mix = ", ".join(f"{name} {n / max(1, done.size_bytes):.0%}" for name, n in parts)
    return (
        f"{done.path}\n  {_size(done.size_bytes)}, {done.bpw:.2f} bits per weight ({mix}),"
        f" {done.seconds:.1f} s\n  sha256 {done.sha256}"
    )


def _matrix_text(done: j.MatrixDone) -> str:
    return f"{done.path}\n  importance matrix from {done.n_tokens} tokens, {done.seconds:.1f} s"


_SHOWN: dict[type, Callable[[Any], str]] = {
    j.Plan: _plan_text,
    j.FileDone: _done_text,
    j.MatrixDone: _matrix_text,
    j.Cancelled: lambda _: "Cancelled; nothing was left behind.",
}
_STATUS: dict[type, Callable[[Any], str]] = {
    j.MatrixProgress: lambda e: (
        f"importance matrix, {e.step}: {e.n_done / max(1, e.n_total):.0%},"
        f" {_duration(e.eta_s)} left"
    ),
    j.Progress: lambda e: _progress_text(e.name, e),
    j.TensorDone: lambda e: _progress_text(f"{e.index}/{e.n_tensors} {e.name}", e),
}


def _progress_text(name: str, event: j.Progress | j.TensorDone) -> str:
    return f"{name}  {event.mb_per_s:.0f} MB/s, {_duration(event.eta_s)} left"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


# --- flags ------------------------------------------------------------------------------------


def _path(text: str | Path) -> str:
    return str(Path(text).expanduser().absolute())


def _matrix(text: str) -> str:
    return text if text in ("none", "auto") else _path(text)


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _tensor_type(text: str) -> TensorType:
    pattern, separator, type_ = text.rpartition("=")
    if not separator or not pattern or not type_:
        raise argparse.ArgumentTypeError(f"{text!r} is not REGEX=TYPE")
    return TensorType(pattern, type_)


def _layers(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({_natural(part) for part in text.split(",")}))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of layer numbers") from error


def _kv_override(text: str) -> KvOverride:
    key, _, typed = text.partition("=")
    type_, separator, value = typed.partition(":")
    if not key or not separator or type_ not in _KV_TYPES:
        kinds = ", ".join(_KV_TYPES)
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=TYPE:VALUE with TYPE of {kinds}")
    return KvOverride(key, type_, value)
