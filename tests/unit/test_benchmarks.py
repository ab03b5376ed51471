"""Benchmarks kept and compared: medians, the newest of each file, the bandwidth they reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.benchmarks import (
    BenchRecord,
    DepthResult,
    latest_of_each,
    machine_of,
    middle,
    spread,
)
from app.core.fit import Layer, ModelShape, Use
from app.core.hardware import Cpu, Gpu, GpuState, Hardware, simulated
from app.core.speed import ideal_tps
from app.core.store import Store

GB = 10**9
RECORD = BenchRecord(
    model="SmolLM2 135M",
    variant="Q4_1",
    path="/models/smollm2.gguf",
    size_bytes=98_362_432,
    device="CPU",
    n_gpu_layers=0,
    n_threads=2,
    n_ctx=4096,
    kv_type="f16",
    flash_attn=False,
    llama_cpp="0.3.36",
    n_prompt=512,
    n_gen=128,
    load_ms=612.0,
    peak_bytes=309_000_000,
    bandwidth=21 * GB,
    depths=(DepthResult(0, (590.0, 611.0, 605.0), (148.0, 90.0, 149.0), 0.66),),
    ttft_ms=(61.0,),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "conversations.db", tmp_path / "lock", clock=lambda: 1234.5)
    yield opened
    opened.close()


def test_records_are_kept_by_machine_the_newest_first(store: Store) -> None:
    first = store.record_benchmark("here", RECORD)
    second = store.record_benchmark("here", replace(RECORD, variant="Q8_0"))
    store.record_benchmark("there", RECORD)
    assert first == replace(RECORD, created_at=1234.5)
    assert store.benchmarks("here") == (second, first)
    assert store.benchmarks("nowhere") == ()


def test_a_record_of_another_version_is_left_out(store: Store) -> None:
    kept = store.record_benchmark("here", RECORD)
    sql = (
        "INSERT INTO benchmarks (machine, model, variant, record, created_at)"
        " VALUES ('here', 'x', '', ?, 0)"
    )
    for packed in ("{}", "not JSON", '{"model": 3}'):
        store._connection.execute(sql, (packed,))
    assert store.benchmarks("here") == (kept,)


def test_medians_pass_over_a_wild_measurement() -> None:
    assert RECORD.tg_tps == 148.0
    assert spread(RECORD.depths[0].tg_tps) == 1.0
    assert middle(()) == spread(()) == 0.0


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=9))
def test_a_spread_is_no_larger_than_the_range(values: list[float]) -> None:
    assert 0 <= spread(values) <= max(values) - min(values)
    assert min(values) <= middle(values) <= max(values)


def test_the_newest_of_each_file_counts() -> None:
    other = replace(RECORD, variant="Q8_0")
    newest = replace(RECORD, n_threads=1)
    requantized = replace(RECORD, size_bytes=99)
    found = latest_of_each((newest, other, RECORD, requantized))
    assert found == (newest, other, requantized)


def test_a_machine_is_named_by_what_does_not_change() -> None:
    now = simulated(16 << 30)
    later = replace(now, ram_available_bytes=1, disk_free_bytes=2, ram_bandwidth=3)
    assert machine_of(now) == machine_of(later)
    assert machine_of(now) != machine_of(simulated(32 << 30))


# --- the share of the bandwidth ---------------------------------------------------------------

# Ten layers of 100 MB, 1,000 numbers a token each of keys and of values; a head of 200 MB.
LAYER = Layer(100_000_000, 100_000_000, 1000, 1000)
SHAPE = ModelShape(
    *("llama", "Q4_1", (LAYER,) * 10, 200_000_000, 200_000_000, True),
    *(2_000_000_000, 2_000_000_000, 32000, 1000, 10, 4000),
)
CPU_ONLY = Hardware(Cpu("A processor", 8), 64 * GB, 60 * GB, GB, ram_bandwidth=24 * GB)


def test_weights_are_read_once_a_token() -> None:
    assert ideal_tps(SHAPE, Use(), 0, CPU_ONLY, 0) == pytest.approx(24e9 / 1.2e9)


@pytest.mark.parametrize(("kv_type", "n_bytes"), [("f16", 2.0), ("q8_0", 34 / 32)])
def test_the_cache_is_read_as_deep_as_it_is(kv_type: str, n_bytes: float) -> None:
    read = 1.2e9 + 10 * 2000 * 4096 * n_bytes
    found = ideal_tps(SHAPE, Use(kv_type=kv_type), 0, CPU_ONLY, 4096)
    assert found == pytest.approx(24e9 / read)


def test_a_window_is_read_no_further_than_it_sees() -> None:
    windowed = replace(SHAPE, layers=(replace(LAYER, window=512),) * 10)
    assert ideal_tps(windowed, Use(), 0, CPU_ONLY, 9999) == ideal_tps(
        SHAPE, Use(), 0, CPU_ONLY, 512
    )


def test_two_devices_take_their_times_one_after_the_other() -> None:
    gpu = Gpu("The GPU", "", 8 * GB, 8 * GB, GpuState.USED, "cuda", bandwidth=240 * GB)
    both = replace(CPU_ONLY, gpus=(gpu,))
    seconds = 0.5e9 / 24e9 + 0.7e9 / 240e9  # the head goes with the last layers
    assert ideal_tps(SHAPE, Use(), 6, both, 0) == pytest.approx(1 / seconds)
    unknown = replace(CPU_ONLY, gpus=(replace(gpu, bandwidth=0),))
    assert ideal_tps(SHAPE, Use(), 6, unknown, 0) is None


def test_an_unknown_bandwidth_has_no_share() -> None:
    assert ideal_tps(SHAPE, Use(), 0, replace(CPU_ONLY, ram_bandwidth=0), 0) is None
