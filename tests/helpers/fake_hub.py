"""A hub on the loopback that the real client libraries work with, and that misbehaves on order.

`python -m tests.helpers.fake_hub FILE...` serves files from a process of its own as repo
"bench/files": it prints its endpoint and ends with its standard input.
"""

from __future__ import annotations

import secrets
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.helpers.fake_hub_content import Content, Held, Hole, OnDisk, Seeded
from tests.helpers.fake_hub_faults import Faults
from tests.helpers.fake_hub_http import Handler
from tests.helpers.fake_hub_repos import StoredFile, StoredRepo

__all__ = ["FakeHub", "Faults", "Held", "Hole", "OnDisk", "Seeded", "Seen"]


@dataclass
class Seen:
    """A request that came in. `range`, `authorization`: the headers, "" without."""

    method: str
    path: str
    range: str
    authorization: str
    headers: Mapping[str, str]
    is_cdn: bool
    status: int = 0
    sent_bytes: int = 0


class Listener(ThreadingHTTPServer):
    """One port. Closing it ends its open connections, so that no thread stays behind."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, hub: FakeHub, is_cdn: bool, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.hub = hub
        self.is_cdn = is_cdn
        self._open: set[socket.socket] = set()
        if hub.tls is not None:
            self.socket = hub.tls.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hung up; what matters is in the log of requests

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        for request in list(self._open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)
        self.server_close()


class FakeHub:
    """Use it as a context manager. `endpoint` is its address, `cdn` another origin for big files.

    `tls`: an ssl.SSLContext for https, see fake_hub_tls.py. `tokens`: token to user name.
    """

    def __init__(self, tls: Any = None) -> None:
        self.tls = tls
        self.faults = Faults()
        self.repos: dict[str, StoredRepo] = {}
        self.tokens: dict[str, str] = {}
        self.log: list[Seen] = []
        self.linked: dict[str, StoredFile] = {}
        self.signature = secrets.token_hex(4)
        self.uses_cdn = True
        self.page_size = 1000
        self.closing = threading.Event()
        self._access: set[tuple[str, str]] = set()
        self._asked: dict[str, int] = {}
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._ports = (0, 0)

    def __enter__(self) -> Self:
        self.go_online()
        return self

    def __exit__(self, *exception: object) -> None:
        self.go_offline()

    def go_online(self) -> None:
        """Listen, after `go_offline` on the same ports as before."""
        self.closing.clear()
        self._listeners = [Listener(self, kind, self._ports[kind]) for kind in (False, True)]
        ports = [listener.server_address[1] for listener in self._listeners]
        self._ports = (ports[0], ports[1])

    def go_offline(self) -> None:
        """Nobody listens and no connection is left: what a pulled cable looks like, but at once."""
        self.closing.set()
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    @property
    def endpoint(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._ports[0]}"

    @property
    def cdn(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._ports[1]}"

    @property
    def _scheme(self) -> str:
        return "http" if self.tls is None else "https"

    def add_repo(
        self,
        id: str,  # noqa: A002 - the hub's own word
        files: Mapping[str, bytes | str | Path | Content],
        *,
        gguf: bool = True,
        gated: str = "",
        private: bool = False,
        card: str = "",
        license: str = "apache-2.0",  # noqa: A002
        tags: tuple[str, ...] = (),
        downloads: int = 0,
        likes: int = 0,
        updated: str = "2026-01-01T00:00:00.000Z",
        base_model: str = "",
        **more: Any,
    ) -> str:
        """Add a repository, or a commit to it; returns the commit. `card`: a README.md.

        `gguf` adds the tag; `more` goes into the API's answers as it is (safetensors=…, gguf=…).
        """
        marks = (("gguf",) if gguf else ()) + (f"license:{license}",)
        told = {"license": license} | ({"base_model": base_model} if base_model else {})
        repo = self.repos.setdefault(id, StoredRepo(id))
        repo.gated, repo.private, repo.tags = gated, private, (*tags, *marks)
        repo.downloads, repo.likes, repo.updated = downloads, likes, updated
        repo.card_data, repo.more = told, more
        return repo.add_commit(dict(files) | ({"README.md": card} if card else {}))

    def add_token(self, token: str, user: str = "someone", access: tuple[str, ...] = ()) -> None:
        """`access`: the gated and private repositories that it opens."""
        self.tokens[token] = user
        self._access |= {(user, repo) for repo in access}

    def revoke_token(self, token: str) -> None:
        self.tokens.pop(token, None)

    def may_read(self, user: str, repo: str) -> bool:
        return (user, repo) in self._access

    def expire_links(self) -> None:
        """The signed addresses of the CDN that were given out stop working, as after an hour."""
        self.signature = secrets.token_hex(4)

    def change_file(self, repo: str, path: str, given: bytes) -> None:
        """Another content in every commit: what must never happen, and does."""
        stored = self.repos[repo]
        for files in stored.commits.values():
            files[path] = StoredFile(path, Held(given))

    # --- what a test asks afterwards --------------------------------------------------------------

    @property
    def traffic(self) -> int:
        """Bytes of bodies sent so far."""
        with self._lock:
            return sum(seen.sent_bytes for seen in self.log)

    def requests(self, part: str = "", method: str = "") -> list[Seen]:
        with self._lock:
            return [s for s in self.log if part in s.path and method in (s.method, "")]

    def forget(self) -> None:
        """An empty log, so that what follows is counted alone."""
        with self._lock:
            self.log.clear()
            self._asked.clear()

    # --- for the handler --------------------------------------------------------------------------

    def note(self, handler: Handler, is_cdn: bool) -> Seen:
        headers = handler.headers
        range_, token = headers.get("Range", ""), headers.get("Authorization", "")
        seen = Seen(handler.command, handler.path, range_, token, dict(headers.items()), is_cdn)
        with self._lock:
            self.log.append(seen)
            self._asked[handler.path] = self._asked.get(handler.path, 0) + 1
        return seen

    def count(self, seen: Seen, n: int) -> None:
        with self._lock:
            seen.sent_bytes += n

    def takes(self, fault: str, path: str) -> Any:
        """The fault's value if it is on for `path`, else None; one of its `times` is used up."""
        faults = self.faults
        with self._lock:
            value = getattr(faults, fault)
            off = value is None or value is False or (value in ("", 0) and fault in _ZERO_IS_OFF)
            if off or faults.only not in path or faults.times == 0:
                return None
            if faults.times is not None:
                faults.times -= 1
            return value

    def link_to(self, file: StoredFile) -> str:
        self.linked[file.etag] = file
        return f"{self.cdn}/cdn/{file.etag}?Expires=3600&Signature={self.signature}"

    def as_served(self, file: StoredFile, path: str) -> tuple[StoredFile, str]:
        """What is really sent: the file and its ETag, or what `change_after` and `flip_at` do."""
        change = self.faults.change_after
        if change is not None and self._asked.get(path, 0) > change and self.faults.only in path:
            return replace(file, content=_Turned(file.content, None)), "0" * 64
        if self.faults.flip_at is not None and (at := self.takes("flip_at", path)) is not None:
            return replace(file, content=_Turned(file.content, at)), file.etag
        return file, file.etag


_ZERO_IS_OFF = ("wrong_offset", "short_by", "redirect_to", "retry_after")


@dataclass(frozen=True)
class _Turned:
    """Another's content with the lowest bit turned: of the byte at `at`, or of all."""

    inner: Content
    at: int | None

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def sha256(self) -> str:
        return self.inner.sha256

    def read(self, offset: int, n: int) -> bytes:
        data = bytearray(self.inner.read(offset, n))
        if self.at is None:
            return bytes(byte ^ 1 for byte in data)
        if offset <= self.at < offset + len(data):
            data[self.at - offset] ^= 1
        return bytes(data)


def main(paths: list[str]) -> None:
    with FakeHub() as hub:
        if "--latency-ms" in paths:
            at = paths.index("--latency-ms")
            hub.faults.latency_ms, hub.faults.bytes_per_s = (
                float(paths[at + 1]),
                float(paths[at + 2]),
            )
            del paths[at : at + 3]
        hub.add_repo("bench/files", {Path(path).name: Path(path) for path in paths})
        sys.stdout.write(hub.endpoint + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
