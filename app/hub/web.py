"""The HTTP client of huggingface_hub, made safe for a window: limits of time and size, no retries.

Left alone, that client waits for ever, retries for minutes and follows any redirect. The system's
certificates and proxies are respected by httpx2 itself. Imported when the hub is first asked, not
before: it takes a third of a second.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import httpx2
from huggingface_hub import constants, get_session, set_client_factory

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import HubError, OfflineError
from app.hub.sent import note_sent

if TYPE_CHECKING:
    from httpx2 import Client, Request, Response

DEFAULT_ENDPOINT = "https://huggingface.co"
TIMEOUT_S = 20.0  # of each wait: for the connection, for the next bytes
_WHOLE_ANSWER_S = 120.0
_MAX_ANSWER_BYTES = 48 * 1024**2
_MAX_REDIRECTS = 5


def endpoint_of(endpoint: str | None) -> str:
    """`endpoint`, else $HF_ENDPOINT, else the hub itself; without a slash at the end."""
    return (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")


def session() -> Client:
    """The one client of this process, also behind every call into huggingface_hub."""
    _install()
    return get_session()


@cache
def _install() -> None:
    set_client_factory(_client)
    # It warns of what strangers wrote into their cards.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def _client() -> Client:
    return httpx2.Client(
        timeout=httpx2.Timeout(TIMEOUT_S, connect=10.0),
        follow_redirects=True,
        max_redirects=_MAX_REDIRECTS,
        event_hooks={"request": [refuse_when_offline], "response": [_refuse_downgrade, _limit]},
    )


def refuse_when_offline(_: Request | None = None) -> None:
    """HF_HUB_OFFLINE is a person's word; what does go out is noted."""
    if constants.is_offline_mode():
        raise OfflineError(
            QT_TRANSLATE_NOOP(
                "hub", "Nibble was started with HF_HUB_OFFLINE, so it stays offline."
            ),
            QT_TRANSLATE_NOOP("hub", "Start it without HF_HUB_OFFLINE to search and download."),
        )
    note_sent()


def _refuse_downgrade(response: Response) -> None:
    """Raises HubError where a secure address leads to one that is not."""
    if not response.has_redirect_location or response.url.scheme != "https":
        return
    target = response.url.join(response.headers["Location"])
    if target.scheme != "https":
        text = QT_TRANSLATE_NOOP("hub", "{host} led to an address that is not secure.")
        hint = QT_TRANSLATE_NOOP("hub", "Nothing was sent there. Try again on another network.")
        raise HubError(text.fill(host=response.url.host), hint, f"redirect to {target}")


def _limit(response: Response) -> None:
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _Limited(response.stream, response.url.host)


class _Limited(httpx2.SyncByteStream):
    """A body that may neither grow without end nor drip for ever."""

    def __init__(self, stream: httpx2.SyncByteStream, host: str) -> None:
        self._stream = stream
        self._host = host
        self._left = _MAX_ANSWER_BYTES
        self._ends = time.monotonic() + _WHOLE_ANSWER_S

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                text = QT_TRANSLATE_NOOP("hub", "{host} sent far more than was asked for.")
                raise HubError(text.fill(host=self._host))
            if time.monotonic() > self._ends:
                raise httpx2.ReadTimeout("the answer drips")
            yield chunk

    def close(self) -> None:
        self._stream.close()
