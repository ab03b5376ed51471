"""Which models are the same content twice.

Sums decide where both are known. Else files of one size are compared by samples: the header's
first bytes and short pieces over the whole length, 136 kB of each file. That two files agree in
all of them and yet differ is possible, so the result is "probably" until both were hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from app.core import hashes
from app.core.library.model import InstalledModel, Source

_HEAD_BYTES = 64 * 1024
_PIECE_BYTES = 4096
_N_PIECES = 18
_ORDER = tuple(Source)


def marked(models: Iterable[InstalledModel]) -> list[InstalledModel]:
    """`models`, of which all but the first of the same content name that first one."""
    groups: dict[tuple[object, ...], list[InstalledModel]] = {}
    for model in models:
        alike = (model.size_bytes, model.architecture, model.n_params, len(model.files))
        groups.setdefault(alike, []).append(model)
    return [model for group in groups.values() for model in _in_group(group)]


def unsure(models: Iterable[InstalledModel]) -> tuple[Path, ...]:
    """The files that must be hashed to know whether they are duplicates."""
    models = tuple(models)
    pairs = {m.path: m.is_duplicate_of for m in models if not m.is_surely_duplicate}
    wanted = {path for pair in pairs.items() if pair[1] is not None for path in pair}
    files = (path for m in models if m.path in wanted for path in m.files)
    return tuple(path for path in files if hashes.known(path) is None)


def _in_group(group: list[InstalledModel]) -> Iterator[InstalledModel]:
    if len(group) == 1:
        yield from group
        return
    firsts: list[InstalledModel] = []
    samples: dict[Path, str] = {}
    for model in sorted(group, key=lambda each: (_ORDER.index(each.source), each.path)):
        for first in firsts:
            same, sure = _compare(first, model, samples)
            if same:
                yield replace(model, is_duplicate_of=first.path, is_surely_duplicate=sure)
                break
        else:
            firsts.append(model)
            yield model


def _compare(a: InstalledModel, b: InstalledModel, samples: dict[Path, str]) -> tuple[bool, bool]:
    """(are they the same?, is that sure?)"""
    sums = _sums(a), _sums(b)
    if all(sums):
        return sums[0] == sums[1], True
    for model in (a, b):
        if model.path not in samples:
            samples[model.path] = "".join(_sample(path) for path in model.files)
    return samples[a.path] == samples[b.path] != "", False


def _sums(model: InstalledModel) -> tuple[str, ...]:
    """The sums of all its files, or () where one is not known."""
    if not model.parts:
        return (model.sha256,) if model.sha256 else ()
    known = [hashes.known(path) for path in model.parts]
    return tuple(each.present_sha256 for each in known if each) if all(known) else ()


def _sample(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size_bytes = path.stat().st_size
            digest.update(file.read(_HEAD_BYTES))
            for number in range(1, _N_PIECES + 1):
                file.seek(max(0, (size_bytes - _PIECE_BYTES) * number // _N_PIECES))
                digest.update(file.read(_PIECE_BYTES))
    except OSError:
        return str(path)  # like nothing else
    return digest.hexdigest()
