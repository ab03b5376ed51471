"""Found files made into models: facts from their headers, and what is wrong with them in words."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app import paths
from app.core import hashes
from app.core.errors import QT_TRANSLATE_NOOP, Message, ModelFileError
from app.core.library.facts import Facts, FactsCache, Kind, read_facts
from app.core.library.group import Found, is_mmproj, part_of, siblings
from app.core.library.model import APP_NAMES, InstalledModel, Notice, Source
from quantize.gguf_header import GgufHeader

_ = QT_TRANSLATE_NOOP
_LISTED = (Kind.MODEL, Kind.EMBEDDER, Kind.FOREIGN)
_DIGEST_NAME = re.compile(r"sha256[-:][0-9a-f]{64}")


def describe(path: Path) -> InstalledModel:
    """What the model is that `path` is a file of. Raises ModelFileError when it cannot be loaded.

    Any part of a split model stands for the whole; its `path` is then the first part.
    """
    found = _with_siblings(path)
    facts = read_facts(found.path)
    if facts.kind not in (Kind.MODEL, Kind.PART):
        notice = _not_a_model(path, facts.kind)
        raise ModelFileError(notice.text, notice.hint)
    model = _model(found, [facts, *(read_facts(part) for part in found.files[1:])])
    if not model.is_usable and model.notice is not None:
        raise ModelFileError(model.notice.text, model.notice.hint)
    return model


def name_of(path: Path, header: GgufHeader) -> str:
    """The model's name for people. The starter's own metadata names a training run instead."""
    return _name(path, header.name)


def described(found: Found, cache: FactsCache) -> InstalledModel | None:
    """The model of `found`; None where it is none that is listed, such as an importance matrix."""
    try:
        facts = [cache.get(path) for path in found.files]
    except (OSError, ValueError):  # gone since
        return None
    is_whole = all(part.kind in (*_LISTED, Kind.PART) for part in facts)
    begins = facts[0].kind in _LISTED or (1 in found.missing and facts[0].kind is Kind.PART)
    return _model(found, facts) if is_whole and begins else None


def _with_siblings(path: Path) -> Found:
    own = part_of(path)
    if own is None:
        return Found(path, Source.OPENED)
    try:
        beside = [path.parent / name for name in os.listdir(path.parent)]  # noqa: PTH208
    except OSError:
        beside = [path]
    parts, missing = siblings(path, beside)
    if not parts:
        return Found(path, Source.OPENED)
    return Found(parts[0], Source.OPENED, parts, own[2], missing)


def _model(found: Found, facts: Sequence[Facts]) -> InstalledModel:
    first = facts[0]
    notice = _notice(found, first)
    model = InstalledModel(
        path=found.path,
        name=_name(found.path, first.name, found.aliases),
        variant=max(facts, key=lambda part: part.n_params).variant,
        architecture=first.architecture,
        size_bytes=sum(part.size_bytes for part in facts),
        n_params=sum(part.n_params for part in facts),
        n_ctx_train=first.n_ctx_train,
        is_starter=found.path.name == paths.STARTER_NAME,
        source=found.source,
        parts=found.parts,
        mmproj=found.mmproj,
        mmproj_bytes=_size(found.mmproj),
        aliases=found.aliases,
        is_usable=notice is None,
        notice=notice or _changed(found),
    )
    return _with_origin(model, found)


def _name(path: Path, said: str, aliases: Sequence[str] = ()) -> str:
    if path.name == paths.STARTER_NAME:
        return "SmolLM2 135M"
    if said:
        return said
    if aliases and _DIGEST_NAME.fullmatch(path.name):
        return aliases[0]
    part = part_of(path)
    return part[0] if part else path.name.removesuffix(".gguf")


def _with_origin(model: InstalledModel, found: Found) -> InstalledModel:
    """Where it came from, and its sum: as it was verified here, else as its app has it."""
    known = hashes.known(found.path)
    sha256 = found.sha256 if known is None else known.present_sha256
    return replace(
        model,
        repo=(known.repo if known else "") or found.repo,
        commit=(known.commit if known else "") or found.commit,
        sha256="" if found.parts else sha256,
    )


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path is not None else 0
    except OSError:
        return 0


def _notice(found: Found, first: Facts) -> Notice | None:
    """Why it cannot be loaded."""
    if found.missing:
        return _part_missing(found)
    if first.n_parts != found.n_parts:
        return Notice(
            _("library", "{name} is one of {n_parts} parts, but not called so.").fill(
                name=found.path.name, n_parts=first.n_parts
            ),
            _("library", "Give the parts their names back: NAME-00001-of-00003.gguf and so on."),
        )
    return None if first.kind in (Kind.MODEL, Kind.PART) else _not_a_model(found.path, first.kind)


def _part_missing(found: Found) -> Notice:
    return Notice(
        _("library", "Part {number} of {n_parts} is missing.").fill(
            number=found.missing[0], n_parts=found.n_parts
        ),
        _("library", "Get the model again, or put the missing file beside the others."),
    )


def _changed(found: Found) -> Notice | None:
    """Bytes that are not what was verified; said only when they were read again."""
    for path in found.files:
        known = hashes.known(path)
        if known is not None and known.has_changed:
            return _changed_notice(path, found.source, known.repo)
    return None


def _changed_notice(path: Path, source: Source, repo: str) -> Notice:
    if source in APP_NAMES:
        return Notice(
            _("library", "{name} is not what {app} downloaded: its bytes have changed.").fill(
                name=path.name, app=APP_NAMES[source]
            ),
            _("library", "It may answer badly. Get it again in {app}.").fill(app=APP_NAMES[source]),
        )
    if repo:
        return Notice(
            _("library", "{name} has changed since it was downloaded.").fill(name=path.name),
            _("library", "Download it again; or keep it, if you changed it yourself."),
        )
    return Notice(
        _("library", "{name} has changed since it was last checked.").fill(name=path.name),
        _("library", "Get or make it again; or keep it, if you changed it yourself."),
    )


def _not_a_model(path: Path, kind: Kind) -> Notice:
    name = path.name
    if is_mmproj(path):
        kind = Kind.MMPROJ
    sentence = _SENTENCES[kind]
    return Notice(sentence[0].fill(name=name), sentence[1])


_OPEN_MODEL = _("library", "Open the model that it belongs to.")
_SENTENCES: dict[Kind, tuple[Message, Message]] = {
    Kind.MMPROJ: (
        _("library", "{name} is what a model sees with, not a model."),
        _("library", "Open the model beside it; Nibble finds this file by itself."),
    ),
    Kind.ADAPTER: (_("library", "{name} is an adapter for a model, not a model."), _OPEN_MODEL),
    Kind.IMATRIX: (
        _("library", "{name} is an importance matrix, not a model."),
        _("library", "It is of use on the Quantize page."),
    ),
    Kind.VOCABULARY: (
        _("library", "{name} holds a vocabulary and no weights."),
        _("library", "Open a model with weights."),
    ),
    Kind.EMBEDDER: (
        _("library", "{name} turns texts into vectors; it cannot chat."),
        _("library", "Choose a model made for chat."),
    ),
    Kind.FOREIGN: (
        _("library", "{name} is in a form that only Ollama's own engine reads."),
        _("library", "Get the same model on the Models page: that file works everywhere."),
    ),
}
