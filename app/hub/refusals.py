"""The sentences for a transfer that failed for its own reasons: the disk, or the bytes."""

from __future__ import annotations

import errno
from pathlib import Path

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.answered import STAYS
from app.hub.errors import TransferError
from app.hub.names import shown
from app.hub.repo import RemoteFile


def damaged(file: RemoteFile, sha256: str) -> TransferError:
    return TransferError(_DAMAGED, _DAMAGED_HINT, f"{file.path}: {sha256}")


def changed(file: RemoteFile, detail: str) -> TransferError:
    """The hub has other bytes under this name than its metadata said."""
    name = shown(file.path.rpartition("/")[2])
    return TransferError(_CHANGED.fill(name=name), _CHANGED_HINT, detail)


def cannot_write(target: Path, error: OSError) -> TransferError:
    """The system's refusal as a sentence."""
    text = _FULL if error.errno in _NO_SPACE else _CANNOT
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        text = _NOT_ALLOWED
    if error.errno == errno.EFBIG:
        text = _TOO_LARGE
    hint = STAYS if text is _FULL else _OTHER_FOLDER
    return TransferError(text.fill(name=shown(target.name)), hint, str(error))


_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DAMAGED = QT_TRANSLATE_NOOP(
    "hub", "The download does not match its checksum. The damaged part is thrown away."
)
_DAMAGED_HINT = QT_TRANSLATE_NOOP(
    "hub", "Try again. If it happens again, tell the repository's makers."
)
_CHANGED = QT_TRANSLATE_NOOP("hub", "{name} is no longer the same at the hub.")
_CHANGED_HINT = QT_TRANSLATE_NOOP("hub", "Look at the repository again, then try once more.")
_FULL = QT_TRANSLATE_NOOP("hub", "The disk is full: {name} could not be finished.")
_CANNOT = QT_TRANSLATE_NOOP("hub", "{name} cannot be written.")
_NOT_ALLOWED = QT_TRANSLATE_NOOP("hub", "You are not allowed to write {name} there.")
_TOO_LARGE = QT_TRANSLATE_NOOP("hub", "{name} is larger than the file system allows.")
_OTHER_FOLDER = QT_TRANSLATE_NOOP("hub", "Choose another folder for models in Settings.")
