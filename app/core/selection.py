"""What a choice among the files of a plan comes to: disk, time, and which plan is left.

The quantizer plans all types at once; the page and its user take some of them. No Qt, no files.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from quantize.job import Plan, PlannedFile


@dataclass(frozen=True, slots=True)
class Totals:
    """`size_bytes` of the files, `disk_bytes` with what is needed meanwhile, `seconds` for all."""

    n_files: int
    size_bytes: int
    disk_bytes: int
    seconds: float
    fits_disk: bool


def chosen_files(plan: Plan, types: Collection[str]) -> tuple[PlannedFile, ...]:
    """In the order of the plan, those that can be made."""
    return tuple(f for f in plan.files if f.type in types and f.problem is None)


def totals(plan: Plan, types: Collection[str]) -> Totals:
    """The figures of the files of `types`, from those of the whole plan."""
    files = chosen_files(plan, types)
    size = sum(file.size_bytes for file in files)
    disk = size + _scratch_bytes(plan)
    return Totals(len(files), size, disk, _seconds(plan, files), disk <= plan.disk_free_bytes)


def narrowed(plan: Plan, types: Collection[str]) -> Plan:
    """`plan` with the files of `types` only, as it is saved."""
    files = chosen_files(plan, types)
    found = totals(plan, types)
    return msgspec.structs.replace(
        plan, files=files, seconds=found.seconds, peak_disk_bytes=found.disk_bytes
    )


def _scratch_bytes(plan: Plan) -> int:
    """What is on the disk beside the files while they are made."""
    return max(0, plan.peak_disk_bytes - sum(file.size_bytes for file in plan.files))


def _seconds(plan: Plan, files: tuple[PlannedFile, ...]) -> float:
    """Each file's own time counts one reading of the source; together they share it."""
    if not files:
        return 0.0
    alone = sum(file.seconds for file in plan.files)
    n_shared = len(plan.files) - 1
    work = max(0.0, plan.seconds - plan.imatrix_seconds)
    reading = max(0.0, alone - work) / n_shared if n_shared else 0.0
    reading = min(reading, *(file.seconds for file in files), alone)
    together = sum(file.seconds for file in files) - (len(files) - 1) * reading
    return together + plan.imatrix_seconds
