"""What the answer to a request for (a part of) a file means: go on, wait and try again, or give up.

Says nothing of how often; that is the transfer's business.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.hub.errors import HubError, TransferError
from app.hub.link import Hub
from app.hub.ranges import Segment
from app.hub.repo import RemoteFile

if TYPE_CHECKING:
    import httpx2

MAX_RETRY_AFTER_S = 300
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_MAX_ERROR_BYTES = 64 * 1024


class Again(Exception):  # noqa: N818 - an outcome, caught where the patience is
    """It may work the next time. `error`: what to say when it never does.

    `after_s`: the pause asked for. `is_expired`: the address has to be asked for anew.
    `is_complaint`: the server has too much to do.
    """

    def __init__(
        self,
        error: HubError,
        after_s: float = 0.0,
        is_expired: bool = False,
        is_complaint: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_s = after_s
        self.is_expired = is_expired
        self.is_complaint = is_complaint


class Changed(Exception):  # noqa: N818 - an outcome
    """The file at the hub is not, or no longer, what we set out to fetch."""


class NoRanges(Exception):  # noqa: N818 - an outcome
    """The server sends whole files only."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Who said no to what, for the sentence."""

    hub: Hub
    file: RemoteFile


def check_range(response: httpx2.Response, segment: Segment, size: int) -> None:
    """Raises Again, Changed or NoRanges unless the body begins at `segment.start`."""
    whole = segment.start == 0 and segment.end == size
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Again(_nonsense("an encoded body"))
    if response.status_code == 200:
        if not whole:
            raise NoRanges
        _check_length(response, size)
        return
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None:
        raise Again(_nonsense("206 without a range"))
    if found[3] not in ("*", str(size)):
        raise Changed(f"{found[3]} bytes instead of {size}")
    if int(found[1]) != segment.start or not segment.start <= int(found[2]) < segment.end:
        raise Again(_nonsense(f"{found[0]} instead of {segment.start}-{segment.end - 1}"))


def check_whole(response: httpx2.Response, size: int) -> None:
    """The same for an answer to a request without a range."""
    if response.status_code != 200:
        raise Again(_nonsense(f"status {response.status_code}"))
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Again(_nonsense("an encoded body"))
    _check_length(response, size)


def check_status(response: httpx2.Response, asked: Refused) -> None:
    """Raises Again, Changed, or the HubError to give up with, unless the answer is a success."""
    status = response.status_code
    if status in (200, 206):
        return
    if status == 416:
        raise Changed("the range is not there")
    error = _status_error(response, asked)
    if status in _RETRIED:
        after_s = _retry_after_s(response)
        if after_s > MAX_RETRY_AFTER_S:
            raise error
        raise Again(error, after_s, is_complaint=status in (429, 503))
    if not asked.hub.owns(str(response.url)) and status in (400, 401, 403, 404, 410):
        raise Again(error, is_expired=True)  # a signed address lives for an hour
    raise error


def network_error(error: Exception, asked: Refused) -> Exception:
    """Again, or the HubError to give up with, for what httpx2 raised."""
    import httpx2

    from app.hub.trouble import hub_error

    known = hub_error(error, _asked(asked))
    is_final = isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL))
    is_final |= isinstance(_root(error), ssl.SSLCertVerificationError)
    return known if is_final else Again(known)


def _root(error: BaseException) -> BaseException:
    seen = {id(error)}
    while (cause := error.__cause__ or error.__context__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        error = cause
    return error


def _status_error(response: httpx2.Response, asked: Refused) -> HubError:
    import httpx2
    from huggingface_hub import hf_raise_for_status

    from app.hub.trouble import hub_error, nonsense

    length = response.headers.get("Content-Length", "")
    try:
        if length.isdigit() and int(length) <= _MAX_ERROR_BYTES:
            response.read()
        hf_raise_for_status(response)
        response.raise_for_status()
    except (httpx2.HTTPError, httpx2.StreamError, ValueError, TypeError, LookupError) as error:
        return hub_error(error, _asked(asked))
    return nonsense(_asked(asked), f"status {response.status_code}")


def _asked(asked: Refused):  # type: ignore[no-untyped-def]
    from app.hub.trouble import Asked

    file = asked.file
    return Asked(asked.hub.endpoint, file.repo, file.path, asked.hub.has_token)


def _retry_after_s(response: httpx2.Response) -> float:
    from app.hub.trouble import retry_after_s

    return float(retry_after_s(response))


def _check_length(response: httpx2.Response, size: int) -> None:
    length = response.headers.get("Content-Length")
    if length is not None and length != str(size):
        raise Changed(f"{length} bytes instead of {size}")


def _nonsense(detail: str) -> TransferError:
    return TransferError(_NONSENSE, _NONSENSE_HINT, detail)


def short(file: RemoteFile) -> TransferError:
    """The connection ended before the file did."""
    return TransferError(_SHORT.fill(name=file.path.rpartition("/")[2]), STAYS)


STAYS: Message = QT_TRANSLATE_NOOP(
    "hub", "What was fetched stays, and the next try goes on from there."
)
_SHORT = QT_TRANSLATE_NOOP("hub", "The connection ended again and again before {name} was whole.")
_NONSENSE = QT_TRANSLATE_NOOP("hub", "The server sent something else than was asked for.")
_NONSENSE_HINT = QT_TRANSLATE_NOOP(
    "hub", "What was fetched stays. Try again later, or on another network."
)
