"""All models on this computer, from every place at once; a place that hangs is left behind.

A network drive that went away blocks whoever asks it, for minutes, and nothing can interrupt that.
So each place is looked at on a thread of its own, and the scan goes on without one that is late:
with what it has found so far, and the rest when it is asked for again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from app import paths
from app.core.errors import QT_TRANSLATE_NOOP
from app.core.library.describing import described
from app.core.library.duplicates import marked
from app.core.library.facts import shared_cache
from app.core.library.group import Found, grouped
from app.core.library.model import InstalledModel, Notice, Source
from app.core.library.places import Place, places, user_folders
from app.core.library.walk import Limits, Walk

PATIENCE_S = 10.0  # without a sign of life, after which a place counts as gone
WAIT_S = 120.0
_STEP_S = 0.5
_Identity = tuple[int, int] | Path
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scan:
    """`models`: the starter first, then by name. `notices`: which places could not be looked at.

    One that `is_partial` would find more in a few seconds.
    """

    models: tuple[InstalledModel, ...]
    notices: tuple[Notice, ...] = ()
    is_partial: bool = False


def installed(
    also: Iterable[Path] = (), folders: Iterable[Path] | None = None
) -> tuple[InstalledModel, ...]:
    """Every model that can be listed; damaged files are left out. See `scan`."""
    return scan(also, folders).models


def scan(
    also: Iterable[Path] = (),
    folders: Iterable[Path] | None = None,
    wait_s: float = WAIT_S,
    patience_s: float = PATIENCE_S,
) -> Scan:
    """Look everywhere: also at the files in `also`, and in `folders` (else those of the settings).

    Waits `wait_s` at most, and `patience_s` for a place that does not answer.
    """
    where = places(user_folders() if folders is None else folders)
    looks = [_look_at(place) for place in (*_starters(), *where, *_by_hand(also))]
    _wait(looks, wait_s, patience_s)
    shared_cache().save()
    late = [look for look in looks if look.is_running]
    gone = [look for look in late if look.is_silent(patience_s)]
    models = marked(_merged(entry for look in looks for entry in tuple(look.models)))
    notices = [notice for look in looks for notice in tuple(look.notices)]
    notices += [_no_answer(look.place) for look in gone]
    return Scan(tuple(sorted(models, key=_order)), tuple(notices), len(late) > len(gone))


def _order(model: InstalledModel) -> tuple[bool, str, Path]:
    return not model.is_starter, model.name.lower(), model.path


@dataclass
class _Look:
    """One place, looked at on a thread. `models` (with which file each is) grows meanwhile."""

    place: Place
    models: list[tuple[_Identity, InstalledModel]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    _last_sign_s: float = field(default_factory=time.monotonic)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="library", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def is_silent(self, patience_s: float) -> bool:
        return time.monotonic() - self._last_sign_s >= patience_s

    def wait(self, timeout_s: float) -> None:
        assert self._thread is not None
        self._thread.join(max(0.0, timeout_s))

    def _run(self) -> None:
        try:
            for found in self.place.find(self.place.root):
                self._take(found)
                self._last_sign_s = time.monotonic()
        except OSError as error:  # a folder that went away meanwhile
            _log.info("%s: %s", self.place.root, error)

    def _take(self, found: Found | Notice) -> None:
        if isinstance(found, Notice):
            self.notices.append(found)
            return
        model = described(found, shared_cache())
        if model is not None:
            self.models.append((_identity(model.path), model))


_running: dict[tuple[Source, Path], _Look] = {}


def _look_at(place: Place) -> _Look:
    """A new look at `place`, or the last one where it has still not come back."""
    key = (place.source, place.root)
    last = _running.get(key)
    if last is not None and last.is_running:
        return last
    look = _running[key] = _Look(place)
    look.start()
    return look


def _wait(looks: list[_Look], wait_s: float, patience_s: float) -> None:
    """Until each has come back or has been silent for too long."""
    until = time.monotonic() + wait_s
    for look in looks:
        while look.is_running and not look.is_silent(patience_s) and time.monotonic() < until:
            look.wait(min(patience_s, until - time.monotonic(), _STEP_S))


def _starters() -> list[Place]:
    path = paths.starter_model()
    if path is None:
        return []
    return [Place(Source.NIBBLE, path, lambda path: [Found(path, Source.NIBBLE)])]


def _by_hand(files: Iterable[Path]) -> list[Place]:
    """A place for each folder with files that were opened: one that hangs stops no other."""
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    return [
        Place(Source.OPENED, folder, partial(_opened, files=opened))
        for folder, opened in folders.items()
    ]


def _opened(folder: Path, files: list[Path]) -> Iterable[Found]:
    """Each with its parts and its mmproj, of which only itself was opened."""
    beside = list(Walk(folder, limits=Limits(max_entries=20_000, max_depth=0)))
    for found in grouped(beside, Source.OPENED):
        if any(path in found.files for path in files):
            yield found
    for path in files:
        if path.suffix.lower() != ".gguf":
            yield Found(path, Source.OPENED)


def _merged(models: Iterable[tuple[_Identity, InstalledModel]]) -> list[InstalledModel]:
    """One entry for each file on the disk, whatever links lead to it."""
    found: dict[_Identity, InstalledModel] = {}
    for identity, model in models:
        first = found.get(identity)
        found[identity] = model if first is None else _joined(first, model)
    return list(found.values())


def _joined(first: InstalledModel, other: InstalledModel) -> InstalledModel:
    """`first`, with what is known of the same file elsewhere."""
    places = {path: None for path in (*first.also_at, other.path) if path != first.path}
    return replace(
        first,
        also_at=tuple(places),
        aliases=_by_use((*first.aliases, *other.aliases)),
        repo=first.repo or other.repo,
        commit=first.commit or other.commit,
        sha256=first.sha256 or other.sha256,
        mmproj=first.mmproj or other.mmproj,
        mmproj_bytes=first.mmproj_bytes or other.mmproj_bytes,
    )


def _by_use(aliases: Iterable[str]) -> tuple[str, ...]:
    """ "llama3.2:3b" says more than "llama3.2:latest"."""
    return tuple(sorted(dict.fromkeys(aliases), key=lambda name: name.endswith(":latest")))


def _identity(path: Path) -> _Identity:
    try:
        found = path.stat()
    except OSError:
        return path
    return (found.st_dev, found.st_ino) if found.st_ino else path.resolve()


def _no_answer(place: Place) -> Notice:
    _ = QT_TRANSLATE_NOOP
    return Notice(
        _("library", "{folder} does not answer, so its models are not listed.").fill(
            folder=str(place.root)
        ),
        _("library", "Check that its drive is connected, or remove the folder in the settings."),
    )
