"""Predicted tokens per second: the roofline, the devices' sum, and the correction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.assessing import assess
from app.core.catalog import find_model
from app.core.fit import Use, plan
from app.core.hardware import Cpu, Gpu, GpuState, Hardware, simulated
from app.core.recommend import Candidate, candidates_of
from app.core.speed import SpeedRecord, default_threads, is_old, predict_tps

GB = 10**9


def candidate(id_: str, variant: str) -> Candidate:
    model = find_model(id_)
    assert model is not None
    return next(c for c in candidates_of(model) if c.variant == variant)


def machine(
    backend: str, bandwidth: int, free: int = 30 * GB, vendor: str = "", ram: int = 60
) -> Hardware:
    """One GPU with `free` bytes of memory, beside RAM that is read at `ram` GB/s."""
    gpu = Gpu("The GPU", vendor, free, free, GpuState.USED, backend, bandwidth=bandwidth * GB)
    cpu = Cpu("A processor", 8, 0, 16, ("avx2",))
    return Hardware(cpu, 64 * GB, 60 * GB, 10**12, gpus=(gpu,), ram_bandwidth=ram * GB)


def tps(hardware: Hardware, id_: str, variant: str, **use: int) -> float:
    chosen = candidate(id_, variant)
    if not use:
        return assess(chosen, hardware, 4096).predicted_tps
    wanted = Use(n_ctx=4096, n_gpu_layers=use["n_gpu_layers"])
    planned = plan(chosen.shape, wanted, hardware)
    return predict_tps(chosen.shape, wanted, planned, hardware)


# Published runs of llama.cpp (tg128): within a third is what a roofline can promise.
@pytest.mark.parametrize(
    ("hardware", "id_", "variant", "measured"),
    [
        (machine("cuda", 1008), "qwen3.6-27b", "Q4_K_M", 45),  # RTX 4090
        (machine("cuda", 1008), "llama-3.1-8b-instruct", "Q4_K_M", 133),  # RTX 3090 Ti
        (machine("cuda", 1792), "llama-3.1-8b-instruct", "Q4_K_M", 227),  # RTX 5090
        (machine("cuda", 936), "qwen3-30b-a3b-instruct-2507", "Q4_K_M", 150),  # RTX 3090
        (machine("metal", 120), "llama-3.1-8b-instruct", "Q4_K_M", 20.9),  # M4
        (machine("metal", 400), "llama-3.1-8b-instruct", "Q4_K_M", 46.2),  # M1 Max
        (machine("metal", 273), "qwen3.6-27b", "Q4_K_M", 12.0),  # M4 Pro
        (machine("rocm", 960), "qwen3.6-27b", "Q4_K_M", 28.4),  # RX 7900 XTX
    ],
)
def test_prediction_is_near_published_figures(
    hardware: Hardware, id_: str, variant: str, measured: float
) -> None:
    assert tps(hardware, id_, variant) == pytest.approx(measured, rel=0.33)


def test_smaller_files_of_a_model_are_faster() -> None:
    gpu = machine("cuda", 500)
    speeds = [tps(gpu, "qwen3-8b", v) for v in ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M")]
    assert speeds == sorted(speeds)


def test_each_layer_on_a_gpu_helps() -> None:
    gpu = machine("cuda", 500)
    speeds = [tps(gpu, "qwen3-8b", "Q4_K_M", n_gpu_layers=n) for n in (0, 1, 10, 20, 36, 37)]
    assert speeds == sorted(speeds)
    assert speeds[-1] > 5 * speeds[0]


def test_split_takes_the_time_of_both_devices() -> None:
    """Half of the layers each: the slow half decides, and the fast half comes on top."""
    gpu = machine("cuda", 500)
    whole, none, half = (tps(gpu, "qwen3-8b", "Q4_K_M", n_gpu_layers=n) for n in (37, 0, 18))
    assert 1 / half == pytest.approx((1 / whole + 1 / none) / 2, rel=0.1)


def test_two_gpus_take_turns() -> None:
    one = machine("cuda", 800, free=20 * GB)
    slower = replace(one.gpus[0], name="Another", bandwidth=400 * GB)
    two = replace(one, gpus=(*one.gpus, slower))
    fast, mixed = tps(one, "qwen3-14b", "Q8_0"), tps(two, "qwen3-14b", "Q8_0")
    assert fast / 2 < mixed < fast


def test_only_experts_in_use_are_read() -> None:
    gpu = machine("cuda", 500)
    experts, dense = "qwen3-30b-a3b-instruct-2507", "qwen3-32b"
    assert tps(gpu, experts, "Q4_K_M") > 3 * tps(gpu, dense, "Q4_K_M")


def test_few_cores_hold_a_fast_memory_up() -> None:
    slow = replace(simulated(32 * GB), ram_bandwidth=200 * GB, cpu=Cpu("", 2, 0, 4, ("avx2",)))
    fast = replace(slow, cpu=Cpu("", 16, 0, 32, ("avx2",)))
    assert tps(fast, "qwen3-8b", "Q6_K") > 3 * tps(slow, "qwen3-8b", "Q6_K")


def test_importance_types_cost_a_processor_more_arithmetic() -> None:
    slow = replace(simulated(32 * GB), ram_bandwidth=200 * GB, cpu=Cpu("", 4, 0, 8, ("avx2",)))
    shape = candidate("qwen3-8b", "Q3_K_M").shape
    usual = Candidate("Q3_K_M", shape, shape.file_bytes)
    packed = Candidate("IQ3_XXS", replace(shape, variant="IQ3_XXS"), shape.file_bytes)
    assert assess(packed, slow, 4096).predicted_tps < 0.5 * assess(usual, slow, 4096).predicted_tps


def test_old_processors_are_slow() -> None:
    cpu = Cpu("", 4, 0, 8, ("sse3", "avx"))
    assert is_old(cpu)
    assert not is_old(Cpu("", 4))
    assert not is_old(Cpu("", 4, features=("dotprod",)))
    new = simulated(16 * GB, cpu=Cpu("", 4, 0, 8, ("avx2",)))
    assert tps(replace(new, cpu=cpu), "qwen3-4b", "Q4_K_M") < tps(new, "qwen3-4b", "Q4_K_M")


def test_nobody_knows_the_bandwidth() -> None:
    for hardware in (machine("cuda", 0), machine("who knows", 0), machine("cpu", 0, ram=0)):
        assert 1 < tps(hardware, "qwen3-8b", "Q4_K_M") < 50
    nothing = replace(simulated(16 * GB), ram_bandwidth=0)
    assert 0.5 < tps(nothing, "qwen3-8b", "Q4_K_M") < 10


def test_what_was_measured_corrects() -> None:
    gpu = machine("cuda", 500)
    chosen = candidate("qwen3-8b", "Q4_K_M")
    plain = assess(chosen, gpu, 4096).predicted_tps

    def corrected(*records: SpeedRecord) -> float:
        return assess(chosen, gpu, 4096, measured=records).predicted_tps / plain

    half = SpeedRecord("The GPU", 100, 50)
    assert corrected(half) == pytest.approx(0.5)
    assert corrected(half, half, SpeedRecord("The GPU", 100, 5000)) == pytest.approx(0.5)
    assert corrected(SpeedRecord("CPU", 100, 50)) == 1
    assert corrected(SpeedRecord("The GPU", 0, 50), SpeedRecord("The GPU", 50, 0)) == 1


def test_correction_has_bounds_and_forgets() -> None:
    gpu = machine("cuda", 500)
    chosen = candidate("qwen3-8b", "Q4_K_M")
    plain = assess(chosen, gpu, 4096).predicted_tps
    for measured, share in ((1, 0.33), (10_000, 2.0)):
        records = (SpeedRecord("The GPU", 100, measured),)
        assert assess(chosen, gpu, 4096, measured=records).predicted_tps == pytest.approx(
            share * plain
        )
    new, old = [SpeedRecord("The GPU", 10, 8)] * 15, [SpeedRecord("The GPU", 10, 4)] * 100
    assert assess(chosen, gpu, 4096, measured=[*new, *old]).predicted_tps == pytest.approx(
        0.8 * plain
    )


def test_threads_are_the_fast_cores() -> None:
    assert default_threads(Cpu("", 16, 8, 24)) == 8
    assert default_threads(Cpu("", 4, 0, 8)) == 4
    assert default_threads(Cpu("", 1, 1, 1)) == 1
