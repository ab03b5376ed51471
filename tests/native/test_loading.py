"""How a load steps down when memory is short: real loads, on which some ways are made to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.hardware import simulated
from app.engine import loading
from app.engine.context import Context
from app.engine.loading import open_model
from app.engine.model import MemoryShortError, Model, NativeLog, out_of_memory
from app.engine.native import StopFlag
from app.engine.protocol import Load

GB = 1_000_000_000


class Limits:
    """What the pretended graphics processor holds: more than that, and llama.cpp's words follow."""

    n_gpu_layers = 99
    n_ctx = 10**9
    tried: list[tuple[int, int]]

    def model(self, path: Path, n_gpu_layers: int, *rest: object, **named: object) -> Model:
        if n_gpu_layers > self.n_gpu_layers:
            self.tried.append((n_gpu_layers, 0))
            raise out_of_memory("cudaMalloc failed: out of memory")
        return Model(path, n_gpu_layers, *rest, **named)  # type: ignore[arg-type]

    def context(self, model: Model, load: Load, *rest: object) -> Context:
        self.tried.append((load.n_gpu_layers, load.n_ctx))
        if load.n_ctx > self.n_ctx:
            raise out_of_memory("failed to allocate buffer for kv cache")
        return Context(model, load, *rest)  # type: ignore[arg-type]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    made = Limits()
    made.tried = []
    card = simulated(16 * GB, [8 * GB], "cuda")
    monkeypatch.setattr(loading, "here", lambda _folder: card)
    monkeypatch.setattr(loading, "Model", made.model)
    monkeypatch.setattr(loading, "Context", made.context)
    return made


@pytest.fixture
def log() -> NativeLog:
    return NativeLog()


def _open(path: Path, log: NativeLog, n_ctx: int = 4096) -> loading.Opened:
    opened = open_model(Load(str(path), n_ctx=n_ctx), log, StopFlag())
    opened.context.close()
    opened.model.close()
    return opened


def test_all_layers_go_to_the_card_where_they_fit(
    starter_path: Path, limits: Limits, log: NativeLog
) -> None:
    opened = _open(starter_path, log)
    assert (opened.load.n_gpu_layers, opened.n_smaller, opened.notice) == (31, 0, None)


def test_the_next_smaller_plan_is_taken_and_said(
    starter_path: Path, limits: Limits, log: NativeLog
) -> None:
    limits.n_gpu_layers = 20
    opened = _open(starter_path, log)
    assert limits.tried == [(31, 0), (23, 0), (15, 4096)]
    assert (opened.load.n_gpu_layers, opened.n_smaller) == (15, 2)
    assert "15 of 31 layers" in str(opened.notice)


def test_a_card_that_holds_nothing_leaves_the_processor(
    starter_path: Path, limits: Limits, log: NativeLog
) -> None:
    limits.n_gpu_layers = 0
    opened = _open(starter_path, log)
    assert opened.load.n_gpu_layers == 0
    assert "runs on the processor" in str(opened.notice)


def test_then_the_context_shrinks(starter_path: Path, limits: Limits, log: NativeLog) -> None:
    limits.n_gpu_layers, limits.n_ctx = 0, 2048
    opened = _open(starter_path, log, n_ctx=8192)
    assert opened.load.n_ctx == 2048
    assert "8,192 tokens, so it is 2,048" in str(opened.notice)


def test_where_nothing_helps_one_sentence_is_left(
    starter_path: Path, limits: Limits, log: NativeLog
) -> None:
    limits.n_ctx = 1
    with pytest.raises(MemoryShortError) as raised:
        _open(starter_path, log)
    assert "too little free memory" in str(raised.value.text)


def test_a_number_of_layers_that_was_asked_for_is_not_changed(
    starter_path: Path, limits: Limits, log: NativeLog
) -> None:
    limits.n_gpu_layers = 5
    with pytest.raises(MemoryShortError):
        open_model(Load(str(starter_path), n_gpu_layers=9), log, StopFlag())
    assert set(limits.tried) == {(9, 0)}
