"""JSON files that nobody vouches for: bounded in size, and only CheckpointError comes out.

Knows no meaning of what it reads.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from quantize import checkpoint_errors

# Of lists, objects and their items: "[]," takes three bytes of a file, and sixty in memory.
MAX_ITEMS = 4_000_000


def read_json(path: Path, max_bytes: int) -> Any:
    """What the JSON file at `path` holds. A byte order mark is skipped. Raises CheckpointError."""
    data = _read_bytes(path, max_bytes)
    if count_items(data) > MAX_ITEMS:
        raise checkpoint_errors.not_json(path, "too many items")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise checkpoint_errors.not_json(path, f"not UTF-8: {error}") from error
    except RecursionError as error:
        raise checkpoint_errors.not_json(path, "nested too deeply") from error
    except ValueError as error:  # also numbers of more than 4,300 digits
        raise checkpoint_errors.not_json(path, str(error)) from error


def count_items(data: bytes) -> int:
    """At least as many lists, objects and items as the JSON in `data` has."""
    return sum(data.count(mark) for mark in (b",", b"[", b"{"))


def check_ordinary_file(path: Path) -> None:
    """Before opening: a named pipe would block there. Raises CheckpointError. Follows links."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise checkpoint_errors.cannot_read(path, error) from error
    if not stat.S_ISREG(mode):
        raise checkpoint_errors.not_ordinary(path)


def is_missing(path: Path) -> bool:
    """Whether nothing is at `path`, or a link that leads nowhere. A locked door is not nothing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False
    return False


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    check_ordinary_file(path)
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise checkpoint_errors.cannot_read(path, error) from error
    if len(data) > max_bytes:
        raise checkpoint_errors.json_too_large(path, path.stat().st_size, max_bytes)
    return data
