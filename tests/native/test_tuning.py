"""How a model is run best is measured beside its conversation, and never in anybody's way."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.hardware.memory import Memory
from app.engine import filling, tuning
from app.engine.client import BlockingEngine
from app.engine.context import Context
from app.engine.filling import UnknownShapeError
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag, lib
from app.engine.protocol import (
    Done,
    Generate,
    Load,
    PromptMessage,
    Sampling,
    Stop,
    Text,
    Tune,
    Tuned,
)
from app.engine.session import Session
from app.engine.tuning import Tuning, Way, thread_counts
from tests.helpers.fuzz import fuzz

ROOT = Path(__file__).resolve().parents[2]
QUESTION = (PromptMessage("user", "Name three colours."),)
GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0)


@cache
def _log() -> NativeLog:
    """One for all: llama.cpp calls the last one made, which must not be gone by then."""
    return NativeLog()


@pytest.fixture(scope="module")
def session(starter_path: Path) -> Iterator[Session]:
    lib.llama_backend_init()
    made = Session(Load(str(starter_path), n_ctx=1024), _log(), StopFlag())
    yield made
    made.close()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """One measurement of each thing, on a machine that may be as busy as it likes, and with one
    thread: several that must not yield wait for the busy ones."""
    monkeypatch.setattr("app.engine.tuning.devices.default_threads", lambda: 1)
    monkeypatch.setattr(tuning, "_LEAST_REPEATS", 1)
    monkeypatch.setattr(tuning, "_SHARE_S", 0.0)
    monkeypatch.setattr(tuning, "_MOST_OTHERS", 1e9)


def _tuned(session: Session, limit_s: float = 120.0, stop: StopFlag | None = None) -> Tuned:
    tuning_ = Tuning(session.model, session.loaded, _log(), stop or StopFlag())
    return tuning_.run(Tune(7, limit_s))


@pytest.mark.usefixtures("quickly")
def test_a_tune_says_how_to_run_the_model(session: Session) -> None:
    found = _tuned(session)
    assert found.request_id == 7
    assert found.n_threads == 1
    assert found.flash_attn in ("on", "off")
    assert found.kv_type == "f16"  # there is memory enough
    sizes = [n for n, _ in found.pass_costs]
    assert sizes in ([1], [n for n in (1, 2, 4, 8, 16) if n <= session.context.n_outputs])
    assert found.pass_costs[0] == (1, 1.0)
    assert all(cost > 0 for _, cost in found.pass_costs)


@pytest.mark.usefixtures("quickly")
def test_a_compressed_context_is_tried_where_memory_is_short(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    real = Tuning.context

    def make(self: Tuning, way: Way) -> Context:
        tried.append(way.kv_type)
        return real(self, way)

    monkeypatch.setattr(Tuning, "context", make)
    monkeypatch.setattr(tuning, "this_platform", lambda: _Ram(8 << 30, 120 << 30))
    _tuned(session)
    assert tried == ["f16", "f16", "q8_0"]


def test_what_does_not_fit_beside_the_model_is_not_tried(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "this_platform", lambda: _Ram(10 << 20, 8 << 30))
    monkeypatch.setattr(Tuning, "context", None)
    assert _tuned(session) == Tuned(7, 0, "", "", ())


class _Ram:
    """A platform with so much free of all memory."""

    def __init__(self, free_bytes: int, total_bytes: int) -> None:
        self._memory = Memory(total_bytes, free_bytes)

    def memory(self) -> Memory:
        return self._memory


def test_nothing_is_said_when_time_runs_out(session: Session) -> None:
    assert _tuned(session, limit_s=0.0).n_threads == 0


@pytest.mark.usefixtures("quickly")
def test_nothing_is_said_of_a_busy_machine(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_MOST_OTHERS", -1.0)
    assert _tuned(session).n_threads == 0


def test_a_stop_ends_it(session: Session) -> None:
    stop = StopFlag()
    stop.set()
    assert _tuned(session, stop=stop).n_threads == 0


def test_threads_to_try() -> None:
    assert thread_counts(1) == (1,)
    assert thread_counts(2) == (2, 1)
    assert thread_counts(8) == (8, 6, 4)


# --- in the engine's child --------------------------------------------------------------------


def _ask(engine: BlockingEngine, request_id: int) -> tuple[str, Done]:
    engine.send(Generate(request_id, QUESTION, GREEDY, max_tokens=12))
    text = ""
    while not isinstance(event := engine.next_event(), Done):
        if isinstance(event, Text):
            text += event.text
    return text, event


def test_a_question_ends_a_tune(engine: BlockingEngine) -> None:
    _ask(engine, 1)
    text, _ = _ask(engine, 1)  # from the cache, as the next one
    engine.send(Tune(2, limit_s=60.0))
    time.sleep(0.3)  # it has begun
    engine.send(Generate(3, QUESTION, GREEDY, max_tokens=12))
    assert engine.next_event() == Tuned(2, 0, "", "", ())
    answer = ""
    while not isinstance(event := engine.next_event(), Done):
        answer += event.text if isinstance(event, Text) else ""
    assert answer == text
    assert event.n_cached > 0  # what the conversation had in the cache is still there


def test_a_question_that_waits_already_is_answered_first(engine: BlockingEngine) -> None:
    engine.send(Tune(4, limit_s=60.0))
    engine.send(Generate(5, QUESTION, GREEDY, max_tokens=1))
    assert engine.next_event() == Tuned(4, 0, "", "", ())
    while not isinstance(engine.next_event(), Done):
        pass


def test_stop_ends_a_tune(engine: BlockingEngine) -> None:
    engine.send(Tune(6, limit_s=60.0))
    time.sleep(0.2)
    engine.send(Stop(6))
    assert engine.next_event() == Tuned(6, 0, "", "", ())
    assert _ask(engine, 7)[1].stop_reason == "length"


def test_the_number_of_threads_does_not_change_the_text(
    own_engine: BlockingEngine, starter_path: Path
) -> None:
    texts = []
    for n_threads in (1, 2, 3):
        own_engine.load(Load(str(starter_path), n_ctx=512, n_threads=n_threads))
        texts.append(_ask(own_engine, n_threads)[0])
    assert len(set(texts)) == 1


def test_the_engine_yields_to_the_window(engine: BlockingEngine) -> None:
    child, own = psutil.Process(engine.client.pid).nice(), psutil.Process().nice()
    if sys.platform == "win32":
        assert child == psutil.BELOW_NORMAL_PRIORITY_CLASS
    else:
        assert child == min(19, own + 3)


# --- filling a context ------------------------------------------------------------------------


@contextmanager
def _context(path: Path, **how: object) -> Iterator[Context]:
    with closing(Model(path, 0, _log(), lambda _: True)) as model:
        load = Load(str(path), n_ctx=2304, n_threads=1, **how)  # type: ignore[arg-type]
        with closing(Context(model, load, _log(), StopFlag())) as context:
            context.decode([(i * 7919 + 13) % model.n_vocab for i in range(16)])
            yield context


WAYS: tuple[dict[str, str], ...] = (
    {"flash_attn": "off"},
    {"flash_attn": "on"},
    {"kv_type": "q8_0"},
)


@pytest.mark.parametrize("how", WAYS)
def test_a_state_is_understood_to_the_byte(starter_path: Path, how: dict[str, str]) -> None:
    with _context(starter_path, **how) as context:
        state = filling.state_of(context.handle)
        assert filling.widened(state, 16, 0) == state
        assert context.take_state(filling.widened(state, 2048, 0), 2048)
        context.decode([5])
        again = filling.parse(filling.state_of(context.handle))
    assert again[0].n_cells == 2049


def test_a_window_holds_the_last_tokens_only(gemma_path: Path) -> None:
    with _context(gemma_path) as context:
        state = filling.state_of(context.handle)
        assert context.take_state(filling.widened(state, 2048, 512), 2048)
        memory = lib.llama_get_memory(context.handle)
        assert lib.llama_memory_seq_pos_max(memory, 0) == 2047
        assert lib.llama_memory_seq_pos_min(memory, 0) == 2048 - 512
        context.decode([5])


@pytest.fixture
def gemma_path() -> Path:
    folder = Path(os.environ.get("NIBBLE_TEST_MODELS", ROOT / ".cache" / "models"))
    found = sorted(folder.glob("gemma-3-270m*.gguf"))
    if not found:
        pytest.skip(f"gemma-3-270m is not in {folder}")
    return found[0].absolute()


@pytest.fixture(scope="module")
def state(starter_path: Path) -> bytes:
    with _context(starter_path) as context:
        return filling.state_of(context.handle)


@fuzz
@given(st.binary(max_size=300))
def test_a_state_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(UnknownShapeError):
        filling.parse(data)


def test_a_state_cut_anywhere_is_refused(state: bytes) -> None:
    for end in (0, 7, 8, 12, 100, len(state) // 2, len(state) - 1):
        with pytest.raises(UnknownShapeError):
            filling.widened(state[:end], 32, 0)
    with pytest.raises(UnknownShapeError):
        filling.widened(state, 40, 0)
