"""Where models are looked for, in order: a file found in two places belongs to the first.

Other apps come before the user's folders, so that a folder around all of them does not make their
files deletable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from app import paths
from app.core.errors import QT_TRANSLATE_NOOP
from app.core.library.apps import gpt4all, huggingface, jan, lmstudio, ollama
from app.core.library.apps.lmstudio import repo_in
from app.core.library.apps.system import System
from app.core.library.group import Found, grouped
from app.core.library.model import Notice, Source
from app.core.library.walk import Walk
from app.core.settings import LIBRARY_FOLDERS, Settings

MAX_FOLDERS = 64
_APPS = (
    (Source.HUGGINGFACE, huggingface),
    (Source.LMSTUDIO, lmstudio),
    (Source.OLLAMA, ollama),
    (Source.GPT4ALL, gpt4all),
    (Source.JAN, jan),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder and how to find models in it, and what to say of it.

    `find` may block, on a network drive for minutes.
    """

    source: Source
    root: Path
    find: Callable[[Path], Iterable[Found | Notice]]


def places(folders: Iterable[Path], system: System | None = None) -> list[Place]:
    """Nibble's own folder, those of other apps, and the user's `folders`."""
    system = system or System.here()
    found = [Place(Source.NIBBLE, paths.models_dir(), _in_own_folder)]
    for source, app in _APPS:
        found += [Place(source, root, app.find) for root in app.folders(system)]
    found += [Place(Source.FOLDER, root, _in_user_folder) for root in folders]
    return found


def user_folders(settings: Settings | None = None) -> tuple[Path, ...]:
    """The folders that the user added, as the settings have them."""
    settings = settings or Settings(paths.settings_file())
    return parse_folders(settings.get(LIBRARY_FOLDERS))


def parse_folders(value: str) -> tuple[Path, ...]:
    """The folders in the setting's JSON list; what is not an absolute path is left out."""
    try:
        names = json.loads(value or "[]")
    except (ValueError, RecursionError):
        return ()
    if not isinstance(names, list):
        return ()
    folders = (Path(name) for name in names[:MAX_FOLDERS] if isinstance(name, str))
    usable = (folder for folder in folders if folder.is_absolute() and "\0" not in str(folder))
    return tuple(dict.fromkeys(usable))


def _in_own_folder(root: Path) -> Iterable[Found]:
    """Downloads lie in root/owner/name."""
    for found in grouped(Walk(root), Source.NIBBLE):
        yield replace(found, repo=repo_in(found.path, root))


def _in_user_folder(root: Path) -> Iterable[Found | Notice]:
    walk = Walk(root)
    yield from grouped(walk, Source.FOLDER)
    if walk.was_cut:
        yield Notice(
            QT_TRANSLATE_NOOP(
                "library", "{folder} holds so many files that Nibble looked at a part of them only."
            ).fill(folder=str(root)),
            QT_TRANSLATE_NOOP("library", "Add the folders inside it that hold models instead."),
        )
