"""Getting files from the hub whole and verified: the door that everybody else uses.

A request is a handful of files of one title; its list lies on the disk until all are there. Uses
the monotonic clock alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from app.core import hashes
from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.hub import leftovers
from app.hub.errors import AccessError, NotFoundError, TransferError
from app.hub.leftovers import discard, unfinished
from app.hub.link import Hub, Link
from app.hub.options import TransferOptions
from app.hub.pace import SmoothRate, SpeedLimit
from app.hub.placing import fetch_file
from app.hub.repo import RemoteFile
from app.hub.request import Progress, Request, download_folder, targets
from app.hub.space import check_space
from app.hub.transfer import Watch
from quantize.control import Control

__all__ = [
    "Progress",
    "Request",
    "SpeedLimit",
    "TransferOptions",
    "discard",
    "download_folder",
    "pull",
    "targets",
    "unfinished",
]

_TELL_S = 0.1


def pull(
    request: Request,
    emit: Callable[[Progress], None],
    control: Control,
    options: TransferOptions | None = None,
) -> tuple[Path, ...]:
    """Fetch what is missing, on this thread; where the files are, in the request's order.

    `emit` is called on this thread, ten times a second at most. Raises HubError (TransferError,
    OfflineError, AccessError, NotFoundError), and Cancelled: what has come stays then.
    """
    options = options or TransferOptions()
    places = targets(request)
    teller = _Teller(request, emit)
    needed = leftovers.missing_bytes(request)
    check_space(request.folder, needed, options.reserve_bytes, request.title)
    leftovers.remember(request)
    hubs, link = _hubs(options), _link(options)
    try:
        for file in request.files:
            watch = Watch(teller.of_next(), control)
            place = places[file.path]
            sha256 = fetch_file(link, hubs, file, place, options, control, watch)
            hashes.record(place, sha256, file.repo, file.commit)
            teller.finished(file)
    except (AccessError, NotFoundError):
        if not leftovers.has_begun(request):
            leftovers.forget(request)
        raise
    finally:
        link.close()
    leftovers.forget(request)
    teller.tell("verifying", request.size_bytes)
    return tuple(places[file.path] for file in request.files)


class _Teller:
    """Turns what single files say into progress of all, not too often."""

    def __init__(self, request: Request, emit: Callable[[Progress], None]) -> None:
        self._total = request.size_bytes
        self._emit = emit
        self._rate = SmoothRate()
        self._before = 0
        self._told = ("", 0.0)

    def of_next(self) -> Callable[[str, int, Message | None], None]:
        before = self._before
        return lambda phase, done, note: self.tell(phase, before + done, note)

    def finished(self, file: RemoteFile) -> None:
        self._before += file.size_bytes

    def tell(self, phase: str, done_bytes: int, note: Message | None = None) -> None:
        now = time.monotonic()
        is_last = done_bytes >= self._total
        if phase == self._told[0] and now - self._told[1] < _TELL_S and not is_last:
            return
        self._told = (phase, now)
        if phase == "fetching":
            self._rate.update(done_bytes, now)
        speed = self._rate.bytes_per_s if phase == "fetching" else 0.0
        eta_s = self._rate.eta_s(self._total - done_bytes) if phase == "fetching" else None
        self._emit(Progress(done_bytes, self._total, speed, eta_s, phase, note))


def _hubs(options: TransferOptions) -> tuple[Hub, ...]:
    """Raises HubError, also where the user wants to stay offline."""
    from app.hub import web
    from app.hub.trouble import Asked, hub_error

    web.refuse_when_offline()
    hubs: list[Hub] = []
    for endpoint in options.endpoints or (web.endpoint_of(None),):
        try:
            hubs.append(Hub(endpoint, "" if hubs else options.token))
        except ValueError as error:
            raise hub_error(UnicodeError(str(error)), Asked(endpoint)) from error
    return tuple(hubs)


def _link(options: TransferOptions) -> Link:
    """Raises TransferError where the system's proxies or certificates cannot be used."""
    try:
        return Link(options)
    except (OSError, ValueError) as error:
        raise TransferError(_SETTINGS, _SETTINGS_HINT, str(error)) from error


_SETTINGS = QT_TRANSLATE_NOOP(
    "hub", "The proxy or the certificates that are set for this computer cannot be used."
)
_SETTINGS_HINT = QT_TRANSLATE_NOOP(
    "hub", "Look at HTTPS_PROXY and SSL_CERT_FILE, and at the proxy in the system's settings."
)
