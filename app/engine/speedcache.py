"""Remembers how fast this computer's memory was read, so that it is measured once. No library.

Keyed by processor and RAM: a cache folder that moves to another computer is measured anew.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import msgspec

from app import paths
from app.core.files import write_atomic
from app.core.hardware import Bandwidth, Hardware


def better(known: Bandwidth | None, measured: Bandwidth | None) -> Bandwidth | None:
    """Other programs can only make a measurement slower, so the faster one is nearer the truth."""
    if known is None or measured is None:
        return known or measured
    faster = max(known, measured, key=lambda speed: speed.bytes_per_s)
    return replace(faster, is_quiet=known.is_quiet or measured.is_quiet)


def is_possible(speed: Bandwidth) -> bool:
    return 10**8 < speed.bytes_per_s < 10**13


def _bandwidth_file() -> Path:
    return paths.cache_dir() / "bandwidth.json"


def _key(base: Hardware) -> str:
    return f"{base.cpu.name}, {base.cpu.n_cores} cores, {base.ram_total_bytes} bytes"


def _remembered() -> dict[str, Bandwidth]:
    try:
        return msgspec.json.decode(_bandwidth_file().read_bytes(), type=dict[str, Bandwidth])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def recall(base: Hardware) -> Bandwidth | None:
    """What was measured on this computer before, if it can be."""
    known = _remembered().get(_key(base))
    return known if known is not None and is_possible(known) else None


def remember(base: Hardware, speed: Bandwidth) -> None:
    """Where that cannot be written, it is measured again the next time."""
    entries = {**_remembered(), _key(base): speed}
    with contextlib.suppress(OSError):
        write_atomic(_bandwidth_file(), msgspec.json.encode(entries))
