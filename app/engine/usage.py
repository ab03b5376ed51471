"""How much memory this process takes and took."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path

import psutil


def rss_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def peak_rss_bytes() -> int:
    """The largest resident size so far, or since `forget_peak`.

    On Linux not `ru_maxrss`: a child inherits there what its parent had when it was started.
    """
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text("ascii", "replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """Begin anew, so that a peak is that of what comes now. Elsewhere than on Linux the process
    keeps its first one."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # not in every container
            Path("/proc/self/clear_refs").write_text("5", "ascii")


def give_memory_back() -> None:
    """Return to the system what was freed and is kept for the next time: glibc keeps much."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
