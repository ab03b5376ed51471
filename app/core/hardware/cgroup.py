"""Limits that a container or a service manager sets: memory and processor time. Linux.

Both versions of cgroups, and every level above the process's own: the tightest one counts. A
process in a cgroup namespace sees its own group at the root, one outside sees a path.
Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.core.hardware.files import Files, fields, number

_NO_LIMIT = 1 << 60  # version 1 writes the largest multiple of a page for "none"


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """The group may take `limit_bytes` and has `left_bytes` of them left."""

    limit_bytes: int
    left_bytes: int


def memory_limits(files: Files) -> tuple[MemoryLimit, ...]:
    """Every limit that holds for this process; empty without one."""
    found = [_memory_v2(files, folder) for folder in _folders(files, "")]
    found += [_memory_v1(files, folder) for folder in _folders(files, "memory")]
    return tuple(limit for limit in found if limit is not None)


def cpu_limit(files: Files) -> int:
    """How many processors' time this process may use, rounded up; 0 without a limit."""
    shares = [_share(files.text(f"{folder}/cpu.max")) for folder in _folders(files, "")]
    for folder in _folders(files, "cpu"):
        quota = files.text(f"{folder}/cpu.cfs_quota_us")
        period = files.text(f"{folder}/cpu.cfs_period_us")
        shares.append(_share(f"{quota.strip()} {period.strip()}"))
    limits = [share for share in shares if share > 0]
    return max(1, math.ceil(min(limits))) if limits else 0


def memory_folders(files: Files) -> tuple[str, ...]:
    """Where the memory figures of the process's groups lie, its own first; version 2 only."""
    return tuple(_folders(files, ""))


def _folders(files: Files, controller: str) -> Iterator[str]:
    """The process's group and those above it. `controller` "" asks for version 2."""
    mount, root = _mount(files, controller)
    if not mount:
        return
    path = PurePosixPath(_path(files, controller))
    below = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
    for group in (below, *below.parents):
        yield mount if group == PurePosixPath() else f"{mount}/{group}"


def _path(files: Files, controller: str) -> str:
    """The process's group, as /proc/self/cgroup has it: "0::/a/b" or "4:memory:/a/b"."""
    for line in files.text("/proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, colon, path = rest.partition(":")
        if colon and controller in names.split(",") and ".." not in path:
            return path
    return "/"


def _mount(files: Files, controller: str) -> tuple[str, str]:
    """Where the hierarchy is mounted, and which group its root is; "" where it is not.

    A line of mountinfo: id parent device root place options … - type source options.
    """
    for line in files.text("/proc/self/mountinfo").splitlines():
        left, dash, right = line.partition(" - ")
        place, kind = left.split(), right.split()
        if not dash or len(place) < 5 or len(kind) < 3:
            continue
        is_v2 = kind[0] == "cgroup2" and not controller
        is_v1 = kind[0] == "cgroup" and bool(controller) and controller in kind[2].split(",")
        if is_v1 or is_v2:
            return place[4], place[3]
    return "", "/"


def _memory_v2(files: Files, folder: str) -> MemoryLimit | None:
    words = [files.text(f"{folder}/{name}").strip() for name in ("memory.max", "memory.high")]
    limits = [number(word) for word in words if word and word != "max"]
    usage = number(files.text(f"{folder}/memory.current"))
    reclaimable = number(fields(files.text(f"{folder}/memory.stat"), " ").get("inactive_file", ""))
    return _limit(min(limits), usage, reclaimable) if limits else None


def _memory_v1(files: Files, folder: str) -> MemoryLimit | None:
    limit = number(files.text(f"{folder}/memory.limit_in_bytes"), _NO_LIMIT)
    usage = number(files.text(f"{folder}/memory.usage_in_bytes"))
    stat = fields(files.text(f"{folder}/memory.stat"), " ")
    reclaimable = number(stat.get("total_inactive_file", ""))
    return _limit(limit, usage, reclaimable) if limit < _NO_LIMIT else None


def _limit(limit: int, usage: int, reclaimable: int) -> MemoryLimit:
    """Pages of files that nobody looked at lately are counted as used, but given up at once."""
    used = max(0, usage - reclaimable)
    return MemoryLimit(limit, max(0, limit - used))


def _share(text: str) -> float:
    """ "200000 100000": 2.0 processors; "max 100000" and "-1 100000": 0, no limit."""
    words = text.split()
    if len(words) != 2 or not words[0].isdecimal() or not words[1].isdecimal():
        return 0.0
    quota, period = int(words[0]), int(words[1])
    return quota / period if period else 0.0
