"""`nibble models`: what is on this computer; `--verify` reads it again, `--delete` removes it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock

from app import paths
from app.cli.parsing import add_command, size
from app.core import hashes, library
from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError
from app.core.library import SOURCE_WORDS, Deletion, InstalledModel, Notice
from app.core.settings import MODEL, Settings


def add(commands: Any) -> None:
    parser = add_command(commands, "models", models, "the models on this computer")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--verify",
        metavar="NAME",
        nargs="?",
        const="",
        help="read the files again and compare their SHA-256 (of one model, or of all)",
    )
    what.add_argument("--delete", metavar="NAME", help="delete a model's files; asks first")
    parser.add_argument("--yes", action="store_true", help="delete without asking")


def models(options: argparse.Namespace) -> int:
    """List the models that can be loaded, or verify or delete some."""
    scan = library.scan()
    for notice in scan.notices:
        print(f"{notice.text} {notice.hint}", file=sys.stderr)
    if options.delete is not None:
        return _delete(options, scan.models)
    if options.verify is not None:
        return _verify(options, scan.models)
    _print_list(scan.models, options.json)
    return 0


# --- listing ------------------------------------------------------------------------------------


def _print_list(found: Sequence[InstalledModel], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_entry(model) for model in found], indent=1))
        return
    for model in found:
        print(
            f"{_cut(model.name, 32):<32} {model.variant:<8} {size(model.size_bytes):>9}"
            f"  {SOURCE_WORDS[model.source]!s:<18} {model.path}"
        )
        for remark in _remarks(model):
            print(f"    {remark}")
    if not found:
        print(f"No models yet. Put a .gguf file into {paths.models_dir()}.")


def _remarks(model: InstalledModel) -> list[str]:
    remarks = []
    if model.aliases:
        remarks.append(f"also called {', '.join(model.aliases)}")
    if model.mmproj is not None:
        remarks.append(f"sees with {model.mmproj.name} ({size(model.mmproj_bytes)})")
    if model.is_duplicate_of is not None:
        how = "the same as" if model.is_surely_duplicate else "probably the same as"
        remarks.append(f"{how} {model.is_duplicate_of}")
    if model.notice is not None:
        remarks.append(f"{model.notice.text} {model.notice.hint}")
    return remarks


def _entry(model: InstalledModel) -> dict[str, Any]:
    """Every field; paths and sentences as text."""
    entry = {name: getattr(model, name) for name in model.__slots__}
    for name in ("path", "mmproj", "is_duplicate_of"):
        entry[name] = None if entry[name] is None else str(entry[name])
    for name in ("parts", "also_at"):
        entry[name] = [str(path) for path in entry[name]]
    notice: Notice | None = model.notice
    entry["notice"] = f"{notice.text} {notice.hint}" if notice else None
    return {**entry, "label": str(SOURCE_WORDS[model.source])}


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


# --- verifying ----------------------------------------------------------------------------------


def _verify(options: argparse.Namespace, found: Sequence[InstalledModel]) -> int:
    """Exit code 1 where one file is not what it should be."""
    chosen = [library.find_model(options.verify, found)] if options.verify else found
    results = [_verify_file(path, model) for model in chosen for path in model.files]
    if options.json:
        print(json.dumps(results, indent=1))
    return 0 if all(result["state"] != "changed" for result in results) else 1


def _verify_file(path: Path, model: InstalledModel) -> dict[str, Any]:
    """A sum that is not known yet is taken down, so that a later change shows."""
    expected = "" if model.parts else model.sha256
    was_known = bool(expected or hashes.last_known(path))
    known = hashes.rehash(path, expected=expected)
    state = "changed" if known.has_changed else "verified" if was_known else "recorded"
    print(f"{_STATES[state]:<10} {path.name}  {known.present_sha256}", file=sys.stderr)
    if known.has_changed:
        print(f"           it should be {known.sha256}", file=sys.stderr)
    return {
        "path": str(path),
        "name": model.name,
        "state": state,
        "sha256": known.present_sha256,
        "expected_sha256": known.sha256,
    }


_STATES = {"changed": "CHANGED", "verified": "unchanged", "recorded": "recorded"}


# --- deleting -----------------------------------------------------------------------------------


def _delete(options: argparse.Namespace, found: Sequence[InstalledModel]) -> int:
    model = library.find_model(options.delete, found)
    deletion = library.plan_deletion(model, found, loaded=_loaded_in_window())
    if not options.yes and not _agreed(deletion):
        raise ModelFileError(
            QT_TRANSLATE_NOOP("cli", "Nothing was deleted."),
            QT_TRANSLATE_NOOP("cli", "Add --yes to delete without being asked."),
        )
    freed_bytes = library.delete(deletion)
    files = [str(path) for path in deletion.files]
    if options.json:
        print(json.dumps({"deleted": files, "freed_bytes": freed_bytes}, indent=1))
    else:
        print(f"Deleted {_count(len(files))}, {size(freed_bytes)} free again.")
    return 0


def _loaded_in_window() -> set[Path]:
    """The model of an open window, which holds the lock as long as it runs."""
    if not paths.lock_file().exists():
        return set()
    try:
        with filelock.FileLock(paths.lock_file(), blocking=False):
            return set()
    except (filelock.Timeout, OSError):
        return {Path(Settings(paths.settings_file()).get(MODEL))}


def _agreed(deletion: Deletion) -> bool:
    """Ask on a terminal; where nobody can answer, nobody has agreed."""
    for path in deletion.files:
        print(path, file=sys.stderr)
    if not sys.stdin.isatty():
        return False
    question = f"Delete {_count(len(deletion.files))} and free {size(deletion.freed_bytes)}? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _count(n_files: int) -> str:
    return "1 file" if n_files == 1 else f"{n_files} files"
