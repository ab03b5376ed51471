"""What only a real GPU can show: layers on it, the memory they take, and what happens when it is
full."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.fit import Use, plan, shape_of
from app.core.fit.split import gpus_of, n_offloadable
from app.core.hardware import Hardware
from app.engine.client import BlockingEngine
from app.engine.protocol import Load
from quantize.gguf_split import read_model
from tests.helpers.asking import ask, request

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "What is the capital of France?"


def test_all_layers_are_on_the_gpu_where_they_fit(
    engine: BlockingEngine, starter_path: Path
) -> None:
    loaded = engine.load(Load(str(starter_path), n_ctx=2048))
    assert loaded.n_gpu_layers == n_offloadable(shape_of(read_model(starter_path)))
    assert loaded.device != "CPU"
    assert loaded.notice is None


@pytest.mark.parametrize("n_gpu_layers", [1, 16, -1])
def test_the_answer_begins_as_on_the_processor(
    engine: BlockingEngine, starter_path: Path, n_gpu_layers: int
) -> None:
    engine.load(Load(str(starter_path), n_ctx=2048, n_gpu_layers=0))
    expected = ask(engine, request(QUESTION, max_tokens=6)).text
    engine.load(Load(str(starter_path), n_ctx=2048, n_gpu_layers=n_gpu_layers))
    assert ask(engine, request(QUESTION, max_tokens=6)).text == expected


@pytest.mark.parametrize("n_ctx", [2048, 8192])
@pytest.mark.parametrize("kv_type", ["f16", "q8_0"])
@pytest.mark.parametrize("n_gpu_layers", [12, -1])
def test_the_prediction_is_right_to_four_percent(
    engine: BlockingEngine,
    starter_path: Path,
    gpu: Hardware,
    n_ctx: int,
    kv_type: str,
    n_gpu_layers: int,
) -> None:
    loaded = engine.load(Load(str(starter_path), n_ctx, 0, n_gpu_layers, kv_type=kv_type))
    use = Use(n_ctx, kv_type, n_gpu_layers)
    planned = plan(shape_of(read_model(starter_path)), use, gpu)
    predicted = planned.weights_bytes + planned.kv_bytes + planned.compute_bytes
    assert predicted == pytest.approx(loaded.memory.total_bytes, rel=0.04, abs=8_000_000)


def test_layers_may_be_shared_with_the_processor(
    engine: BlockingEngine, starter_path: Path, gpu: Hardware
) -> None:
    loaded = engine.load(Load(str(starter_path), n_ctx=1024, n_gpu_layers=10))
    assert loaded.n_gpu_layers == 10
    assert len(gpus_of(gpu)) >= 1
    assert ask(engine, request(QUESTION, max_tokens=4)).text


OVERFULL = """
import sys
from dataclasses import replace
from pathlib import Path
from app.core import attempts, running
from app.engine import loading
from app.engine.model import NativeLog
from app.engine.native import StopFlag, lib
from app.engine.protocol import Load

lib.llama_backend_init()
real = loading.here
own = [gpu.free_bytes for gpu in real(Path(".")).used_gpus if not gpu.is_integrated]
if not own:
    print("shared")
    sys.exit()

def boastful(folder):
    found = real(folder)
    gpus = tuple(replace(gpu, free_bytes=1 << 50, total_bytes=1 << 50) for gpu in found.gpus)
    return replace(found, gpus=gpus)

loading.here = boastful
n_ctx = sum(own) // (30 * 2 * 192 * 2) * 2  # a cache of twice what is free, on the GPUs
attempts.n_ctx_for = running.n_ctx_for = lambda asked, trained: asked
opened = loading.open_model(Load(sys.argv[1], n_ctx=n_ctx), NativeLog(), StopFlag())
print(opened.n_smaller, opened.load.n_gpu_layers, opened.notice)
"""


def test_a_full_gpu_gets_fewer_layers_and_one_sentence(starter_path: Path) -> None:
    """The free memory is told wrongly, as a prediction can be: llama.cpp's own refusal is real."""
    command = [sys.executable, "-c", OVERFULL, str(starter_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    if result.stdout.strip() == "shared":
        pytest.skip("every GPU here shares the processor's memory, which is not to be filled")
    assert result.returncode == 0, result.stderr[-2000:]
    n_smaller, _, notice = result.stdout.split(" ", 2)
    assert int(n_smaller) > 0
    assert "memory" in notice


def test_the_benchmark_sweeps_the_layers(starter_path: Path) -> None:
    command = [sys.executable, "-m", "app", "bench", "-m", str(starter_path), "--json"]
    options = ["--n-gpu-layers", "0,15,31", "--repetitions", "1", "--n-prompt", "64"]
    result = subprocess.run(
        [*command, *options, "--n-gen", "16"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    found = json.loads(result.stdout)
    assert [each["n_gpu_layers"] for each in found] == [0, 15, 31]
    assert all(each["tg_tps"] > 0 and each["pp_tps"] > 0 for each in found)
