"""Runs wherever llama.cpp finds a CUDA, Metal or Vulkan device, and says why not elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.core import hardware
from app.core.hardware import Hardware
from app.engine.client import BlockingEngine, examine, probe


@pytest.fixture(scope="session", autouse=True)
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Hardware:
    """This computer, which has a GPU that llama.cpp computes on."""
    found = examine(tmp_path_factory.mktemp("gpu"))
    if not found.used_gpus:
        kernels = ", ".join(map(hardware.backend_name, probe().backends))
        pytest.skip(f"no GPU that this build of llama.cpp can use; it has kernels for: {kernels}")
    return found


@pytest.fixture
def engine() -> Iterator[BlockingEngine]:
    with BlockingEngine() as running:
        yield running
