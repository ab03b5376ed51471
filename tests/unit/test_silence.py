"""How long a child has said nothing, on clocks that a test turns."""

from __future__ import annotations

import pytest

from app.engine.silence import Silence, boot_clock


class Clocks:
    """`running` is what Linux and macOS stop while they sleep, `always` what they do not."""

    def __init__(self) -> None:
        self.running = self.always = 1000.0
        self.silence = Silence(lambda: self.running, lambda: self.always)

    def wait(self, seconds: float, looks_every: float = 2.0) -> float:
        """Look now and then for `seconds`; returns the silence at the end."""
        silence = self.silence.seconds()
        for _ in range(int(seconds / looks_every)):
            self.running += looks_every
            self.always += looks_every
            silence = self.silence.seconds()
        return silence


@pytest.fixture
def clocks() -> Clocks:
    result = Clocks()
    result.silence.begin()
    return result


def test_a_child_that_says_nothing(clocks: Clocks) -> None:
    assert clocks.wait(16) == 16


def test_a_sign_of_life_ends_it(clocks: Clocks) -> None:
    clocks.wait(14)
    clocks.silence.heard()
    assert clocks.wait(4) == 4


def test_a_sleep_that_the_running_clock_does_not_count(clocks: Clocks) -> None:
    clocks.wait(14)
    clocks.always += 8 * 3600
    assert clocks.wait(4) == 4


def test_a_sleep_that_every_clock_counts(clocks: Clocks) -> None:
    """As on Windows."""
    clocks.wait(14)
    clocks.running += 8 * 3600
    clocks.always += 8 * 3600
    assert clocks.wait(4) == 4


def test_a_child_that_hangs_after_the_sleep_is_noticed(clocks: Clocks) -> None:
    clocks.wait(4)
    clocks.always += 8 * 3600
    assert clocks.wait(16) == 16


def test_a_clock_that_is_set_back_ends_nothing(clocks: Clocks) -> None:
    clocks.wait(4)
    clocks.always -= 3600
    assert clocks.wait(12) == 16


def test_nobody_looked_while_nothing_was_due(clocks: Clocks) -> None:
    clocks.running += 3600
    clocks.always += 3600
    clocks.silence.begin()
    assert clocks.wait(16) == 16


def test_short_sleeps_do_not_add_up_to_a_silence(clocks: Clocks) -> None:
    for _ in range(20):
        clocks.running += 2
        clocks.always += 5
        assert clocks.silence.seconds() == 0


def test_the_boot_clock_goes_forward() -> None:
    before = boot_clock()
    assert boot_clock() >= before
