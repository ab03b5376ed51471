"""What the benchmark's pieces say: figures, conditions and steps in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QCoreApplication

from app.core.benchmarks import BenchRecord, middle
from app.engine.protocol import BenchProgress
from app.ui import words

translate = QCoreApplication.translate


def step(progress: BenchProgress | None) -> str:
    """What is being done, and how long the whole still takes."""
    if progress is None:
        return translate("Benchmark", "Looking at this computer…")
    doing = {
        "warmup": translate("Benchmark", "Warming up"),
        "depth": translate("Benchmark", "Filling the context"),
        "prompt": translate("Benchmark", "Measuring reading"),
        "decode": translate("Benchmark", "Measuring writing"),
        "first": translate("Benchmark", "Measuring the wait for a first word"),
    }[progress.step]
    if not progress.left_s:
        return f"{doing}…"
    left = words.duration(progress.left_s)
    return translate("Benchmark", "{doing}, about {left} left").format(doing=doing, left=left)


def conditions(record: BenchRecord) -> str:
    """How it was run: a figure without that says little."""
    n_threads = words.count(record.n_threads)
    threads = translate("Benchmark", "threads: {n}").format(n=n_threads)
    parts = [record.device, threads]
    if record.n_gpu_layers:
        parts.append(
            translate("Benchmark", "{n} layers on the GPU").format(
                n=words.count(record.n_gpu_layers)
            )
        )
    context = translate("Benchmark", "{n_ctx} tokens as {kv_type}")
    parts.append(context.format(n_ctx=words.count(record.n_ctx), kv_type=record.kv_type))
    attention = translate("Benchmark", "flash attention on")
    return " · ".join([*parts, attention] if record.flash_attn else parts)


def wait(values: Sequence[float]) -> str:
    """Milliseconds in words, "…" where nothing was measured."""
    return words.seconds(middle(values)) if values else "…"


def when(record: BenchRecord) -> str:
    """ "24 Nov 2026, 14:02" in the user's way."""
    moment = datetime.fromtimestamp(record.created_at)
    return words.locale().toString(moment, words.locale().FormatType.ShortFormat)


def share(record: BenchRecord) -> str:
    """ "68 % of 21.4 GB/s"."""
    percent = words.count(round(100 * (record.bandwidth_share or 0.0)))
    speed = words.decimal(record.bandwidth / 1e9)
    return translate("Benchmark", "{percent} % of {speed} GB/s").format(
        percent=percent, speed=speed
    )


def short(record: BenchRecord) -> str:
    """One line for the inspector."""
    text = translate("Benchmark", "writes {tg}, reads {pp} tokens/s")
    return text.format(tg=words.speed(record.tg_tps), pp=words.speed(record.pp_tps))


def details(record: BenchRecord) -> str:
    """The second line of an earlier result."""
    parts = (
        translate("Benchmark", "reads {pp} tokens/s").format(pp=words.speed(record.pp_tps)),
        translate("Benchmark", "first word {wait}").format(wait=wait(record.ttft_ms)),
        translate("Benchmark", "memory {size}").format(size=words.size(record.peak_bytes)),
        translate("Benchmark", "file {size}").format(size=words.size(record.size_bytes)),
        when(record),
    )
    return " · ".join(parts)
