"""Room on the disk for a download: looked at before, and taken where that costs nothing."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import TransferError

RESERVE_BYTES = 1_000_000_000  # the system, the page file and the conversations need some
# Taking room beforehand is a note in the books here; elsewhere the C library writes zeros instead.
_CHEAP = frozenset({"ext4", "xfs", "btrfs", "f2fs"})


def check_space(folder: Path, needed_bytes: int, reserve_bytes: int, title: str) -> None:
    """Raises TransferError where `folder`'s disk has no room for `needed_bytes` and the reserve."""
    free = free_bytes(folder)
    if free is None or needed_bytes <= max(0, free - reserve_bytes):
        return
    text = _NO_ROOM.fill(
        title=title, needed=size_text(needed_bytes), free=size_text(free), **_reserve(reserve_bytes)
    )
    missing = size_text(needed_bytes + reserve_bytes - free)
    raise TransferError(text, _NO_ROOM_HINT.fill(missing=missing), f"{folder}: {free} bytes free")


def free_bytes(folder: Path) -> int | None:
    """On the disk that `folder` is or will be on; None where the system does not say."""
    with suppress(OSError):
        return shutil.disk_usage(_nearest(folder)).free
    return None


def preallocate(descriptor: int, path: Path, size_bytes: int) -> None:
    """Take `size_bytes` for the open file at `path` where that is free of cost.

    Raises OSError where the disk is too full after all.
    """
    if sys.platform == "linux" and size_bytes and _file_system(path) in _CHEAP:
        os.posix_fallocate(descriptor, 0, size_bytes)


def size_text(n_bytes: int) -> str:
    """As the window writes it: GB of 10⁹ bytes."""
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.1f} GB"
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 1e6 else f"{max(0, n_bytes) / 1e3:.0f} kB"


def _reserve(n_bytes: int) -> dict[str, str]:
    return {"reserve": size_text(n_bytes)}


def _file_system(path: Path) -> str:
    """Its type, "" where it cannot be found out."""
    with suppress(OSError):
        place = os.path.realpath(path)
        mounts = [
            part for part in psutil.disk_partitions(all=True) if _holds(part.mountpoint, place)
        ]
        return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""
    return ""


def _holds(folder: str, place: str) -> bool:
    return place.startswith(folder.rstrip("/") + "/")


def _nearest(folder: Path) -> Path:
    """`folder`, or the first above it that there is."""
    folder = folder.absolute()
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - never raises
        folder = folder.parent
    return folder


_NO_ROOM = QT_TRANSLATE_NOOP(
    "hub",
    "{title} needs {needed}, but the disk has {free} free, and {reserve} of that stay reserved"
    " for the system.",
)
_NO_ROOM_HINT = QT_TRANSLATE_NOOP(
    "hub", "Free {missing}, or choose a smaller variant or a folder on another disk."
)
