"""The parent's side of a benchmark: what to ask for, and what the answer means on this computer."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from app.core import benchmarks
from app.core.benchmarks import BenchRecord, DepthResult, middle
from app.core.errors import ModelFileError
from app.core.fit import ModelShape, Use, shape_of
from app.core.fit.split import n_offloadable
from app.core.hardware import Hardware
from app.core.speed import ideal_tps
from app.engine.protocol import Bench, BenchDone, Loaded
from quantize.errors import GgufError
from quantize.gguf_split import read_model


def usual_bench(n_ctx: int, repetitions: int = benchmarks.REPETITIONS) -> Bench:
    """What a context of `n_ctx` tokens has room for of the usual measures."""
    return Bench(
        request_id=0,
        n_prompt=min(benchmarks.N_PROMPT, n_ctx),
        n_gen=min(benchmarks.N_GEN, n_ctx),
        repetitions=repetitions,
        n_first=benchmarks.N_FIRST,
    )


def shape_in(path: Path) -> ModelShape:
    """Raises ModelFileError."""
    try:
        return shape_of(read_model(path))
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error


def record_of(
    loaded: Loaded, asked: Bench, done: BenchDone, shape: ModelShape, computer: Hardware
) -> BenchRecord:
    """`done` as a record; the share of the bandwidth is that of `computer`."""
    return BenchRecord(
        model=loaded.name,
        variant=loaded.variant,
        path=loaded.path,
        size_bytes=loaded.size_bytes,
        device=loaded.device,
        n_gpu_layers=_n_layers(loaded, shape),
        n_threads=done.n_threads,
        n_ctx=loaded.n_ctx,
        kv_type=loaded.kv_type,
        flash_attn=loaded.flash_attn,
        llama_cpp=version("llama-cpp-python"),
        n_prompt=asked.n_prompt,
        n_gen=asked.n_gen,
        load_ms=loaded.load_ms,
        peak_bytes=done.peak_bytes,
        bandwidth=computer.ram_bandwidth,
        depths=_depths(loaded, asked, done, shape, computer),
        ttft_ms=done.ttft_ms,
        n_first=done.n_first,
        cold_ms=done.cold_ms,
        warm_ms=done.warm_ms,
        restored_ms=done.restored_ms,
    )


def _n_layers(loaded: Loaded, shape: ModelShape) -> int:
    """How many layers really are on a GPU; the output counts as one."""
    if loaded.device == "CPU":
        return 0
    most = n_offloadable(shape)
    return most if loaded.n_gpu_layers < 0 else min(loaded.n_gpu_layers, most)


def _depths(
    loaded: Loaded, asked: Bench, done: BenchDone, shape: ModelShape, computer: Hardware
) -> tuple[DepthResult, ...]:
    use = Use(loaded.n_ctx, loaded.kv_type)
    n_layers = _n_layers(loaded, shape)
    result = []
    for found in done.depths:
        between = found.n_depth + asked.n_gen // 2  # the depth grows while it is written
        ideal = ideal_tps(shape, use, n_layers, computer, between)
        reached = middle(found.tg_tps)
        share = reached / ideal if ideal and reached else None
        result.append(DepthResult(found.n_depth, found.pp_tps, found.tg_tps, share))
    return tuple(result)
