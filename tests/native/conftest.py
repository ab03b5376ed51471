"""A real engine child with the starter model loaded, shared by a module's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.client import BlockingEngine
from app.engine.protocol import Load, Loaded

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def engine(starter_path: Path) -> Iterator[BlockingEngine]:
    with BlockingEngine() as running:
        running.load(Load(str(starter_path), n_ctx=4096))
        yield running


@pytest.fixture
def own_engine() -> Iterator[BlockingEngine]:
    """A child that the test may break; nothing is loaded."""
    with BlockingEngine() as running:
        yield running


@pytest.fixture
def loaded(own_engine: BlockingEngine, starter_path: Path) -> Loaded:
    return own_engine.load(Load(str(starter_path), n_ctx=2048))


@pytest.fixture(scope="session")
def starter_f32(starter_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with its weights widened to F32 (513 MB): no rounding depends on batch sizes."""
    folder = tmp_path_factory.mktemp("f32")
    command = [sys.executable, "-m", "quantize", str(starter_path), "-t", "F32"]
    options = ["--allow-requantize", "-o", str(folder)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return next(folder.glob("*.gguf"))


@pytest.fixture(scope="session")
def gemma_path() -> Path:
    """gemma-3-270m, where it has been fetched: a sliding window, and a large vocabulary."""
    folder = Path(os.environ.get("NIBBLE_TEST_MODELS") or ROOT / ".cache" / "models")
    path = folder / "gemma-3-270m-q4_k_m.gguf"
    if not path.is_file():
        pytest.skip(f"{path} is not here: “python -m tests.bench.fit” gets it")
    return path
