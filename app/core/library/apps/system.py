"""What decides where other apps keep things: the platform, the home folder, the environment.

A value rather than calls, so that every platform's layout is tested on any. Also the careful
reading of their small files.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class System:
    """`platform` as in sys.platform: "linux", "darwin", "win32"."""

    platform: str
    home: Path
    environ: Mapping[str, str]

    @classmethod
    def here(cls) -> System:
        return cls(sys.platform, Path.home(), os.environ)

    def folder(self, name: str) -> Path | None:
        """The folder that the variable `name` holds, where it is set to one."""
        value = self.environ.get(name, "").strip()
        return self.expanded(value) if value else None

    def expanded(self, value: str) -> Path | None:
        """`value` as a whole path; None where it is not one."""
        if value == "~" or value.startswith(("~/", "~\\")):
            return self.home / value[2:]
        path = Path(value)
        return path if path.is_absolute() and "\0" not in value else None

    @property
    def data(self) -> Path:
        """Where apps keep data: ~/.local/share, Application Support, %APPDATA%."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return self.folder("APPDATA") or self.home / "AppData" / "Roaming"
        return self.folder("XDG_DATA_HOME") or self.home / ".local" / "share"

    @property
    def local_data(self) -> Path:
        """The same, for what stays on this computer."""
        if self.platform == "win32":
            return self.folder("LOCALAPPDATA") or self.home / "AppData" / "Local"
        return self.data

    @property
    def config(self) -> Path:
        if self.platform == "linux":
            return self.folder("XDG_CONFIG_HOME") or self.home / ".config"
        return self.data

    @property
    def cache(self) -> Path:
        """~/.cache on every platform, as command-line tools have it."""
        return self.folder("XDG_CACHE_HOME") or self.home / ".cache"


def read_text(path: Path) -> str:
    """The text of a small file; "" where there is none, or it is not small or not text."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block for ever
            return ""
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        return data.decode("utf-8") if len(data) <= _MAX_BYTES else ""
    except (OSError, ValueError):
        return ""


def read_json(path: Path) -> dict[str, object]:
    """The object in a small JSON file; {} where it is not one."""
    try:
        value = json.loads(read_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def text_in(values: Mapping[str, object], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


def distinct(folders: list[Path | None]) -> list[Path]:
    return list(dict.fromkeys(folder for folder in folders if folder is not None))
