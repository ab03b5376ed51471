"""Cancel and pause reach a job's threads."""

from __future__ import annotations

import threading

import pytest

from quantize.control import Control
from quantize.errors import Cancelled


def test_a_cancelled_job_raises_at_its_next_check() -> None:
    control = Control()
    control.check()
    control.cancel()
    with pytest.raises(Cancelled):
        control.check()


def test_a_paused_job_waits_until_it_is_resumed() -> None:
    control = Control()
    control.pause()
    passed = threading.Event()
    thread = threading.Thread(target=lambda: (control.check(), passed.set()))
    thread.start()
    assert not passed.wait(0.05)
    control.resume()
    assert passed.wait(5)
    thread.join()


def test_a_paused_job_can_be_cancelled_and_stays_so() -> None:
    control = Control()
    control.pause()
    control.cancel()
    control.pause()
    with pytest.raises(Cancelled):
        control.check()
