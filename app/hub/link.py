"""Requests for files: redirects watched, the token kept to the hub, every socket within reach.

A blocked read cannot be told to stop, but its socket can be shut from another thread, so all that
are opened are kept in mind. Certificates and proxies are the system's, through httpx2. Knows what
a hub is, but not what a transfer is.
"""

from __future__ import annotations

import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import TransferError
from app.hub.options import TransferOptions
from app.hub.sent import note_sent

if TYPE_CHECKING:
    import httpx2

MAX_REDIRECTS = 8
_PORTS = {"http": 80, "https": 443}


class Link:
    """The connections of one pull. Close it in the end; `shut` ends what is under way at once."""

    def __init__(self, options: TransferOptions) -> None:
        import httpx2

        n = options.n_connections + 2
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(options.stall_s, connect=options.connect_s, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=n),
            follow_redirects=False,
            headers={"User-Agent": "nibble", "Accept-Encoding": "identity", "Accept": "*/*"},
        )
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_shut = False

    @contextmanager
    def open(
        self, method: str, url: str, headers: dict[str, str], hub: Hub, stays: bool = False
    ) -> Iterator[httpx2.Response]:
        """The answer, its body not yet read, after redirects; `stays`: only those within `hub`.

        Raises TransferError for a redirect that must not be followed, and httpx2's own errors.
        """
        seen = {url}
        for _ in range(MAX_REDIRECTS):
            response = self._send(method, url, headers | hub.authorization(url))
            target = _target(response)
            try:
                _refuse_downgrade(url, target)
                if target is None or (stays and not hub.owns(target)):
                    yield response
                    return
            finally:
                response.close()
            if target in seen:
                break
            seen.add(target)
            url = target
        raise TransferError(_CIRCLE.fill(host=hub.host), _ELSEWHERE, f"redirected to {url}")

    def shut(self) -> None:
        """End every read that is under way, in whatever thread; nothing goes out after it."""
        with self._lock:
            self._is_shut = True
            sockets = list(self._sockets)
        for one in sockets:
            with suppress(OSError, ValueError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def reopen(self) -> None:
        """Requests may go out again."""
        with self._lock:
            self._is_shut = False

    def close(self) -> None:
        self._client.close()

    def _send(self, method: str, url: str, headers: dict[str, str]) -> httpx2.Response:
        note_sent()
        request = self._client.build_request(
            method, url, headers=headers, extensions={"trace": self._trace}
        )
        return self._client.send(request, stream=True)

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        found = info["return_value"].get_extra_info("socket")
        with self._lock:
            self._sockets.add(found)
            is_shut = self._is_shut
        if is_shut:
            self.shut()


class Hub:
    """A hub's address, and the token that goes there and nowhere else."""

    def __init__(self, endpoint: str, token: str = "") -> None:
        self.endpoint = endpoint.rstrip("/")
        self._token = token
        self._origin = _origin(self.endpoint)

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc or self.endpoint

    @property
    def has_token(self) -> bool:
        return bool(self._token)

    def url_of(self, repo: str, commit: str, path: str) -> str:
        return f"{self.endpoint}/{quote(repo)}/resolve/{quote(commit, safe='')}/{quote(path)}"

    def owns(self, url: str) -> bool:
        return _origin(url) == self._origin

    def authorization(self, url: str) -> dict[str, str]:
        """The header with the token where `url` is the hub's own, else nothing."""
        if not self._token or not self.owns(url):
            return {}
        return {"Authorization": f"Bearer {self._token}"}


def _target(response: httpx2.Response) -> str | None:
    """Where a redirect leads; None for any other answer."""
    if response.status_code not in (301, 302, 303, 307, 308):
        return None
    location = response.headers.get("Location")
    return urljoin(str(response.url), location) if location else None


def _refuse_downgrade(url: str, target: str | None) -> None:
    if target is None:
        return
    source, way = urlsplit(url).scheme, urlsplit(target).scheme
    if way not in _PORTS or (source == "https" and way != "https"):
        host = urlsplit(url).netloc
        raise TransferError(_DOWNGRADE.fill(host=host), _ELSEWHERE, f"redirect to {target[:200]}")


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port or _PORTS.get(parts.scheme, 0)


_CIRCLE = QT_TRANSLATE_NOOP("hub", "{host} leads around in a circle.")
_DOWNGRADE = QT_TRANSLATE_NOOP("hub", "{host} led to an address that is not secure.")
_ELSEWHERE = QT_TRANSLATE_NOOP("hub", "Nothing was fetched. Try again later or on another network.")
