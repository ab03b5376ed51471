"""How much RAM there is for this process: the system's figures and the limits upon it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.hardware.memory import Memory, linux_memory
from tests.helpers.fuzz import fuzz
from tests.helpers.recording import RecordedFiles

GIB = 1 << 30
MEMINFO = "MemTotal: 16777216 kB\nMemFree: 1048576 kB\nMemAvailable: 8388608 kB\n"
V2 = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "32 31 0:29 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
V2_FOLDER, V1_FOLDER = "/sys/fs/cgroup", "/sys/fs/cgroup/memory"


def _memory(**texts: str) -> Memory:
    return linux_memory(RecordedFiles({"/proc/meminfo": MEMINFO, **texts}))


def _v2(group: str, **files: str) -> dict[str, str]:
    names = {name.replace("_", ".", 1): text for name, text in files.items()}
    return {f"{V2_FOLDER}{group}/{name}": text for name, text in names.items()}


def _in_v2(path: str, *groups: dict[str, str]) -> Memory:
    texts = {key: text for group in groups for key, text in group.items()}
    return _memory(**{"/proc/self/cgroup": f"0::{path}\n", "/proc/self/mountinfo": V2, **texts})


def test_without_limits() -> None:
    assert _memory() == Memory(16 * GIB, 8 * GIB)


def test_a_kernel_that_does_not_estimate() -> None:
    text = "MemTotal: 4000 kB\nMemFree: 1000 kB\nBuffers: 100 kB\nCached: 500 kB\n"
    assert linux_memory(RecordedFiles({"/proc/meminfo": text})) == Memory(4_096_000, 1_638_400)


def test_a_container_sees_its_own_group_at_the_root() -> None:
    group = _v2("", memory_max=f"{2 * GIB}\n", memory_current=f"{GIB}\n")
    assert _in_v2("/", group) == Memory(2 * GIB, GIB, "cgroup")


def test_files_nobody_looked_at_lately_count_as_available() -> None:
    group = _v2(
        "",
        memory_max=f"{2 * GIB}",
        memory_current=f"{GIB}",
        memory_stat=f"anon 5\ninactive_file {GIB // 2}\nactive_file {GIB // 4}\n",
    )
    assert _in_v2("/", group).available_bytes == 3 * GIB // 2


def test_max_is_no_limit() -> None:
    assert _in_v2("/", _v2("", memory_max="max\n", memory_current=f"{GIB}")).limited_by == ""


def test_high_throttles_before_max_kills() -> None:
    group = _v2("", memory_max=f"{4 * GIB}", memory_high=f"{3 * GIB}", memory_current="0")
    assert _in_v2("/", group) == Memory(3 * GIB, 3 * GIB, "cgroup")


def test_of_nested_groups_the_tightest_counts() -> None:
    memory = _in_v2(
        "/a/b",
        _v2("/a/b", memory_max="max", memory_current=f"{GIB}"),
        _v2("/a", memory_max=f"{4 * GIB}", memory_current=f"{3 * GIB}"),
        _v2("", memory_max=f"{12 * GIB}", memory_current=f"{11 * GIB}"),
    )
    assert memory == Memory(4 * GIB, GIB, "cgroup")


def test_the_group_of_a_service_in_a_mounted_subtree() -> None:
    """Where the mount's root is a group, paths below it are relative to that group."""
    texts = {
        "/proc/self/cgroup": "0::/machine/one/inner\n",
        "/proc/self/mountinfo": "31 23 0:28 /machine/one /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
        **_v2("/inner", memory_max=f"{GIB}", memory_current="0"),
    }
    assert _memory(**texts) == Memory(GIB, GIB, "cgroup")


def test_a_limit_above_the_ram_limits_nothing() -> None:
    group = _v2("", memory_max=f"{64 * GIB}", memory_current=f"{GIB}")
    assert _in_v2("/", group) == Memory(16 * GIB, 8 * GIB)


def test_a_group_that_has_used_more_than_it_may_has_nothing_left() -> None:
    group = _v2("", memory_max=f"{GIB}", memory_current=f"{2 * GIB}")
    assert _in_v2("/", group) == Memory(GIB, 0, "cgroup")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (str(2 * GIB), Memory(2 * GIB, 3 * GIB // 2, "cgroup")),
        ("9223372036854771712", Memory(16 * GIB, 8 * GIB)),
    ],
)
def test_the_first_version(limit: str, expected: Memory) -> None:
    folder = f"{V1_FOLDER}/docker/abc"
    memory = _memory(
        **{
            "/proc/self/cgroup": "5:cpu:/\n4:memory:/docker/abc\n0::/\n",
            "/proc/self/mountinfo": V1 + V2,
            f"{folder}/memory.limit_in_bytes": limit,
            f"{folder}/memory.usage_in_bytes": str(GIB),
            f"{folder}/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB // 2}\n",
        }
    )
    assert memory == expected


@fuzz
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40), st.text(max_size=40))
def test_whatever_the_files_hold_available_is_within_total(
    info: str, cgroup: str, limit: str, usage: str
) -> None:
    memory = _memory(
        **{
            "/proc/meminfo": MEMINFO + info,
            "/proc/self/cgroup": f"0::/a\n4:memory:/{cgroup}\n",
            "/proc/self/mountinfo": V1 + V2 + info,
            f"{V2_FOLDER}/a/memory.max": limit,
            f"{V2_FOLDER}/a/memory.current": usage,
            f"{V1_FOLDER}/memory.limit_in_bytes": limit,
        }
    )
    assert 0 <= memory.available_bytes <= memory.total_bytes
