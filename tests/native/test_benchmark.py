"""The child's benchmark: what it counts, what it leaves behind, how it ends. No clock is judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import EngineError
from app.engine.client import BlockingEngine
from app.engine.protocol import Bench, BenchDone, BenchProgress, Event, Load, Stop
from tests.helpers.asking import ask, request

N_CTX = 1024


@pytest.fixture(scope="module")
def keeping(
    starter_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[BlockingEngine, Path]]:
    """An engine that keeps caches, and where."""
    folder = tmp_path_factory.mktemp("states")
    with BlockingEngine() as engine:
        engine.load(
            Load(
                str(starter_path),
                n_ctx=N_CTX,
                states_folder=str(folder),
                states_limit_bytes=10**9,
            )
        )
        yield engine, folder


def bench(engine: BlockingEngine, command: Bench) -> tuple[list[BenchProgress], BenchDone]:
    engine.send(command)
    told: list[Event] = []
    while not isinstance(event := engine.next_event(), BenchDone):
        told.append(event)
    assert all(isinstance(each, BenchProgress) for each in told)
    return [each for each in told if isinstance(each, BenchProgress)], event


def test_every_measure_is_taken_at_every_depth(keeping: tuple[BlockingEngine, Path]) -> None:
    engine, folder = keeping
    command = Bench(1, n_prompt=64, n_gen=8, repetitions=2, n_depths=(128, 0), n_first=200)
    progress, done = bench(engine, command)
    assert [depth.n_depth for depth in done.depths] == [0, 128]
    for depth in done.depths:
        assert len(depth.pp_tps) == len(depth.tg_tps) == 2
        assert min(*depth.pp_tps, *depth.tg_tps) > 0
    assert done.pp_tps == done.depths[0].pp_tps
    waits = (done.ttft_ms, done.cold_ms, done.warm_ms, done.restored_ms)
    assert [len(each) for each in waits] == [2, 2, 2, 2]
    assert min(min(each) for each in waits) > 0
    assert not done.was_stopped
    assert done.peak_bytes > 100_000_000
    shares = [each.share for each in progress]
    assert shares == sorted(shares)
    steps = {each.step for each in progress}  # a short one may be over before it is told of
    assert {"prompt", "first"} <= steps <= {"warmup", "depth", "prompt", "decode", "first"}
    assert list(folder.iterdir()) == []  # a made-up conversation is not kept


def test_a_chat_goes_on_after_it(keeping: tuple[BlockingEngine, Path]) -> None:
    engine, _folder = keeping
    question = request("Name a colour.", max_tokens=8)
    before = ask(engine, question)
    bench(engine, Bench(2, n_prompt=32, n_gen=4, repetitions=1))
    after = ask(engine, question)
    assert after.text == before.text
    assert after.done.n_cached == 0  # nothing of it is taken for the conversation's


def test_stop_ends_it(keeping: tuple[BlockingEngine, Path]) -> None:
    engine, _folder = keeping
    engine.send(Bench(3, n_prompt=256, n_gen=512, repetitions=1000))
    assert isinstance(engine.next_event(), BenchProgress)
    engine.send(Stop(3))
    while not isinstance(event := engine.next_event(), BenchDone):
        pass
    assert event.was_stopped
    _progress, done = bench(engine, Bench(4, n_prompt=16, n_gen=4, repetitions=1))
    assert not done.was_stopped


def test_more_than_the_context_holds_is_refused(keeping: tuple[BlockingEngine, Path]) -> None:
    engine, _folder = keeping
    engine.send(Bench(5, n_depths=(0, N_CTX)))
    with pytest.raises(EngineError, match=r"needs a context of 1536 tokens, and there are 1024"):
        engine.next_event()


def test_a_sliding_window_is_measured_too(
    own_engine: BlockingEngine, gemma_path: Path, tmp_path: Path
) -> None:
    """Its cache cannot be cut back everywhere: the depth is read again where it must be."""
    own_engine.load(
        Load(str(gemma_path), n_ctx=2048, states_folder=str(tmp_path), states_limit_bytes=10**9)
    )
    command = Bench(1, n_prompt=16, n_gen=4, repetitions=2, n_depths=(600,))
    _progress, done = bench(own_engine, command)
    assert [len(depth.tg_tps) for depth in done.depths] == [2]
