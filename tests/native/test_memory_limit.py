"""A real limit on this process's memory, set through the kernel's control groups."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1 << 30
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
LOOK = """
import os, sys
from pathlib import Path
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
from app.core.hardware import measure
found = measure(Path())
print(found.ram_total_bytes, found.ram_available_bytes, found.ram_limited_by)
"""


@pytest.fixture
def limited_group() -> Iterator[Path]:
    parent, file = (V1, "memory.limit_in_bytes") if V1.is_dir() else (V2, "memory.max")
    outer = parent / "nibble-test"
    inner = outer / "inner"
    try:
        inner.mkdir(parents=True)
        (outer / file).write_text(str(LIMIT))
    except OSError:
        pytest.skip("no memory limit can be set here")
    yield inner
    with suppress(OSError):
        inner.rmdir()
        outer.rmdir()


def test_the_limit_of_a_group_above_ones_own_is_seen(limited_group: Path) -> None:
    command = [sys.executable, "-c", LOOK, str(limited_group)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    total, available, limited_by = result.stdout.split()
    assert (int(total), limited_by) == (LIMIT, "cgroup")
    assert LIMIT // 2 < int(available) < LIMIT
