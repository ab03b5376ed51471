"""What some of a plan's files come to."""

from __future__ import annotations

import msgspec
import pytest

from app.core.errors import Message
from app.core.selection import chosen_files, narrowed, totals
from quantize.job import Job, Plan
from tests.helpers.fake_quantizer import GB, plan_for

JOB = Job("/data/Qwen3-4B", ("Q8_0", "Q5_K_M", "Q4_K_M"), "/models")


@pytest.fixture
def plan() -> Plan:
    """Three files of 6, 85 and 82 s, of which 5 s each are the reading that they share."""
    return msgspec.structs.replace(plan_for(JOB), seconds=6 + 85 + 82 - 2 * 5)


def test_all_of_it_is_the_plan(plan: Plan) -> None:
    found = totals(plan, JOB.types)
    assert found.n_files == 3
    assert found.size_bytes == sum(file.size_bytes for file in plan.files)
    assert found.seconds == pytest.approx(plan.seconds)


def test_the_source_is_read_once(plan: Plan) -> None:
    assert totals(plan, ["Q5_K_M", "Q4_K_M"]).seconds == pytest.approx(85 + 82 - 5)
    assert totals(plan, ["Q4_K_M"]).seconds == pytest.approx(82)
    assert totals(plan, []).seconds == 0


def test_the_matrix_is_made_once() -> None:
    plan = plan_for(msgspec.structs.replace(JOB, imatrix="auto"))
    assert totals(plan, ["Q4_K_M"]).seconds == pytest.approx(82 + 390)


def test_the_disk_is_counted_with_what_is_needed_meanwhile(plan: Plan) -> None:
    size = sum(file.size_bytes for file in plan.files)
    scratch = 4 * GB
    plan = msgspec.structs.replace(plan, peak_disk_bytes=size + scratch, disk_free_bytes=6 * GB)
    small = totals(plan, ["Q8_0"])
    assert small.disk_bytes == small.size_bytes + scratch
    assert not small.fits_disk
    assert not totals(plan, ["Q5_K_M"]).fits_disk
    plan = msgspec.structs.replace(plan, disk_free_bytes=7 * GB)
    assert totals(plan, ["Q5_K_M"]).fits_disk


def test_what_cannot_be_made_is_not_chosen(plan: Plan) -> None:
    problem = Message("test", "It exists already.")
    first = msgspec.structs.replace(plan.files[0], problem=problem)
    plan = msgspec.structs.replace(plan, files=(first, *plan.files[1:]))
    assert [file.type for file in chosen_files(plan, JOB.types)] == ["Q5_K_M", "Q4_K_M"]


def test_the_plan_that_is_saved_has_the_chosen_files_only(plan: Plan) -> None:
    saved = narrowed(plan, ["Q4_K_M"])
    assert [file.type for file in saved.files] == ["Q4_K_M"]
    assert saved.seconds == pytest.approx(82)
    assert msgspec.json.decode(msgspec.json.encode(saved), type=Plan) == saved
