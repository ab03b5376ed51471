"""What `nibble bench` prints: the JSON document, and tables for people. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.cli.parsing import size
from app.core.benchmarks import BenchRecord, DepthResult, middle, spread
from app.engine.protocol import BenchProgress

_DIGITS = 3
_STEPS = {
    "warmup": "warming up",
    "depth": "filling the context",
    "prompt": "reading",
    "decode": "writing",
    "first": "waiting for a first token",
}


def best(records: Sequence[BenchRecord]) -> BenchRecord:
    """Of several numbers of layers on the GPU, the one that writes fastest."""
    return max(records, key=lambda record: record.tg_tps)


def progress(name: str, at: BenchProgress) -> str:
    depth = f" at depth {at.n_depth:,}" if at.n_depth else ""
    left = f", {at.left_s:.0f} s left" if at.left_s else ""
    return f"{name}: {at.share:4.0%} {_STEPS.get(at.step, at.step)}{depth}{left}"


# --- JSON -------------------------------------------------------------------------------------


def document(records: Sequence[BenchRecord]) -> dict[str, Any]:
    """Of one model. Where several numbers of layers were measured, the fastest one's figures stand
    at the top, and all of them in "sweep"."""
    result = _document(best(records))
    if len(records) > 1:
        result["sweep"] = [_document(record) for record in records]
    return {key: _rounded(value) for key, value in result.items()}


def _rounded(value: Any) -> Any:
    """No clock measures the digits beyond."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def _document(record: BenchRecord) -> dict[str, Any]:
    first = record.depths[0]
    return {
        "model": record.name,
        "path": record.path,
        "size_bytes": record.size_bytes,
        "device": record.device,
        "n_gpu_layers": record.n_gpu_layers,
        "n_threads": record.n_threads,
        "n_ctx": record.n_ctx,
        "kv_type": record.kv_type,
        "flash_attn": record.flash_attn,
        "llama_cpp": record.llama_cpp,
        "n_prompt": record.n_prompt,
        "n_gen": record.n_gen,
        "repetitions": len(first.tg_tps),
        **_speeds(first),
        "ttft_ms": middle(record.ttft_ms),
        "n_first": record.n_first,
        "ttft_cold_ms": _known(record.cold_ms),
        "ttft_warm_ms": _known(record.warm_ms),
        "ttft_restored_ms": _known(record.restored_ms),
        "load_ms": record.load_ms,
        "peak_bytes": record.peak_bytes,
        "bandwidth_bytes_per_s": record.bandwidth or None,
        "bandwidth_share": first.bandwidth_share,
        "depths": [
            {
                "n_depth": depth.n_depth,
                **_speeds(depth),
                "bandwidth_share": depth.bandwidth_share,
                "pp_tps_all": depth.pp_tps,
                "tg_tps_all": depth.tg_tps,
            }
            for depth in record.depths
        ],
        "pp_tps_all": first.pp_tps,
        "tg_tps_all": first.tg_tps,
        "ttft_ms_all": record.ttft_ms,
        "ttft_cold_ms_all": record.cold_ms,
        "ttft_warm_ms_all": record.warm_ms,
        "ttft_restored_ms_all": record.restored_ms,
    }


def _speeds(depth: DepthResult) -> dict[str, float]:
    return {
        "pp_tps": middle(depth.pp_tps),
        "pp_tps_spread": spread(depth.pp_tps),
        "tg_tps": middle(depth.tg_tps),
        "tg_tps_spread": spread(depth.tg_tps),
    }


def _known(values: Sequence[float]) -> float | None:
    return middle(values) if values else None


# --- for people -------------------------------------------------------------------------------


def lines(records: Sequence[BenchRecord]) -> Iterator[str]:
    """All about one model."""
    record = best(records)
    yield f"{record.name}, {size(record.size_bytes)}, {_place(record)}"
    attention = "on" if record.flash_attn else "off"
    yield f"{record.n_ctx:,} tokens of context as {record.kv_type}, flash attention {attention}"
    if record.bandwidth:
        yield f"Memory reads {record.bandwidth / 1e9:.1f} GB/s (measured)."
    yield ""
    yield from _speed_table(record)
    if len(records) > 1:
        yield ""
        yield from _sweep_table(records)
    yield ""
    yield from _wait_table(record)


def _place(record: BenchRecord) -> str:
    threads = f"{record.n_threads} {'thread' if record.n_threads == 1 else 'threads'}"
    if not record.n_gpu_layers:
        return f"{record.device}, {threads}"
    return f"{record.n_gpu_layers} layers on {record.device}, {threads}"


def _speed_table(record: BenchRecord) -> Iterator[str]:
    pp, tg = f"read t/s (pp{record.n_prompt})", f"write t/s (tg{record.n_gen})"
    yield f"{'depth':>7}  {pp:>22}  {tg:>22}  {'of memory’s speed':>18}"
    for depth in record.depths:
        reads, writes = _with_spread(depth.pp_tps), _with_spread(depth.tg_tps)
        yield f"{depth.n_depth:>7,}  {reads:>22}  {writes:>22}  {_share(depth):>18}"


def _share(depth: DepthResult) -> str:
    return "not known" if depth.bandwidth_share is None else f"{depth.bandwidth_share:.0%}"


def _with_spread(values: Sequence[float]) -> str:
    return f"{middle(values):.1f} ± {spread(values):.1f}"


def _sweep_table(records: Sequence[BenchRecord]) -> Iterator[str]:
    yield f"{'on GPU':>7}  {'read t/s':>10}  {'write t/s':>10}  {'load':>8}  {'memory':>9}"
    for record in records:
        figures = f"{record.pp_tps:>10.1f}  {record.tg_tps:>10.1f}  {record.load_ms / 1000:>6.1f} s"
        yield f"{record.n_gpu_layers:>7}  {figures}  {size(record.peak_bytes):>9}"


def _wait_table(record: BenchRecord) -> Iterator[str]:
    n = f"{record.n_first:,}"
    waits = (
        ("first token", record.ttft_ms, "of a short question, nothing cached"),
        ("", record.cold_ms, f"in a conversation of {n} tokens, all of it to be read"),
        ("", record.warm_ms, "in its next turn"),
        ("", record.restored_ms, "in its next turn, reopened from disk"),
    )
    for name, values, words in waits:
        if values:
            yield f"{name:<12} {middle(values):>9,.0f} ms  {words}"
    yield f"{'load':<12} {record.load_ms:>9,.0f} ms"
    yield f"{'memory':<12} {size(record.peak_bytes):>12}  at most"


def comparison(records: Sequence[BenchRecord]) -> Iterator[str]:
    """One line for each model."""
    yield (
        f"{'model':<36} {'file':>8} {'read t/s':>10} {'write t/s':>10} {'first':>9} {'memory':>9}"
    )
    for record in records:
        yield (
            f"{record.name:<36} {size(record.size_bytes):>8} {record.pp_tps:>10.1f}"
            f" {record.tg_tps:>10.1f} {middle(record.ttft_ms):>6.0f} ms"
            f" {size(record.peak_bytes):>9}"
        )
