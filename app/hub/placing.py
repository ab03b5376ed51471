"""A file at its place: taken as it is where it is right, else fetched, by one process at a time."""

from __future__ import annotations

import time
from pathlib import Path

from app.core import hashes
from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import HubError
from app.hub.link import Hub, Link
from app.hub.names import shown
from app.hub.options import TransferOptions
from app.hub.partfile import PartFile, read_digest
from app.hub.ranges import Digest
from app.hub.refusals import cannot_write
from app.hub.repo import RemoteFile
from app.hub.transfer import Transfer, Watch
from quantize.control import Control

_LOCK_POLL_S = 0.2


def fetch_file(
    link: Link,
    hubs: tuple[Hub, ...],
    file: RemoteFile,
    target: Path,
    options: TransferOptions,
    control: Control,
    watch: Watch,
) -> str:
    """Returns the SHA-256 of what is at `target` in the end.

    Raises HubError, and Cancelled; what may be of use the next time stays then.
    """
    try:
        if sha256 := _there_already(file, target, watch):
            return sha256
        part = _take(target, watch)
        try:
            if sha256 := _there_already(file, target, watch):  # another process was at it
                part.discard()
                return sha256
            return _from_any(hubs, Transfer(link, file, part, options, control, watch))
        finally:
            part.leave()
    except OSError as error:
        raise cannot_write(target, error) from error


def _there_already(file: RemoteFile, target: Path, watch: Watch) -> str:
    """The file's SHA-256 where `target` is it; "" where not, or where that cannot be known."""
    if not target.is_file() or target.stat().st_size != file.size_bytes:
        return ""
    known = hashes.known(target)
    if known is not None and _is_of(known, file):
        return known.present_sha256
    if known is not None or not file.sha256:
        return ""
    digest = Digest()
    read_digest(target, digest, lambda done: watch.tell("verifying", done))
    return digest.sha256 if digest.sha256 == file.sha256.lower() else ""


def _is_of(known: hashes.Known, file: RemoteFile) -> bool:
    """By content, or where that has no hash, fetched from the same commit and unchanged since."""
    if file.sha256:
        return known.present_sha256 == file.sha256.lower()
    return (known.repo, known.commit) == (file.repo, file.commit) and not known.has_changed


def _take(target: Path, watch: Watch) -> PartFile:
    while (part := PartFile.take(target)) is None:
        watch.tell("waiting", None, _OTHER.fill(name=shown(target.name)))
        time.sleep(_LOCK_POLL_S)
    return part


def _from_any(hubs: tuple[Hub, ...], transfer: Transfer) -> str:
    """From the first hub that has it right. Raises the first one's error when none has."""
    errors: list[HubError] = []
    for hub in hubs:
        try:
            return transfer.run(hub)
        except HubError as error:
            errors.append(error)
            if len(errors) < len(hubs):
                transfer.prepare_next()
    raise errors[0]


_OTHER = QT_TRANSLATE_NOOP("hub", "Another Nibble is fetching {name}; this one waits for it.")
