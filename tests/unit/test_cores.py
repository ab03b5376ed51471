"""Threads follow the cores that other programs leave free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine import cores
from app.engine.cores import LOOK_S, CoreWatch, FreeCores, Times


class Machine:
    """`n_cores` cores in scripted time; this process burns as many as it has threads."""

    def __init__(self, rule: FreeCores) -> None:
        self.rule = rule
        self.times = Times(100.0, 5000.0, 70.0)

    def run(self, seconds: float, others: float) -> list[int]:
        """The number of threads after each look of `seconds`, others holding so many cores."""
        return [self._step(others) for _ in range(round(seconds / LOOK_S))]

    def _step(self, others: float) -> int:
        before, own = self.times, self.rule.n_threads
        self.times = Times(
            before.at_s + LOOK_S,
            before.busy_s + (own + others) * LOOK_S,
            before.own_s + own * LOOK_S,
        )
        return self.rule.look(before, self.times)


def test_a_free_machine_is_used_whole() -> None:
    assert Machine(FreeCores(8, 8)).run(5, others=0.1) == [8] * 20


@pytest.mark.parametrize(("others", "n_threads"), [(0.3, 4), (0.6, 3), (1.0, 3), (2.2, 2), (9, 1)])
def test_one_thread_less_for_each_core_that_others_hold(others: float, n_threads: int) -> None:
    assert Machine(FreeCores(4, 4)).run(LOOK_S, others) == [n_threads]


def test_cores_to_spare_are_what_others_get_first() -> None:
    """Eight cores of which four are slow: four threads, and room for four others beside them."""
    machine = Machine(FreeCores(4, 8))
    assert machine.run(1, others=4.0) == [4] * 4
    assert machine.run(LOOK_S, others=5.0) == [3]


def test_threads_come_back_when_the_cores_are_free_for_a_while() -> None:
    machine = Machine(FreeCores(2, 2))
    machine.run(1, others=1.0)
    after = machine.run(3, others=0.0)
    assert after[:4] == [1] * 4
    assert after[-1] == 2


def test_what_is_half_a_core_does_not_make_it_flap() -> None:
    machine = Machine(FreeCores(4, 4))
    machine.run(1, others=1.0)
    seen = [n for others in (0.45, 0.55, 0.48, 0.6) * 10 for n in machine.run(LOOK_S, others)]
    assert set(seen) == {3}


def test_each_wrong_return_is_waited_for_longer() -> None:
    """Another program that works every other two seconds costs fewer and fewer bad moments."""
    machine = Machine(FreeCores(2, 2))
    spells = []
    for _ in range(8):
        spells.append(machine.run(2, others=1.0)[0] + machine.run(2, others=0.0).count(2))
    assert spells[0] > spells[-1] == 1


def test_patience_is_regained_when_all_is_calm() -> None:
    machine = Machine(FreeCores(2, 2))
    for _ in range(6):
        machine.run(2, others=1.0)
        machine.run(2, others=0.0)
    machine.run(60, others=0.0)
    machine.run(1, others=1.0)
    assert machine.run(2, others=0.0)[-1] == 2


@given(st.integers(1, 64), st.integers(1, 64), st.lists(st.floats(0, 200), max_size=40))
def test_there_is_always_a_thread_and_never_too_many(
    n_most: int, n_cores: int, loads: list[float]
) -> None:
    machine = Machine(FreeCores(n_most, n_cores))
    for others in loads:
        (n_threads,) = machine.run(LOOK_S, others)
        assert 1 <= n_threads <= n_most
        room = max(n_cores, n_most) - others
        assert n_threads == 1 or n_threads <= room + 0.51


class Script:
    """A clock and a reading that a test moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.busy = self.own = 0.0
        self.others = 0.0
        self.n_read = 0
        monkeypatch.setattr("app.engine.cores.time.perf_counter", lambda: self.now)
        monkeypatch.setattr("app.engine.cores.n_usable_cores", lambda: 2)

    def read(self) -> Times:
        self.n_read += 1
        return Times(self.now, self.busy, self.own)

    def decode(self, watch: CoreWatch, seconds: float) -> bool:
        watch.before()
        self.wait(seconds)
        return watch.after()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.own += seconds
        self.busy += seconds * (1 + self.others)

    def pause(self, seconds: float, others: float) -> None:
        self.now += seconds
        self.busy += seconds * others


def test_it_looks_a_few_times_a_second_only(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch)
    watch = CoreWatch(2, script.read)
    for _ in range(1000):
        script.decode(watch, 0.01)
    assert 35 <= script.n_read <= 42


def test_a_change_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch)
    watch = CoreWatch(2, script.read)
    script.others = 1.0
    assert [script.decode(watch, 0.3) for _ in range(3)] == [True, False, False]
    assert watch.n_threads == 1


@pytest.mark.parametrize("is_crowded", [False, True])
def test_who_was_busy_all_through_a_pause_is_made_room_for_if_still_there(
    monkeypatch: pytest.MonkeyPatch, is_crowded: bool
) -> None:
    """The first pass of an answer reads 512 tokens: too long to begin with too many threads."""
    script = Script(monkeypatch)
    watch = CoreWatch(2, script.read, lambda: is_crowded)
    script.decode(watch, 0.3)
    script.pause(60, others=1.0)
    assert watch.before() is is_crowded
    assert watch.n_threads == (1 if is_crowded else 2)


def test_a_calm_pause_gives_the_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch)
    watch = CoreWatch(2, script.read, lambda: True)
    script.others = 1.0
    assert script.decode(watch, 0.3)
    script.pause(5, others=0.1)
    assert watch.before()
    assert watch.n_threads == 2


def test_a_held_number_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch)
    watch = CoreWatch(2, script.read)
    watch.hold(2)
    script.others = 2.0
    assert [script.decode(watch, 1.0) for _ in range(3)] == [False] * 3
    assert script.n_read == 0


def test_this_machines_times_move_on() -> None:
    before = cores.read_times()
    while cores.read_times().own_s - before.own_s < 0.05:
        pass
    after = cores.read_times()
    assert after.at_s > before.at_s
    assert after.busy_s >= before.busy_s
    assert cores.n_usable_cores() >= 1
