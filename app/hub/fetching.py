"""One connection's work: a segment of a file fetched through whatever goes wrong.

What has come is written and handed to the hasher however a request ends. Everything that the
connections share is in `Shared`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.core.errors import Message
from app.hub import answered
from app.hub.answered import Again, Changed, Refused
from app.hub.errors import HubError
from app.hub.link import Hub, Link
from app.hub.options import MIB, TransferOptions
from app.hub.partfile import PartFile
from app.hub.ranges import Ended, HashFront, Segment
from app.hub.repo import RemoteFile
from app.hub.resolve import Resolved, resolve
from quantize.control import Control

if TYPE_CHECKING:
    import httpx2

_PIECE = MIB  # written and hashed at once, or what came in
_PIECE_S = 0.3
_GOT_ON = 64 * 1024  # a try that brought as much was no failure
_MAX_PAUSE_S = 30.0
_PAUSE_CHECK_S = 0.05


@dataclass(frozen=True, slots=True)
class Task:
    """One file, from one hub, into `part`."""

    link: Link
    hub: Hub
    file: RemoteFile
    part: PartFile
    options: TransferOptions
    control: Control


@dataclass
class Shared:
    """What all connections of a crew see. `with_ranges` False: whole bodies, from the beginning."""

    task: Task
    front: HashFront
    resolved: Resolved
    with_ranges: bool
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    received_bytes: int = 0
    n_waiting: int = 0
    n_complaints: int = 0  # times that the server asked for a break
    note: Message | None = None
    etags: dict[str, str] = field(default_factory=dict)
    expired: str = ""  # an address that is no longer served
    hold_until: float = 0.0

    @property
    def asked(self) -> Refused:
        return Refused(self.task.hub, self.task.file)

    def fresh(self) -> Resolved:
        """Where the bytes are now. Raises Again, Changed, HubError."""
        with self.lock:
            if self.expired == self.resolved.url:
                new = resolve(self.task.link, self.task.hub, self.task.file)
                if (new.size_bytes, new.sha256) != (self.front.size, self.resolved.sha256):
                    raise Changed("other bytes under the same name")
                self.resolved, self.etags, self.expired = new, {}, ""
            return self.resolved

    def moved(self, used: Resolved, response: httpx2.Response) -> None:
        """Remember where redirects ended, and see that it is the same file as before there.

        Raises Changed.
        """
        etag, host = response.headers.get("ETag", ""), response.url.host
        with self.lock:
            if etag and self.etags.setdefault(host, etag) != etag:
                raise Changed("another ETag")
            if self.resolved is used:
                self.resolved = replace(used, url=str(response.url))

    def raise_if_stopped(self) -> None:
        if self.stop.is_set():
            raise Ended

    def sleep(self, seconds: float) -> None:
        """Raises Ended when the crew is stopped meanwhile."""
        if self.stop.wait(seconds):
            raise Ended


def fetch(shared: Shared, segment: Segment) -> None:
    """All of `segment`. Raises Ended, Changed, NoRanges, HubError, OSError."""
    failures = 0
    while segment.start < segment.end:
        _wait_while_paused(shared)
        start = segment.start
        try:
            _request(shared, segment)
        except _Paused:
            continue
        except Again as again:
            failures = 0 if segment.start - start >= _GOT_ON else failures + 1
            if failures > shared.task.options.retries:
                raise again.error from again
            _back_off(shared, again, failures)


class _Paused(Exception):  # noqa: N818 - an outcome
    pass


def _wait_while_paused(shared: Shared) -> None:
    while shared.task.control.paused:
        shared.sleep(_PAUSE_CHECK_S)


def _back_off(shared: Shared, again: Again, failures: int) -> None:
    pause = min(_MAX_PAUSE_S, shared.task.options.backoff_s * 2 ** max(0, failures - 1))
    pause *= random.uniform(0.5, 1.0)  # not all at the same moment
    with shared.lock:
        shared.note = again.error.text
        shared.n_waiting += 1
        if again.after_s:
            shared.hold_until = max(shared.hold_until, time.monotonic() + again.after_s)
        shared.n_complaints += again.is_complaint
        pause = max(pause, shared.hold_until - time.monotonic())
    try:
        shared.sleep(pause)
    finally:
        with shared.lock:
            shared.n_waiting -= 1


def _request(shared: Shared, segment: Segment) -> None:
    """Ask once for what `segment` lacks."""
    resolved = shared.fresh()
    is_part = shared.with_ranges and segment.end - segment.start < shared.front.size
    with _answer(shared, resolved, segment if is_part else None) as response:
        shared.moved(resolved, response)
        if is_part:
            answered.check_range(response, segment, shared.front.size)
        else:
            answered.check_whole(response, shared.front.size)
        _read(shared, response, segment, skip=0 if is_part else segment.start)
    if segment.start < segment.end:
        raise Again(answered.short(shared.task.file))


@contextmanager
def _answer(
    shared: Shared, resolved: Resolved, segment: Segment | None
) -> Iterator[httpx2.Response]:
    """A successful answer; errors of the network become Again, or what to give up with."""
    import httpx2

    headers = {"Range": f"bytes={segment.start}-{segment.end - 1}"} if segment else {}
    try:
        with shared.task.link.open("GET", resolved.url, headers, shared.task.hub) as response:
            answered.check_status(response, shared.asked)
            yield response
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, HubError, Again) as error:
        shared.raise_if_stopped()  # then it is we who shut the socket
        if isinstance(error, Again) and error.is_expired:
            shared.expired = resolved.url
        if isinstance(error, (HubError, Again)):
            raise
        raise answered.network_error(error, shared.asked) from error


def _read(shared: Shared, response: httpx2.Response, segment: Segment, skip: int) -> None:
    """The body, without its first `skip` bytes; what has come is kept however it ends."""
    pieces: list[bytes] = []
    n_bytes = 0
    due = time.monotonic() + _PIECE_S
    try:
        for chunk in response.iter_raw():
            _take_time(shared, len(chunk))
            if skip:
                chunk, skip = chunk[skip:], max(0, skip - len(chunk))
            if n_bytes + len(chunk) > segment.end - segment.start:
                raise Changed("more bytes than the file has")
            pieces.append(chunk)
            n_bytes += len(chunk)
            if n_bytes >= _PIECE or time.monotonic() >= due:
                _keep(shared, segment, pieces)
                n_bytes, due = 0, time.monotonic() + _PIECE_S
    finally:
        if pieces and not shared.stop.is_set():
            _keep(shared, segment, pieces)


def _keep(shared: Shared, segment: Segment, pieces: list[bytes]) -> None:
    """Write and hash; empties `pieces`. Waits where it is too far ahead. Raises Ended, OSError."""
    data = b"".join(pieces)
    pieces.clear()
    shared.front.room(segment.start + len(data))
    shared.task.part.write(segment.start, data)
    shared.front.put(segment.start, data)
    segment.start += len(data)


def _take_time(shared: Shared, n_bytes: int) -> None:
    """Count what came; wait where there is a limit. Raises Ended, _Paused."""
    shared.raise_if_stopped()
    shared.received_bytes += n_bytes  # not exact among threads, and need not be
    limit = shared.task.options.limit
    if limit is not None and (pause := limit.spend(n_bytes)) > 0:
        shared.sleep(pause)
    if shared.task.control.paused:
        raise _Paused
