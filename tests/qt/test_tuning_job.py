"""A model is measured once, when nobody wants anything of it, and what came of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from app.core.settings import Settings
from app.core.store import Store
from app.core.tuned import TuneRecord, key_for
from app.engine.protocol import Generate, Load, Tune, Tuned
from app.jobs import tuning
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, EngineState, Phase
from app.jobs.tuning import Tuning, is_battery_low, limit_s_for
from app.ui.figures import Figures
from app.ui.meters import SpeedSection
from tests.helpers.fake_engine import FakeEngine, loaded_for

FOUND = Tuned(0, 3, "on", "f16", ((1, 1.0), (2, 1.5)))
NOTHING = Tuned(0, 0, "", "", ())


class Kit:
    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot, self.folder = qtbot, folder
        self.is_wanted = True
        self.model = folder / "a.gguf"
        self.model.write_bytes(b"GGUF")
        self.fake = FakeEngine()
        self.engine = EngineJob(self.fake.make_client)
        self.store = Store(folder / "conversations.db", folder / "lock")
        self.chat = ChatJob(self.store, Settings(folder / "settings.json"), self.engine)
        self.tuning = Tuning(self.chat, lambda: self.is_wanted)

    def load(self) -> None:
        self.engine.start()
        self.engine.load(Load(str(self.model)))
        self.qtbot.waitUntil(lambda: self.engine.state.loaded is not None, timeout=5000)
        self.settle()

    def settle(self) -> None:
        """What was asked of the store's thread has come back."""
        done: list[None] = []
        self.chat.read_store(lambda _store: None, done.append)
        self.qtbot.waitUntil(lambda: bool(done), timeout=5000)

    @property
    def is_waiting(self) -> bool:
        return self.tuning.wait.isActive()

    def pass_time(self) -> None:
        """The wait is over now."""
        assert self.is_waiting
        self.tuning.wait.stop()
        self.tuning.wait.timeout.emit()

    @property
    def n_tunes(self) -> int:
        return sum(isinstance(command, Tune) for command in self.fake.commands)

    def answer(self, tuned: Tuned) -> None:
        with self.qtbot.waitSignal(self.engine.tuned):
            self.fake.tell(tuned)
        self.settle()

    @property
    def kept(self) -> TuneRecord | None:
        key = key_for(self.model)
        assert key is not None
        found: list[TuneRecord | None] = []
        self.chat.read_store(lambda store: store.tuned(key), found.append)
        self.qtbot.waitUntil(lambda: bool(found), timeout=5000)
        return found[0]


@pytest.fixture
def kit(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kit]:
    monkeypatch.setattr("psutil.cpu_percent", lambda: 3.0)
    monkeypatch.setattr(tuning, "is_battery_low", lambda: False)
    made = Kit(qtbot, tmp_path)
    yield made
    made.chat.close()


def test_a_new_model_is_measured_and_the_result_kept(kit: Kit) -> None:
    kit.load()
    kit.pass_time()
    assert kit.n_tunes == 1
    kit.answer(FOUND)
    kept = kit.kept
    assert kept is not None
    assert (kept.n_threads, kept.flash_attn, kept.pass_costs) == (3, "on", FOUND.pass_costs)
    assert (kept.name, kept.variant, kept.device) == ("SmolLM2 135M", "Q4_1", "CPU")
    assert not kit.is_waiting  # the window is idle from now on


def test_a_model_that_is_known_is_left_alone(kit: Kit) -> None:
    kit.load()
    kit.pass_time()
    kit.answer(FOUND)
    kit.load()
    assert not kit.is_waiting


def test_another_device_is_measured_anew(kit: Kit) -> None:
    kit.load()
    kit.pass_time()
    kit.answer(FOUND)
    kit.fake.device = "GPU"
    kit.load()
    assert kit.is_waiting


def test_an_answer_puts_it_off(kit: Kit) -> None:
    kit.load()
    kit.fake.reply = ("Hello",)
    kit.engine.generate(Generate(0, ()))
    assert not kit.is_waiting
    kit.qtbot.waitUntil(lambda: kit.is_waiting, timeout=5000)
    assert kit.n_tunes == 0


def test_questions_do_not_use_up_the_tries(kit: Kit) -> None:
    kit.load()
    for _ in range(6):
        kit.pass_time()
        kit.engine.generate(Generate(0, ()))
        kit.answer(NOTHING)
        kit.fake.finish()
        kit.qtbot.waitUntil(lambda: kit.is_waiting, timeout=5000)
    assert kit.n_tunes == 6


def test_what_came_to_nothing_is_tried_a_few_times(kit: Kit) -> None:
    kit.load()
    while kit.is_waiting:
        kit.pass_time()
        kit.answer(NOTHING)
    assert kit.n_tunes == 4
    assert kit.kept is None


@pytest.mark.parametrize("why", ["busy", "battery"])
def test_it_waits_for_a_better_moment(kit: Kit, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr("psutil.cpu_percent", lambda: 90.0 if why == "busy" else 0.0)
    monkeypatch.setattr(tuning, "is_battery_low", lambda: why == "battery")
    kit.load()
    kit.pass_time()
    assert kit.n_tunes == 0
    assert kit.tuning.wait.interval() == tuning.AGAIN_MS


def test_a_person_can_do_without(kit: Kit) -> None:
    kit.is_wanted = False
    kit.load()
    assert not kit.is_waiting


def test_a_large_model_is_given_longer() -> None:
    assert limit_s_for(98_362_432) == 6.0
    assert limit_s_for(4_580_000_000) == pytest.approx(27.5, abs=0.1)
    assert limit_s_for(10**12) == 30.0


@pytest.mark.parametrize(
    ("battery", "is_low"),
    [
        (None, False),
        (SimpleNamespace(power_plugged=True, percent=5), False),
        (SimpleNamespace(power_plugged=False, percent=80), False),
        (SimpleNamespace(power_plugged=False, percent=20), True),
        (SimpleNamespace(power_plugged=None, percent=20), True),
    ],
)
def test_a_low_battery_is_spared(
    monkeypatch: pytest.MonkeyPatch, battery: object, is_low: bool
) -> None:
    monkeypatch.setattr("psutil.sensors_battery", lambda: battery, raising=False)
    assert is_battery_low() is is_low


@pytest.mark.parametrize(
    ("load", "line"),
    [
        (Load("a.gguf"), "2 threads, flash attention off"),
        (Load("a.gguf", pass_costs=((1, 1.0),)), "2 threads, flash attention off (measured)"),
    ],
)
def test_the_inspector_says_how_the_model_runs(qtbot: QtBot, load: Load, line: str) -> None:
    section = SpeedSection()
    qtbot.addWidget(section)
    section.show_figures(Figures(EngineState(Phase.READY, load, loaded_for(load))))
    assert section.way == line
    compressed = replace(loaded_for(load), n_threads=1, flash_attn=True, kv_type="q8_0")
    section.show_figures(Figures(EngineState(Phase.READY, load, compressed)))
    assert section.way.startswith("1 thread, flash attention on, context in q8_0")
    section.show_figures(Figures(EngineState()))
    assert section.way == ""
