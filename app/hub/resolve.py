"""From a file at a commit to the address its bytes come from, its size and its hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.answered import Again, Changed, Refused, check_status, network_error
from app.hub.errors import TransferError
from app.hub.link import Hub, Link
from app.hub.repo import RemoteFile

if TYPE_CHECKING:
    import httpx2

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_OID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Resolved:
    """`sha256`, `git_oid`: in hex, "" where nobody says; one of them is what the bytes must give.

    `url` may be signed for an hour.
    """

    url: str
    size_bytes: int
    sha256: str = ""
    git_oid: str = ""


def resolve(link: Link, hub: Hub, file: RemoteFile) -> Resolved:
    """Ask once. Raises Again, Changed, HubError."""
    import httpx2

    asked = Refused(hub, file)
    url = hub.url_of(file.repo, file.commit, file.path)
    try:
        with link.open("HEAD", url, {}, hub, stays=True) as response:
            if not response.has_redirect_location:
                check_status(response, asked)
            return _read(response, hub, file)
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
        raise network_error(error, asked) from error


def _read(response: httpx2.Response, hub: Hub, file: RemoteFile) -> Resolved:
    headers = response.headers
    commit = headers.get("X-Repo-Commit", file.commit)
    if _GIT_OID.fullmatch(file.commit) and commit != file.commit:
        raise Changed(f"commit {commit}")
    size = _size(response)
    if size is not None and file.size_bytes and size != file.size_bytes:
        raise Changed(f"{size} bytes instead of {file.size_bytes}")
    if size is None and not file.size_bytes:
        raise Again(TransferError(_NO_SIZE.fill(name=file.path), _NO_SIZE_HINT))
    etag = (headers.get("X-Linked-ETag") or _own_etag(response, hub)).strip().removeprefix("W/")
    etag = etag.strip('"').lower()
    is_sha256 = _SHA256.fullmatch(etag) is not None
    if is_sha256 and file.sha256 and etag != file.sha256.lower():
        raise Changed("another SHA-256")
    sha256 = file.sha256.lower() or (etag if is_sha256 else "")
    git_oid = etag if not sha256 and _GIT_OID.fullmatch(etag) else ""
    location = headers.get("Location") if response.has_redirect_location else None
    url = urljoin(str(response.url), location) if location else str(response.url)
    return Resolved(url, file.size_bytes if size is None else size, sha256, git_oid)


def _own_etag(response: httpx2.Response, hub: Hub) -> str:
    """Elsewhere than at the hub an ETag is anything."""
    return str(response.headers.get("ETag", "")) if hub.owns(str(response.url)) else ""


def _size(response: httpx2.Response) -> int | None:
    said = response.headers.get("X-Linked-Size")
    if said is None and not response.has_redirect_location:
        said = response.headers.get("Content-Length")
    said = (said or "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


_NO_SIZE = QT_TRANSLATE_NOOP("hub", "The server does not say how large {name} is.")
_NO_SIZE_HINT = QT_TRANSLATE_NOOP("hub", "Try again later, or from another hub.")
