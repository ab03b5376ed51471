"""llama.cpp's own word through the child "fit", and predictions against a model really loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import EngineError, ModelFileError
from app.core.fit import Use, plan, shape_of
from app.core.hardware import Gpu, GpuState, Hardware, measure
from app.engine.client import BlockingEngine, exact_plan
from app.engine.exact import refined
from app.engine.protocol import Buffer, Fitted, Load, Loaded
from quantize.gguf_header import read_header
from tests.helpers.gguf_files import unknown_architecture
from tests.helpers.real_shapes import write_header_only

MIB = 1024**2
_ROUNDING = 0.02 * MIB  # llama.cpp's log has hundredths


@pytest.fixture
def computer(tmp_path: Path) -> Hardware:
    return measure(tmp_path)


def test_a_real_load_takes_what_was_predicted(
    loaded: Loaded, starter_path: Path, computer: Hardware
) -> None:
    planned = plan(shape_of(read_header(starter_path)), Use(2048, n_gpu_layers=0), computer)
    memory = loaded.memory
    assert abs(planned.weights_bytes - memory.weights_bytes) <= _ROUNDING
    assert abs(planned.kv_bytes - memory.kv_bytes) <= _ROUNDING
    assert abs(planned.compute_bytes - memory.compute_bytes) <= 0.01 * memory.compute_bytes


def test_the_compressed_cache_too(
    own_engine: BlockingEngine, starter_path: Path, computer: Hardware
) -> None:
    use = Use(1024, "q8_0", n_gpu_layers=0)
    planned = plan(shape_of(read_header(starter_path)), use, computer)
    memory = own_engine.load(Load(str(starter_path), n_ctx=1024, kv_type="q8_0")).memory
    assert abs(planned.kv_bytes - memory.kv_bytes) <= _ROUNDING
    assert planned.total_bytes == pytest.approx(memory.total_bytes + planned.host_bytes, rel=0.02)


@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q4_0"])
def test_llama_cpp_says_what_the_formulas_say(
    starter_path: Path, computer: Hardware, kv_type: str
) -> None:
    use = Use(4096, kv_type, n_gpu_layers=0)
    exact = exact_plan(starter_path, use, computer)
    planned = plan(shape_of(read_header(starter_path)), use, computer)
    assert exact.is_exact
    assert not planned.is_exact
    assert (exact.weights_bytes, exact.kv_bytes) == (planned.weights_bytes, planned.kv_bytes)
    assert exact.total_bytes == pytest.approx(planned.total_bytes, rel=0.03)


def test_a_header_before_a_hole_is_enough(
    starter_path: Path, computer: Hardware, tmp_path: Path
) -> None:
    header = read_header(starter_path)
    hollow = tmp_path / "hollow.gguf"
    with starter_path.open("rb") as source, hollow.open("wb") as file:
        file.write(source.read(header.data_offset))
        file.truncate(header.file_size_bytes)
    use = Use(4096, n_gpu_layers=0)
    exact = exact_plan(starter_path, use, computer)
    from_header = exact_plan(hollow, use, computer)
    assert from_header.kv_bytes == exact.kv_bytes
    assert from_header.compute_bytes == exact.compute_bytes


def test_what_llama_cpp_cannot_run_is_refused(tmp_path: Path, computer: Hardware) -> None:
    with pytest.raises(ModelFileError):
        exact_plan(unknown_architecture(tmp_path / "unknown.gguf"), Use(), computer)
    with pytest.raises(ModelFileError):
        exact_plan(tmp_path / "none.gguf", Use(), computer)


def test_a_child_that_dies_is_an_error_and_no_more(
    tmp_path: Path, computer: Hardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a vocabulary an assertion of llama.cpp's ends the child."""
    monkeypatch.setenv("GGML_NO_BACKTRACE", "1")
    hollow = write_header_only(tmp_path / "hollow.gguf", "smollm2-135m")
    with pytest.raises(EngineError) as caught:
        exact_plan(hollow, Use(), computer)
    assert "SIGABRT" in caught.value.detail


def test_a_child_that_says_nothing_is_not_waited_for(
    starter_path: Path, computer: Hardware
) -> None:
    with pytest.raises(EngineError) as caught:
        exact_plan(starter_path, Use(), computer, limit_s=0.001)
    assert caught.value.detail == "timed out"


def test_buffers_go_to_their_devices(starter_path: Path, computer: Hardware) -> None:
    gpus = tuple(
        Gpu(f"GPU {i}", "nvidia", 8 << 30, 8 << 30, GpuState.USED, "cuda") for i in range(2)
    )
    hardware = Hardware(computer.cpu, 1 << 34, 1 << 34, 0, gpus=gpus)
    planned = plan(shape_of(read_header(starter_path)), Use(4096), hardware)
    said = Fitted(
        (Buffer("CUDA0", 10), Buffer("CUDA1", 20), Buffer("CUDA_Host", 3), Buffer("CPU", 4)),
        output_bytes=5,
        kv_bytes=2 * planned.kv_bytes,
        process_bytes=1000,
    )
    first, second, cpu = refined(planned, said).devices
    assert (first.compute_bytes, second.compute_bytes, cpu.compute_bytes) == (10, 20, 12)
    assert first.kv_bytes == 2 * planned.devices[0].kv_bytes
    assert cpu.host_bytes == 1000 + cpu.scratch_bytes
