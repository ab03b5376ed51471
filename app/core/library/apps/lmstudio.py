"""LM Studio: `PUBLISHER/REPO/FILE.gguf` below a folder that its settings name.

Source: `~/.lmstudio-home-pointer` names its home, `settings.json` there or in the app's folder has
"downloadsFolder"; older versions kept models in `~/.cache/lm-studio`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from app.core.library.apps.system import System, distinct, read_json, read_text, text_in
from app.core.library.group import Found, grouped
from app.core.library.model import Source
from app.core.library.walk import Walk


def folders(system: System) -> list[Path]:
    homes = _homes(system)
    settings = [home / "settings.json" for home in homes]
    settings.append(system.config / "LM Studio" / "settings.json")
    named = [system.expanded(text_in(read_json(path), "downloadsFolder")) for path in settings]
    usual = [home / "models" for home in homes]
    return distinct([*named, *usual])


def find(root: Path) -> Iterable[Found]:
    for found in grouped(Walk(root), Source.LMSTUDIO):
        yield replace(found, repo=repo_in(found.path, root))


def repo_in(path: Path, root: Path) -> str:
    """ "org/name" of a file that lies in root/org/name, else ""."""
    names = path.relative_to(root).parts
    return "/".join(names[:2]) if len(names) > 2 else ""


def _homes(system: System) -> list[Path]:
    pointer = read_text(system.home / ".lmstudio-home-pointer").strip().partition("\n")[0]
    named = system.expanded(pointer.strip()) if pointer else None
    return distinct([named, system.home / ".lmstudio", system.home / ".cache" / "lm-studio"])
