"""Memory that runs out is noticed before the kernel acts; memory that does not is left in peace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.hardware.memory import Memory
from app.core.hardware.pressure import (
    Pressure,
    Reading,
    judge,
    macos_level,
    parse_psi,
    read,
    read_linux,
)
from tests.helpers.fuzz import fuzz
from tests.helpers.recording import RecordedFiles

GB = 1_000_000_000
MOUNT = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
QUIET = (
    "some avg10=0.00 avg60=0.12 avg300=0.03 total=1298733\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=901122\n"
)
# A 2-core machine with 4 GB whose weights no longer fit, a few seconds before the kernel killed.
THRASHING = (
    "some avg10=71.42 avg60=28.86 avg300=7.19 total=31416772\n"
    "full avg10=58.33 avg60=21.08 avg300=5.11 total=24771530\n"
)


def _meminfo(available: int, total: int = 16 * GB) -> str:
    return f"MemTotal: {total // 1024} kB\nMemFree: 100 kB\nMemAvailable: {available // 1024} kB\n"


def _linux(available: int = 8 * GB, total: int = 16 * GB, **texts: str) -> Pressure:
    files = {"/proc/meminfo": _meminfo(available, total), **texts}
    return judge(read_linux(RecordedFiles(files)))


def test_a_quiet_machine() -> None:
    assert _linux(**{"/proc/pressure/memory": QUIET}) is Pressure.NONE


def test_a_machine_that_thrashes() -> None:
    assert _linux(**{"/proc/pressure/memory": THRASHING}) is Pressure.CRITICAL


def test_a_group_that_thrashes_on_a_quiet_machine() -> None:
    files = {
        "/proc/pressure/memory": QUIET,
        "/proc/self/mountinfo": MOUNT,
        "/proc/self/cgroup": "0::/user.slice/nibble.scope\n",
        "/sys/fs/cgroup/user.slice/nibble.scope/memory.pressure": THRASHING,
    }
    assert _linux(**files) is Pressure.CRITICAL


def test_a_kernel_that_does_not_count_stalls() -> None:
    assert _linux() is Pressure.NONE
    assert _linux(available=190_000_000) is Pressure.CRITICAL


@pytest.mark.parametrize(
    ("available", "total", "expected"),
    [
        (8 * GB, 16 * GB, Pressure.NONE),
        (600_000_000, 16 * GB, Pressure.NONE),
        (400_000_000, 16 * GB, Pressure.SHORT),
        (150_000_000, 16 * GB, Pressure.CRITICAL),
        (400_000_000, 4 * GB, Pressure.NONE),  # a small machine is nearly always like that
        (140_000_000, 4 * GB, Pressure.CRITICAL),
        (60_000_000, GB, Pressure.SHORT),
        (0, 0, Pressure.NONE),  # nothing is known
    ],
)
def test_what_is_left(available: int, total: int, expected: Pressure) -> None:
    assert _linux(available, total) is expected


def test_short_memory_and_programs_that_wait_for_it() -> None:
    waiting = "some avg10=45.00 avg60=9 avg300=2 total=1\nfull avg10=9.00 avg60=1 avg300=0 total=1"
    assert _linux(400_000_000, **{"/proc/pressure/memory": waiting}) is Pressure.CRITICAL
    assert _linux(8 * GB, **{"/proc/pressure/memory": waiting}) is Pressure.NONE


def test_a_group_s_limit() -> None:
    files = {
        "/proc/self/mountinfo": MOUNT,
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/memory.max": f"{2 * GB}\n",
        "/sys/fs/cgroup/memory.current": f"{2 * GB - 50_000_000}\n",
    }
    assert _linux(**files) is Pressure.CRITICAL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kern.memorystatus_vm_pressure_level: 1\n", Pressure.NONE),
        ("kern.memorystatus_vm_pressure_level: 2\n", Pressure.SHORT),
        ("kern.memorystatus_vm_pressure_level: 4\n", Pressure.CRITICAL),
        ("", Pressure.NONE),
        ("unknown oid\n", Pressure.NONE),
    ],
)
def test_the_level_of_macos(text: str, expected: Pressure) -> None:
    level = macos_level(text)
    assert level is expected
    assert judge(Reading(Memory(16 * GB, 8 * GB), level=level)) is expected


def test_this_computer_has_memory() -> None:
    assert read().memory.total_bytes > 0


@fuzz
@given(st.text(max_size=200) | st.text("somefull avg10=.-e9\n", max_size=80))
def test_any_text_has_percentages(text: str) -> None:
    assert all(0.0 <= percent <= 100.0 for percent in parse_psi(text))


def test_the_numbers_are_taken_from_their_places() -> None:
    assert parse_psi(THRASHING) == (71.42, 58.33)
    assert parse_psi("full avg10=3.5\n") == (0.0, 3.5)
