"""The real probe child on this computer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.core import hardware
from app.core.errors import EngineError
from app.core.hardware import Probed
from app.engine.client import examine, probe, probe_devices
from app.engine.speedcache import recall

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def probed() -> Probed:
    return probe()


def test_it_names_what_llama_cpp_computes_on(probed: Probed) -> None:
    assert probed.error is None
    (cpu,) = [device for device in probed.devices if device.kind == "cpu"]
    assert cpu.backend == "cpu"
    assert cpu.description
    assert cpu.total_bytes > 1 << 28
    assert "cpu" in probed.backends
    assert probed.llama_cpp


def test_this_processor_has_what_the_build_uses(probed: Probed, tmp_path: Path) -> None:
    has = hardware.measure(tmp_path).cpu.features
    assert probed.build_features
    assert set(probed.build_features) <= set(has)


def test_it_measures_the_memory(probed: Probed) -> None:
    assert probed.bandwidth is not None
    assert 10**8 < probed.bandwidth.bytes_per_s < 10**13
    assert probed.bandwidth.n_bytes >= 16 << 20


def test_examined_twice_the_memory_is_as_fast_or_faster(tmp_path: Path) -> None:
    first = examine(tmp_path)
    second = examine(tmp_path)
    assert 0 < first.ram_bandwidth <= second.ram_bandwidth
    assert recall(hardware.measure(tmp_path)) is not None
    assert second.probe_error is None


def test_devices_alone() -> None:
    assert any(device.kind == "cpu" for device in probe_devices())


def test_a_probe_that_may_not_take_any_time() -> None:
    with pytest.raises(EngineError, match="did not answer in time"):
        probe_devices(limit_s=0.0)


def test_nothing_native_is_loaded_before_the_first_stage() -> None:
    code = "import app.engine.probe, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"llama_cpp", "pynvml", "numpy", "PySide6"}
