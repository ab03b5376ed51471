"""Which files lie under a folder that nobody vouches for: links, loops, and no end of files.

Every folder is entered once, however many links lead there; one that may not be read is passed
over. Hidden folders hold caches and wastebaskets, not models.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SKIPPED = frozenset({"$recycle.bin", "system volume information", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_entries` names are looked at, `max_depth` folders down."""

    max_entries: int = 100_000
    max_depth: int = 12


class Walk:
    """The files under `root` whose names end with `suffix`. `was_cut` says that there are more."""

    def __init__(self, root: Path, suffix: str = ".gguf", limits: Limits | None = None) -> None:
        self._root, self._suffix = root, suffix
        self._limits = limits or Limits()
        self._n_entries = 0
        self._entered: set[tuple[int, int]] = set()
        self.was_cut = False

    def __iter__(self) -> Iterator[Path]:
        """Folder by folder, by name; a link to nothing is left out."""
        waiting = [(self._root, 0)]
        while waiting and not self.was_cut:
            folder, depth = waiting.pop()
            files, folders = self._look_into(folder)
            yield from files
            if depth < self._limits.max_depth:
                waiting.extend((each, depth + 1) for each in reversed(folders))

    def _look_into(self, folder: Path) -> tuple[list[Path], list[Path]]:
        files: list[Path] = []
        folders: list[Path] = []
        if not self._enter(folder):
            return files, folders
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if self._is_too_many():
                        break
                    self._sort(entry, files, folders)
        except OSError:  # unreadable, or gone since
            pass
        return sorted(files), sorted(folders)

    def _sort(self, entry: os.DirEntry[str], files: list[Path], folders: list[Path]) -> None:
        name = entry.name.lower()
        if name.startswith(".") or name in _SKIPPED:
            return
        try:
            if name.endswith(self._suffix) and entry.is_file():
                files.append(Path(entry.path))
            elif entry.is_dir():
                folders.append(Path(entry.path))
        except OSError:  # a loop of links
            return

    def _enter(self, folder: Path) -> bool:
        try:
            found = folder.stat()
        except (OSError, ValueError):
            return False
        identity = (found.st_dev, found.st_ino)
        if identity in self._entered:
            return False
        self._entered.add(identity)
        return True

    def _is_too_many(self) -> bool:
        self._n_entries += 1
        self.was_cut = self.was_cut or self._n_entries > self._limits.max_entries
        return self.was_cut
