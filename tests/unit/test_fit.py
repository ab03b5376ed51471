"""Predicted memory against sums worked out by hand, and what must hold for every model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.fit import (
    DevicePlan,
    Fit,
    ModelShape,
    Use,
    advice,
    largest_context,
    most_gpu_layers,
    plan,
    shape_from,
    shape_of,
)
from app.core.fit.cache import Setup, cache_bytes
from app.core.fit.geometry import Geometry
from app.core.fit.judging import judge
from app.core.fit.repacking import maps_file, repacked_bytes
from app.core.fit.scaling import scaled
from app.core.fit.split import CPU, n_offloadable, split_for
from app.core.hardware import Cpu, Gpu, GpuState, Hardware
from quantize.gguf_header import read_header
from quantize.types import GgmlType
from tests.helpers.fuzz import fuzz
from tests.helpers.real_shapes import write_header_only

GIB, MIB = 1024**3, 1024**2
AVX2 = Cpu("Test", features=("avx2",))


def computer(ram: int = 64 * GIB, *vram: int, **gpu: object) -> Hardware:
    gpus = tuple(
        replace(Gpu(f"GPU {i}", "nvidia", n, n, GpuState.USED, "cuda"), **gpu)
        for i, n in enumerate(vram)
    )
    return Hardware(AVX2, ram, ram, 0, gpus=gpus)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shapes")


def real(folder: Path, name: str, matrices: GgmlType = GgmlType.Q8_0) -> ModelShape:
    path = folder / f"{name}-{matrices.name}.gguf"
    if not path.exists():
        write_header_only(path, name, matrices)
    return shape_of(read_header(path))


def kept(shape: ModelShape, n_ctx: int, *, kv: str = "f16", n_ubatch: int = 512) -> int:
    return sum(cache_bytes(shape, Setup(n_ctx, n_ubatch, flash_attn=True, kv_type=kv)))


# --- caches, by hand --------------------------------------------------------------------------


def test_grouped_queries(folder: Path) -> None:
    """Llama 3.1 8B: 32 layers, 8 heads of 128 numbers each for keys and values."""
    shape = real(folder, "llama-3.1-8b")
    assert kept(shape, 8192) == 32 * 8192 * 2 * (8 * 128) * 2 == GIB
    assert kept(shape, 8192, kv="q8_0") == 32 * 8192 * 2 * (8 * 128) * 34 // 32
    assert kept(shape, 8192, kv="q4_0") == 32 * 8192 * 2 * (8 * 128) * 18 // 32


def test_sliding_windows(folder: Path) -> None:
    """Gemma 3 27B: 10 of 62 layers see all 32k tokens, the others 1024 and what is computed."""
    each = 2 * 16 * 128 * 2
    size = kept(real(folder, "gemma-3-27b"), 32768)
    assert size == 10 * 32768 * each + 52 * (1024 + 512) * each
    assert round(size / GIB, 1) == 3.1


def test_a_window_is_no_longer_than_the_context(folder: Path) -> None:
    shape = real(folder, "gemma-3-27b")
    assert kept(shape, 512) == 62 * 512 * 2 * 16 * 128 * 2


def test_windows_of_every_other_layer(folder: Path) -> None:
    """gpt-oss 20B: 12 layers look back 128 tokens; with 128 computed at once that is 256 cells."""
    each = 2 * 8 * 64 * 2
    size = kept(real(folder, "gpt-oss-20b"), 32768, n_ubatch=128)
    assert size == 12 * 32768 * each + 12 * 256 * each


def test_latent_attention(folder: Path) -> None:
    """DeepSeek V3: one vector of 512 + 64 numbers per token and layer, and no values."""
    assert kept(real(folder, "deepseek-v3"), 4096) == 61 * 4096 * (512 + 64) * 2


def test_linear_attention(folder: Path) -> None:
    """Qwen3.5 4B: every fourth layer attends; the others keep 32 heads' states of 128 by 128, and
    three tokens of 8192 numbers, in 32 bits."""
    full = 8 * 8192 * 2 * (4 * 256) * 2
    states = 24 * 4 * (32 * 128 * 128 + 3 * 8192)
    assert kept(real(folder, "qwen3.5-4b"), 8192) == full + states


def test_short_convolutions(folder: Path) -> None:
    """LFM2 1.2B: 6 of 16 layers attend; the others look back two tokens."""
    size = kept(real(folder, "lfm2-1.2b"), 4096)
    assert size == 6 * 4096 * 2 * (8 * 64) * 2 + 10 * 4 * 2 * 2048


def test_layers_that_borrow(folder: Path) -> None:
    """Gemma 4 E2B: the last 20 of 35 layers keep nothing of their own."""
    layers = real(folder, "gemma-4-e2b").layers
    assert [bool(layer.k_width) for layer in layers] == [True] * 15 + [False] * 20
    assert {layer.k_width for layer in layers if layer.k_width} == {256, 512}


def test_values_are_padded_without_flash_attention(folder: Path) -> None:
    shape = real(folder, "gemma-4-e2b")
    without = sum(cache_bytes(shape, Setup(4096, 512, flash_attn=False, kv_type="f16")))
    assert without > kept(shape, 4096)


def test_a_state_space_keeps_the_same_whatever_the_context(folder: Path) -> None:
    shape = real(folder, "mamba-2.8b")
    assert kept(shape, 512) == kept(shape, 1 << 20) == 64 * 4 * (16 * 5120 + 3 * 5120)


# --- weights ----------------------------------------------------------------------------------


def test_experts_rest(folder: Path) -> None:
    shape = real(folder, "qwen3-30b-a3b")
    assert (shape.n_expert, shape.n_expert_used) == (128, 8)
    assert 30.4e9 < shape.n_params < 30.7e9
    assert 3.2e9 < shape.n_params_active < 3.5e9
    assert shape.layers[0].active_bytes < shape.layers[0].weight_bytes / 8


def test_all_tensors_are_somewhere(folder: Path) -> None:
    for name in ("llama-3.1-8b", "gemma-3-270m", "gpt-oss-20b", "lfm2-350m"):
        header = read_header(write_header_only(folder / "one.gguf", name))
        assert shape_of(header).weights_bytes == header.tensor_bytes


def test_much_that_is_rewritten_is_read_and_not_mapped(folder: Path) -> None:
    q8, q4 = (real(folder, "llama-3.2-1b", t) for t in (GgmlType.Q8_0, GgmlType.Q4_K))
    assert repacked_bytes(q8, ("avx2",)) == 0
    assert repacked_bytes(q4, ()) == 0
    layers = sum(layer.weight_bytes for layer in q4.layers)
    assert 0.99 * layers < repacked_bytes(q4, ("avx2",)) < layers
    assert maps_file(repacked_bytes(q8, ("avx2",)), q8.weights_bytes)
    assert not maps_file(repacked_bytes(q4, ("avx2",)), q4.weights_bytes)
    assert plan(q4, Use(), computer()).weights_bytes == q4.weights_bytes


def test_a_split_model_is_summed_up(folder: Path) -> None:
    header = read_header(write_header_only(folder / "two.gguf", "qwen3-0.6b"))
    half = len(header.tensors) // 2
    first = replace(header, tensors=header.tensors[:half])
    second = replace(header, tensors=header.tensors[half:])
    both = shape_of(first, parts=(second,))
    assert both.layers == shape_of(header).layers
    assert both.file_bytes == 2 * header.file_size_bytes


def test_another_variant_weighs_what_its_file_does(folder: Path) -> None:
    shape = real(folder, "qwen3-0.6b")
    half = scaled(shape, "Q4_K_M", shape.file_bytes // 2)
    assert half.weights_bytes == pytest.approx(shape.weights_bytes / 2, rel=0.02)
    assert half.layers[0].matrices[0][0] == "Q4_K"
    assert half.layers[0].k_width == shape.layers[0].k_width


# --- devices ----------------------------------------------------------------------------------


def test_layers_go_by_free_memory(folder: Path) -> None:
    """As llama.cpp deals them out: 33 parts over 8 and 24 GB, the first to the first GPU."""
    shape = real(folder, "llama-3.1-8b")
    gpus = computer(64 * GIB, 8 * GIB, 24 * GIB).gpus
    split = split_for(shape, -1, gpus, 0)
    assert (split.layers.count(0), split.layers.count(1), split.output) == (9, 23, 1)
    part = split_for(shape, 10, gpus, 0)
    assert (part.layers.count(CPU), part.output, part.n_gpu_layers) == (23, 1, 10)


def test_nothing_goes_to_a_gpu_that_is_not_used(folder: Path) -> None:
    hardware = computer(64 * GIB, 24 * GIB, state=GpuState.NO_DRIVER)
    planned = plan(real(folder, "llama-3.1-8b"), Use(8192), hardware)
    assert [device.device for device in planned.devices] == ["CPU"]
    assert planned.n_gpu_layers == 0


def test_a_gpu_takes_everything_but_the_embeddings(folder: Path) -> None:
    shape = real(folder, "llama-3.1-8b")
    planned = plan(shape, Use(8192), computer(64 * GIB, 24 * GIB))
    gpu, cpu = planned.devices
    assert planned.n_gpu_layers == n_offloadable(shape) == 33
    assert (gpu.kv_bytes, cpu.kv_bytes) == (GIB, 0)
    assert cpu.weights_bytes == shape.input_bytes
    assert gpu.weights_bytes + cpu.weights_bytes == shape.weights_bytes


def test_tied_embeddings_are_there_twice_on_a_gpu(folder: Path) -> None:
    shape = real(folder, "llama-3.2-1b")
    alone = plan(shape, Use(8192), computer())
    both = plan(shape, Use(8192), computer(64 * GIB, 24 * GIB))
    assert alone.weights_bytes == shape.weights_bytes
    assert both.weights_bytes == shape.weights_bytes + shape.input_bytes


def test_shared_memory_is_counted_once(folder: Path) -> None:
    hardware = computer(16 * GIB, 12 * GIB, is_integrated=True, backend="metal")
    planned = plan(real(folder, "llama-3.1-8b"), Use(8192), hardware)
    assert planned.free_bytes == 16 * GIB
    assert planned.fits
    crowded = replace(hardware, ram_available_bytes=9 * GIB)
    assert not plan(real(folder, "llama-3.1-8b"), Use(8192), crowded).fits


def test_the_part_that_sees_goes_to_the_gpu(folder: Path) -> None:
    shape = replace(real(folder, "gemma-3-4b"), mmproj_bytes=850 * MIB)
    seeing = replace(Use(8192), with_mmproj=True)
    gpu, cpu = plan(shape, seeing, computer(64 * GIB, 24 * GIB)).devices
    assert gpu.mmproj_bytes > 850 * MIB
    assert cpu.mmproj_bytes == 0
    assert plan(shape, Use(8192), computer()).mmproj_bytes == 0
    assert plan(shape, seeing, computer()).mmproj_bytes == gpu.mmproj_bytes


def test_a_context_beyond_training_is_cut(folder: Path) -> None:
    assert plan(real(folder, "smollm2-135m"), Use(32768), computer()).n_ctx == 8192


# --- verdicts ---------------------------------------------------------------------------------


def _device(need: int, free: int, **more: object) -> DevicePlan:
    return replace(DevicePlan("CPU", need, 0, 0, free), **more)


def test_verdicts() -> None:
    assert judge([_device(84, 100)]) is Fit.FITS
    assert judge([_device(86, 100)]) is Fit.TIGHT
    assert judge([_device(101, 100)]) is Fit.DOES_NOT_FIT


def test_the_worst_device_decides() -> None:
    gpu = _device(90, 120, reserve_bytes=20)
    assert judge([gpu, _device(1, 100)]) is Fit.TIGHT
    assert judge([replace(gpu, reserve_bytes=40), _device(1, 100)]) is Fit.DOES_NOT_FIT
    assert judge([_device(60, 100, is_shared=True), _device(60, 100)]) is Fit.DOES_NOT_FIT


# --- the other way round ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama-3.1-8b", "gemma-3-12b", "qwen3.5-9b", "gpt-oss-20b"])
def test_the_largest_context_fits_and_one_more_does_not(folder: Path, name: str) -> None:
    shape = real(folder, name)
    need = plan(shape, Use(16384), computer()).total_bytes
    hardware = computer(need)
    n_ctx = largest_context(shape, Use(), hardware)
    assert n_ctx >= 16384
    assert plan(shape, Use(n_ctx), hardware).fits
    assert not plan(shape, Use(n_ctx + 256), hardware).fits
    assert largest_context(shape, Use(), computer(GIB)) == 0


@pytest.mark.parametrize("vram", [(4 * GIB,), (8 * GIB,), (3 * GIB, 5 * GIB), (24 * GIB,)])
def test_the_most_layers_fit_and_one_more_does_not(folder: Path, vram: tuple[int, ...]) -> None:
    shape, hardware = real(folder, "llama-3.1-8b"), computer(64 * GIB, *vram)
    n = most_gpu_layers(shape, Use(4096), hardware)
    assert plan(shape, Use(4096, n_gpu_layers=n), hardware).fits
    assert n == 33 or not plan(shape, Use(4096, n_gpu_layers=n + 1), hardware).fits
    assert n < 33 or vram == (24 * GIB,)


def test_advice_keeps_its_word(folder: Path) -> None:
    shape = real(folder, "llama-3.1-8b")
    short = plan(shape, Use(32768), computer()).total_bytes - GIB
    ways = {way.template: dict(way.args) for way in advice(shape, Use(32768), computer(short))}
    assert any("q8_0" in template for template in ways)
    assert plan(shape, Use(32768, "q8_0"), computer(short)).fits
    (n_ctx,) = (args["n"] for template, args in ways.items() if "context of" in template)
    assert plan(shape, Use(int(n_ctx)), computer(short)).fits


def test_advice_for_a_small_gpu(folder: Path) -> None:
    shape = real(folder, "llama-3.1-8b")
    (first, *_) = advice(shape, Use(4096), computer(64 * GIB, 6 * GIB))
    n = dict(first.args)["n"]
    assert plan(shape, Use(4096, n_gpu_layers=int(n)), computer(64 * GIB, 6 * GIB)).fits


def test_no_advice_where_it_fits(folder: Path) -> None:
    assert advice(real(folder, "llama-3.1-8b"), Use(4096), computer()) == ()


# --- for every model --------------------------------------------------------------------------


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    n_layers, n_head_kv = draw(st.integers(1, 128)), draw(st.integers(1, 16))
    return Geometry(
        n_layers=n_layers,
        n_embd=draw(st.integers(64, 16384)),
        n_head=n_head_kv * draw(st.integers(1, 16)),
        n_head_kv=n_head_kv,
        head_dim=32 * draw(st.integers(1, 8)),
        n_ff=draw(st.integers(0, 65536)),
        n_vocab=draw(st.integers(1, 300_000)),
        window=draw(st.sampled_from([0, 128, 4096])),
        n_full_layers=draw(st.integers(0, n_layers)),
        others_are_recurrent=draw(st.booleans()),
        is_tied=draw(st.booleans()),
        kv_lora_rank=draw(st.sampled_from([0, 512])),
        rope_dim=64,
    )


@fuzz
@given(
    geometries(),
    st.integers(10**6, 10**12),
    st.sampled_from(["llama", "gemma3", "gpt-oss", "qwen35", "lfm2", "deepseek2", "new"]),
    st.lists(st.integers(0, 100 * GIB), max_size=3),
    st.integers(-1, 200),
    st.sampled_from(["f16", "q8_0", "q4_0"]),
)
def test_more_context_never_takes_less(
    geometry: Geometry, size: int, architecture: str, vram: list[int], n: int, kv: str
) -> None:
    shape = shape_from(geometry, architecture, "Q4_K_M", size, size * 2, size, 0)
    hardware = computer(16 * GIB, *vram)
    plans = [plan(shape, Use(n_ctx, kv, n), hardware) for n_ctx in (1, 256, 300, 4096, 131072)]
    totals = [planned.total_bytes for planned in plans]
    assert totals == sorted(totals)
    for planned in plans:
        for part in planned.devices:
            sizes = (part.weights_bytes, part.kv_bytes, part.compute_bytes, part.host_bytes)
            assert min(sizes) >= 0
        assert 0 <= planned.n_gpu_layers <= geometry.n_layers + 1


@pytest.mark.parametrize(
    ("name", "geometry", "architecture"),
    [
        (
            "llama-3.1-8b",
            Geometry(32, 4096, 32, 8, 128, 14336, 128256),
            "llama",
        ),
        (
            "gemma-3-12b",
            Geometry(
                48, 3840, 16, 8, 256, 15360, 262144, window=1024, n_full_layers=8, is_tied=True
            ),
            "gemma3",
        ),
        (
            "qwen3.5-9b",
            Geometry(
                *(32, 4096, 16, 4, 256, 12288, 248320), n_full_layers=8, others_are_recurrent=True
            ),
            "qwen35",
        ),
    ],
)
def test_a_geometry_is_as_good_as_a_header(
    folder: Path, name: str, geometry: Geometry, architecture: str
) -> None:
    exact = real(folder, name)
    rough = shape_from(
        *(geometry, architecture, "Q8_0", exact.file_bytes, exact.n_params, exact.n_params),
        exact.n_ctx_train,
    )
    for use in (Use(8192), Use(32768, "q8_0")):
        one, other = (plan(shape, use, computer()) for shape in (exact, rough))
        assert other.kv_bytes == pytest.approx(one.kv_bytes, rel=0.01)
        assert other.weights_bytes == pytest.approx(one.weights_bytes, rel=0.01)
        assert other.compute_bytes == pytest.approx(one.compute_bytes, rel=0.1)
