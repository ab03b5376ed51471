"""File names of strangers made safe for every disk. Knows no network and touches no file.

A name that points out of its folder is refused, for an honest repository has none; one that only
some systems cannot keep (reserved, too long, odd characters) is mended, the same way everywhere,
so that a folder can be carried from one system to another.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import TransferError

MAX_NAME_BYTES = 180  # leaves room for our own suffixes below the 255 that file systems allow
_MAX_DEPTH = 32
_DRIVE = re.compile(r"[A-Za-z]:")
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³"]
)
_OURS = (".part", ".part.json", ".pull.json", ".partial")
# What must stay at the end: llama.cpp finds the parts of a split model by it.
_TAIL = re.compile(r"(-\d{5}-of-\d{5})?(\.[A-Za-z0-9]{1,12}){0,2}$")


def safe_path(path: str) -> PurePosixPath:
    """`path` as a relative path that every system can keep.

    Raises TransferError where it points anywhere but below its own folder.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if _points_away(path, parts):
        raise TransferError(_UNSAFE.fill(name=shown(path)), _UNSAFE_HINT, ascii(path))
    return PurePosixPath(*(_mended(part) for part in parts))


def safe_paths(paths: Iterable[str]) -> dict[str, PurePosixPath]:
    """`safe_path` of each; those that a disk which ignores case takes for one get different names.

    Raises TransferError, also where one is both a file and another's folder.
    """
    found: dict[str, PurePosixPath] = {}
    files: set[str] = set()
    folders: set[str] = set()
    for path in sorted(set(paths)):
        safe = safe_path(path)
        if _key(safe) in files | folders:
            safe = safe.with_name(_marked(safe.name, path))
        above = {_key(parent) for parent in safe.parents} - {_key(PurePosixPath())}
        if above & files:
            raise TransferError(_UNSAFE.fill(name=shown(path)), _UNSAFE_HINT, ascii(path))
        files.add(_key(safe))
        folders |= above
        found[path] = safe
    return found


def shown(name: str) -> str:
    """`name` fit for a sentence: short, and nothing in it that moves the text around."""
    plain = "".join(c if c.isprintable() else "?" for c in name)
    return plain if len(plain) <= 60 else f"{plain[:28]}…{plain[-28:]}"


def _points_away(path: str, parts: list[str]) -> bool:
    odd = "\\" in path or "\0" in path or path.startswith("/") or _DRIVE.match(path)
    return bool(odd) or not parts or ".." in parts or len(parts) > _MAX_DEPTH


def _mended(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    name = "".join("_" if unicodedata.category(c)[0] == "C" else c for c in name)
    name = _FORBIDDEN.sub("_", name).lstrip(" ").rstrip(" .")
    if not name or set(name) == {"."}:
        name = "_"
    if name.split(".")[0].rstrip(" ").upper() in _DEVICES:
        name = "_" + name
    if name.casefold().endswith(_OURS):
        name += "_"
    return _marked(name, name) if len(name.encode()) > MAX_NAME_BYTES else name


def _marked(name: str, source: str) -> str:
    """`name`, cut where it is too long, with a mark of its `source`; the tail stays.

    The mark of a split model's parts is the same, for they must keep a common beginning.
    """
    tail = _TAIL.search(name)
    at = tail.start() if tail else len(name)
    split = _TAIL.search(source)
    mark = (
        "~"
        + hashlib.sha256(
            source[: split.start() if split else None].encode(errors="surrogatepass")
        ).hexdigest()[:8]
    )
    room = MAX_NAME_BYTES - len((mark + name[at:]).encode())
    head = name[:at].encode()[:room].decode(errors="ignore").rstrip(" .")
    return head + mark + name[at:]


def _key(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(path).casefold())


_UNSAFE = QT_TRANSLATE_NOOP(
    "hub", "A file of this repository has a name that is not safe to keep: {name}"
)
_UNSAFE_HINT = QT_TRANSLATE_NOOP("hub", "Nothing was fetched. Choose another repository.")
