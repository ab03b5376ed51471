"""Planning and running for the window: what comes when, and what is told to the child."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from app.core.errors import AppError
from app.jobs.quantize import QuantizeJob
from app.jobs.quantizerun import Run
from quantize.job import Job, Plan
from tests.helpers.fake_quantizer import FakeQuantizer, plan_for

JOB = Job("/data/Qwen3-4B", ("Q8_0", "Q4_K_M"), "/models")


@pytest.fixture
def fake() -> FakeQuantizer:
    return FakeQuantizer()


@pytest.fixture
def job(qtbot: QtBot, fake: FakeQuantizer) -> Iterator[QuantizeJob]:
    made = QuantizeJob(fake.make_client)
    yield made
    made.close()


def _runs(job: QuantizeJob) -> list[Run]:
    seen: list[Run] = []
    job.run_changed.connect(seen.append)
    return seen


def test_a_plan_is_a_dry_run(qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer) -> None:
    with qtbot.waitSignal(job.planned) as blocker:
        job.plan(JOB)
    assert fake.jobs == [msgspec.structs.replace(JOB, dry_run=True)]
    assert blocker.args[0] == fake.plan
    assert not job.is_planning
    qtbot.waitUntil(lambda: fake.n_closed == 1)


def test_only_the_last_plan_is_heard_of(
    qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer
) -> None:
    plans: list[Plan] = []
    job.planned.connect(plans.append)
    fake.plans_by_itself = False
    job.plan(JOB)
    job.plan(msgspec.structs.replace(JOB, source="/data/other"))
    with qtbot.waitSignal(job.planned):
        fake.answer_plan()
    assert [plan.source for plan in plans] == ["/data/other"]
    qtbot.waitUntil(lambda: fake.n_closed == 2)


def test_a_cancelled_plan_is_not_heard_of(
    qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer
) -> None:
    fake.plans_by_itself = False
    with qtbot.assertNotEmitted(job.planned, wait=50):
        job.plan(JOB)
        job.cancel_plan()
        fake.answer_plan()
    assert not job.is_planning
    qtbot.waitUntil(lambda: fake.n_closed == 1)


def test_a_run_from_start_to_end(qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer) -> None:
    seen = _runs(job)
    with qtbot.waitSignal(job.running_changed):
        job.start(JOB)
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].plan is not None)
    fake.tensors(100)
    qtbot.waitUntil(lambda: seen[-1].tensor is not None)
    assert seen[-1].tensor.index == 99
    with qtbot.waitSignal(job.run_finished) as blocker:
        fake.finish()
    assert [done.type for done in blocker.args[0].done] == ["Q8_0", "Q4_K_M"]
    assert not job.is_running


def test_progress_is_passed_on_as_often_as_an_eye_can_follow(
    qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer
) -> None:
    job.start(JOB)
    seen = _runs(job)
    qtbot.waitUntil(lambda: bool(seen))
    seen.clear()
    for number in range(1, 201):
        fake.tensors(number)
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].tensor.index == 199)
    assert len(seen) <= 3


def test_cancelling_is_asked_once_and_answered(
    qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer
) -> None:
    job.start(JOB)
    fake.cancels_by_itself = False
    job.cancel()
    job.cancel()
    assert fake.said == ["cancel"]
    assert job.run is not None
    assert job.run.is_cancelling
    with qtbot.waitSignal(job.run_cancelled):
        fake.cancelled()
    assert not job.is_running


@pytest.mark.parametrize("died", [False, True])
def test_a_failure_is_an_error_with_its_hint(
    qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer, died: bool
) -> None:
    job.start(JOB)
    with qtbot.waitSignal(job.run_failed) as blocker:
        fake.die() if died else fake.fail("The disk is full.", "Free 2 GB.")
    error = blocker.args[0]
    assert isinstance(error, AppError)
    assert error.hint is not None
    assert not job.is_running


def test_the_chat_comes_first(qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer) -> None:
    job.start(JOB)
    job.set_chat_busy(True)
    job.set_chat_busy(True)
    assert fake.said == ["pause"]
    job.set_chat_busy(False)
    assert fake.said == ["pause", "resume"]


def test_a_run_that_begins_while_the_chat_answers_waits(
    job: QuantizeJob, fake: FakeQuantizer
) -> None:
    job.set_chat_busy(True)
    job.start(JOB)
    assert fake.said == ["pause"]


def test_what_the_user_paused_the_chat_does_not_resume(
    job: QuantizeJob, fake: FakeQuantizer
) -> None:
    job.start(JOB)
    job.set_paused(True)
    job.set_chat_busy(True)
    job.set_chat_busy(False)
    assert fake.said == ["pause"]
    job.set_paused(False)
    assert fake.said == ["pause", "resume"]


def test_closing_ends_the_child(qtbot: QtBot, fake: FakeQuantizer) -> None:
    job = QuantizeJob(fake.make_client)
    job.start(JOB)
    job.close()
    assert fake.said == ["cancel"]
    assert fake.n_closed == 1


def test_a_plan_is_saved_as_json(
    qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer, tmp_path: Path
) -> None:
    plan = plan_for(JOB)
    with qtbot.waitSignal(job.copied):
        job.save_plan(plan, tmp_path / "plan.json")
    assert msgspec.json.decode((tmp_path / "plan.json").read_bytes(), type=Plan) == plan


def test_what_cannot_be_saved_is_said(qtbot: QtBot, job: QuantizeJob, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with qtbot.waitSignal(job.copy_failed) as blocker:
        job.save_plan(plan_for(JOB), tmp_path / "file" / "plan.json")
    assert "plan.json" in str(blocker.args[0].text)


def test_events_come_on_the_thread_of_the_job(
    qtbot: QtBot, job: QuantizeJob, fake: FakeQuantizer
) -> None:
    threads: list[threading.Thread] = []
    job.start(JOB)
    job.run_changed.connect(lambda _run: threads.append(threading.current_thread()))
    other = threading.Thread(target=lambda: fake.file_done(0))
    other.start()
    other.join()
    qtbot.waitUntil(lambda: job.run is not None and bool(job.run.done))
    assert set(threads) == {threading.main_thread()}
