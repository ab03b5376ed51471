"""How much RAM there is for this process, and how much of it is free."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.hardware import cgroup
from app.core.hardware.files import Files, fields, number


@dataclass(frozen=True, slots=True)
class Memory:
    """`limited_by` "cgroup": a container's limit is below what the computer has."""

    total_bytes: int
    available_bytes: int
    limited_by: str = ""


def linux_memory(files: Files) -> Memory:
    """From /proc/meminfo and the limits of the process's control groups."""
    facts = {
        name: number(text) * 1024 for name, text in fields(files.text("/proc/meminfo")).items()
    }
    before_3_14 = sum(facts.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    total = facts.get("MemTotal", 0)
    return limited(Memory(total, facts.get("MemAvailable", before_3_14)), files)


def limited(memory: Memory, files: Files) -> Memory:
    """`memory` as far as the control groups let this process have it."""
    total, available, limited_by = memory.total_bytes, memory.available_bytes, ""
    for limit in cgroup.memory_limits(files):
        if limit.limit_bytes < total:
            total, limited_by = limit.limit_bytes, "cgroup"
        available = min(available, limit.left_bytes)
    return Memory(total, min(available, total), limited_by)
