"""What a process says of its own memory."""

from __future__ import annotations

import subprocess
import sys

MIB = 1024 * 1024
_CHILD = "from app.engine.usage import peak_rss_bytes; print(peak_rss_bytes())"


def test_a_childs_peak_is_its_own_and_not_its_parents() -> None:
    ballast = bytearray(300 * MIB)
    ballast[::4096] = b"\1" * len(ballast[::4096])  # every page is really there
    command = [sys.executable, "-c", _CHILD]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert len(ballast) == 300 * MIB
    assert 5 * MIB < int(said) < 150 * MIB
