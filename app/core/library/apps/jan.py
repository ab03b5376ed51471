"""Jan: a `model.yml` for each model, which names its files; imported ones may lie anywhere.

Newer versions write `llamacpp/models/ID/model.yml` with `model_path` and `mmproj_path`, relative to
the data folder or whole; older ones `models/…/*.yml` with a list of `files`. Only these flat lines
are read, not YAML, which is a language of its own.

Source: jan, extensions/llamacpp-extension/src and src-tauri/src/core/app/commands.rs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from app.core.library.apps.system import System, distinct, read_json, read_text, text_in
from app.core.library.group import Found, grouped, part_of, siblings
from app.core.library.model import Source
from app.core.library.walk import Limits, Walk

_LIMITS = Limits(max_entries=20_000, max_depth=8)


def folders(system: System) -> list[Path]:
    """Jan's data folders: the one that is named, the usual one, and those of older versions."""
    homes = [system.data / "Jan", system.config / "Jan"]
    named = [
        system.expanded(text_in(read_json(home / "settings.json"), "data_folder")) for home in homes
    ]
    usual = [*(home / "data" for home in homes), system.home / "jan"]
    return distinct([system.folder("JAN_DATA_FOLDER"), *named, *usual])


def find(root: Path) -> Iterable[Found]:
    """What the descriptions name, then what lies beside without one."""
    described: set[Path] = set()
    for folder in (root / "llamacpp" / "models", root / "models"):
        for description in Walk(folder, suffix=".yml", limits=_LIMITS):
            found = _described(root, description, folder)
            if found is not None and found.path not in described:
                described.update((*found.files, *filter(None, [found.mmproj])))
                yield found
        files = Walk(folder, limits=_LIMITS)
        yield from grouped((path for path in files if path not in described), Source.JAN)


def _described(root: Path, description: Path, folder: Path) -> Found | None:
    values = _flat(read_text(description))
    path = _file(root, description, values.get("model_path", ""))
    if path is None:
        return None
    own = part_of(path)
    parts, missing = siblings(path, _beside(path))
    return Found(
        parts[0] if own else path,
        Source.JAN,
        parts=parts if own else (),
        n_parts=own[2] if own else 1,
        missing=missing,
        mmproj=_file(root, description, values.get("mmproj_path", "")),
        aliases=tuple(filter(None, [_id_of(description, folder)])),
    )


def _id_of(description: Path, folder: Path) -> str:
    """Jan's own name for a model: where its description lies."""
    names = description.parent.relative_to(folder).parts
    return "/".join(names)[:200]


def _flat(text: str) -> Mapping[str, str]:
    """`key: value` of the first level; `files:` with one line below counts as `model_path`."""
    values: dict[str, str] = {}
    previous = ""
    for line in text.splitlines()[:500]:
        if line.lstrip().startswith("- ") and previous == "files":
            values.setdefault("model_path", _unquoted(line.lstrip()[2:]))
        elif line[:1] not in (" ", "\t", "#", "-", ""):
            previous, _, value = line.partition(":")
            values.setdefault(previous.strip(), _unquoted(value))
    return values


def _unquoted(value: str) -> str:
    value = value.strip()
    if value[:1] in ("'", '"'):
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].strip()


def _file(root: Path, description: Path, named: str) -> Path | None:
    """The file that `named` means, where it is there: below the data folder, or whole."""
    if not named or "\0" in named or len(named) > 4096:
        return None
    for base in (root, description.parent):
        path = base / named
        try:
            if path.suffix.lower() == ".gguf" and path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None


def _beside(path: Path) -> list[Path]:
    if part_of(path) is None:
        return [path]
    return list(Walk(path.parent, limits=Limits(max_entries=5000, max_depth=0)))
