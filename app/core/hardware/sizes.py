"""Sizes as drivers report them, believed as far as they can be."""

from __future__ import annotations

from dataclasses import replace

from app.core.hardware import known
from app.core.hardware.types import Device, FoundGpu

_ABSURD_BYTES = 1 << 44  # 16 TiB: no board has that


def believable(device: Device) -> Device:
    """`device` with sizes that can be and a name that can be shown."""
    pair = device.total_bytes, device.free_bytes
    total, free = pair if is_sane(*pair) else _mended(*pair)
    return replace(
        device,
        name=known.tidy(device.name),
        description=known.tidy(device.description),
        total_bytes=total,
        free_bytes=free,
    )


def is_sane(total_bytes: int, free_bytes: int) -> bool:
    """Whether a device can have said the truth. 0 of both means that it says nothing."""
    return 0 <= free_bytes <= total_bytes < _ABSURD_BYTES


def sizes(total_bytes: int, free_bytes: int, found: FoundGpu | None) -> tuple[int, int]:
    """(total, free) that can be: ggml's, or the other source's where ggml's cannot.

    Of two believable figures for what is free the smaller one counts.
    """
    other = (found.total_bytes, found.free_bytes) if found else (0, 0)
    if not is_sane(total_bytes, free_bytes) or not total_bytes:
        mended = other if is_sane(*other) else _mended(*other)
        return mended if mended[0] else _mended(total_bytes, free_bytes)
    if is_sane(*other) and other[1]:
        return total_bytes, min(free_bytes, other[1])
    return total_bytes, free_bytes


def _mended(total_bytes: int, free_bytes: int) -> tuple[int, int]:
    """A total that cannot be is not known; a free that wrapped below 0 is none at all."""
    total = total_bytes if 0 < total_bytes < _ABSURD_BYTES else 0
    has_wrapped = free_bytes < 0 or free_bytes >= _ABSURD_BYTES
    return total, 0 if has_wrapped else min(free_bytes, total)
