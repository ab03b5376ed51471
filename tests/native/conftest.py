"""A real engine child with the starter model loaded, shared by a module's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.client import BlockingEngine
from app.engine.protocol import Load, Loaded


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
