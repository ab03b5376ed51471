"""Every load and every long answer leave a record of what was predicted and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core.hardware import Gpu, GpuState, Hardware, measure
from app.core.measured import Taken
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Load
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob
from app.jobs.fits import Fits, predict
from app.jobs.tasks import TaskThread
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.window_kit import WindowKit


class Kit:
    def __init__(self, qtbot: QtBot, folder: Path, model: Path) -> None:
        self.qtbot, self.model = qtbot, model
        self.fake = FakeEngine()
        self.engine = EngineJob(self.fake.make_client)
        self.store = Store(folder / "conversations.db", folder / "lock")
        self.tasks = TaskThread("tasks")
        self.chat = ChatJob(self.store, Settings(folder / "settings.json"), self.engine)
        self.fits = Fits(self.chat, self.tasks)

    def load(self, **how: object) -> None:
        self.engine.start()
        self.engine.load(Load(str(self.model), **how))  # type: ignore[arg-type]

    def read(self, ask: Callable[[Store], object]) -> object:
        """On the store's thread, after everything before it."""
        answers: list[object] = []
        self.qtbot.waitUntil(lambda: self.fits.prediction is not None, timeout=5000)
        self.qtbot.wait(1)
        self.chat.read_store(ask, answers.append)
        self.qtbot.waitUntil(lambda: bool(answers), timeout=5000)
        return answers[0]

    def close(self) -> None:
        self.chat.close()
        self.tasks.close()


@pytest.fixture
def kit(qtbot: QtBot, tmp_path: Path, starter_path: Path) -> Iterator[Kit]:
    made = Kit(qtbot, tmp_path, starter_path)
    yield made
    made.close()


def test_a_load_leaves_a_record(kit: Kit) -> None:
    kit.load(n_ctx=2048)
    kit.qtbot.waitUntil(lambda: kit.engine.state.loaded is not None, timeout=5000)
    (record,) = kit.read(lambda store: store.loads())  # type: ignore[misc]
    assert (record.model, record.variant, record.n_ctx) == ("SmolLM2 135M", "Q4_1", 2048)
    assert record.actual == Taken(98_000_000, 94_000_000, 60_000_000)
    assert record.predicted.kv_bytes == 30 * 2048 * 2 * 192 * 2
    assert record.predicted == kit.fits.prediction.taken


def test_a_load_is_recorded_once(kit: Kit) -> None:
    kit.load()
    kit.read(lambda store: None)
    kit.engine.state_changed.emit(kit.engine.state)
    assert len(kit.read(lambda store: store.loads())) == 1  # type: ignore[arg-type]


def test_a_model_that_cannot_be_read_has_no_prediction(kit: Kit, tmp_path: Path) -> None:
    heard: list[object] = []
    kit.fits.predicted.connect(heard.append)
    kit.model = tmp_path / "none.gguf"
    kit.load()
    kit.tasks.submit(lambda: None, heard.append)
    kit.qtbot.waitUntil(lambda: len(heard) == 2, timeout=5000)
    assert heard == [None, None]
    assert kit.fits.prediction is None


def test_graphics_that_turn_up_later_are_reckoned_with(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The load went to a GPU that nobody had told of: it is looked for, and predicted again."""
    gpu = Gpu("GPU", "nvidia", 8 << 30, 8 << 30, GpuState.USED, "cuda")
    found = replace(measure(tmp_path), gpus=(gpu,))
    looks: list[Path] = []

    def examine(folder: Path) -> Hardware:
        looks.append(folder)
        return found

    monkeypatch.setattr("app.engine.client.examine", examine)
    kit.fake.device = "GPU"
    kit.load()
    kit.qtbot.waitUntil(
        lambda: kit.fits.prediction is not None and kit.fits.prediction.plan.n_gpu_layers == 31,
        timeout=5000,
    )
    assert len(looks) == 1
    (record,) = kit.read(lambda store: store.loads())  # type: ignore[misc]
    assert (record.device, record.n_gpu_layers) == ("GPU", 31)


def test_predicted_is_what_is_free_now_and_not_what_was(starter_path: Path, tmp_path: Path) -> None:
    known = replace(measure(tmp_path), ram_available_bytes=1)
    assert predict(Load(str(starter_path)), known).plan.free_bytes > 1


# --- in the window ----------------------------------------------------------------------------


def test_the_inspector_sets_actual_beside_predicted(kit_with_starter: WindowKit) -> None:
    kit = kit_with_starter
    memory = kit.page.inspector.memory
    kit.wait(lambda: bool(memory.verdict))
    assert memory.predicted.bar.accessibleDescription() != "Not known"
    predicted = kit.page.fits.prediction.taken.total_bytes
    percent = round((252e6 / predicted - 1) * 100, 1)
    assert (
        memory.verdict == f"{abs(percent)} % {'above' if percent > 0 else 'below'} the prediction"
    )


@pytest.fixture
def kit_with_starter(
    open_window: Callable[..., WindowKit], starter_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WindowKit:
    monkeypatch.setattr("tests.helpers.window_kit.MODEL", str(starter_path))
    return open_window()


def _speeds_of(kit: WindowKit, n_generated: int) -> object:
    kit.wait(lambda: bool(kit.page.inspector.memory.verdict))
    kit.fake.n_generated = n_generated
    kit.ask("Hi")
    kit.answer("Hello")
    found: list[object] = []
    kit.chat.read_store(lambda store: store.speeds(), found.append)
    kit.wait(lambda: bool(found))
    return found[0]


def test_answers_leave_their_speed(kit_with_starter: WindowKit) -> None:
    kit = kit_with_starter
    (record,) = _speeds_of(kit, 32)
    assert (record.device, record.measured_tps) == ("CPU", 18.4)
    assert record.predicted_tps == kit.page.fits.prediction.tps > 0
    assert kit.page.fits.speeds == (record,)


def test_a_short_answer_says_nothing_of_the_speed(kit_with_starter: WindowKit) -> None:
    assert _speeds_of(kit_with_starter, 31) == ()
