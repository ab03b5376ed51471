"""What goes wrong between here and the hub, told apart so that callers can act on it."""

from __future__ import annotations

from app.core.errors import AppError


class HubError(AppError):
    """The hub could not be used, or said no."""


class OfflineError(HubError):
    """There is no way to the hub: no network, no name, no answer in time."""


class AccessError(HubError):
    """The hub asks for a token, or for its terms to be accepted (401, 403)."""


class NotFoundError(HubError):
    """There is no such repository, revision or file, or it is private."""


class NoSuchFileError(NotFoundError):
    """The repository is there, the file is not."""


class TransferError(HubError):
    """The file could not be fetched, or is not what the hub's metadata says."""
