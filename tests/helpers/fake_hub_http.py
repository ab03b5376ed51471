"""The fake hub's HTTP: routes, errors as the real hub words them, ranges, bodies gone wrong."""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.helpers.fake_hub_content import OnDisk
from tests.helpers.fake_hub_repos import StoredFile, StoredRepo, as_json, select

if TYPE_CHECKING:
    from tests.helpers.fake_hub import FakeHub, Listener

_NAME = r"(?P<repo>[^/]+/[^/]+)"
_ROUTES = (
    ("whoami", re.compile(r"^/api/whoami-v2$")),
    ("search", re.compile(r"^/api/models$")),
    ("tree", re.compile(rf"^/api/models/{_NAME}/tree/(?P<rev>[^/]+)(?:/(?P<path>.+))?$")),
    ("paths_info", re.compile(rf"^/api/models/{_NAME}/paths-info/(?P<rev>[^/]+)$")),
    ("info", re.compile(rf"^/api/models/{_NAME}(?:/revision/(?P<rev>[^/]+))?$")),
    ("cached", re.compile(rf"^/api/resolve-cache/models/{_NAME}/(?P<rev>[^/]+)/(?P<path>.+)$")),
    ("resolve", re.compile(rf"^/{_NAME}/(?:resolve|raw)/(?P<rev>[^/]+)/(?P<path>.+)$")),
    ("cdn", re.compile(r"^/cdn/(?P<etag>[0-9a-f]+)$")),
)
_PIECE = 1 << 18


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Listener

    @property
    def hub(self) -> FakeHub:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.seen.status = int(code)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        self.seen = self.hub.note(self, is_cdn=self.server.is_cdn)
        with suppress(BrokenPipeError, ConnectionResetError, TimeoutError, ValueError):
            self._answer(unquote(parts.path))

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server's names

    def _answer(self, path: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.form = parse_qs(self.rfile.read(length).decode()) if length else {}
        self.hub.closing.wait(self.hub.faults.latency_ms / 1000)
        if self.hub.closing.is_set():
            self.close_connection = True
            return
        if self._goes_wrong():
            return
        for name, pattern in _ROUTES:
            if (found := pattern.match(path)) and (name == "cdn") == self.server.is_cdn:
                getattr(self, f"_{name}")(**found.groupdict())
                return
        self.say(404, b"Not Found")

    def _goes_wrong(self) -> bool:
        """Faults that take the place of the whole answer."""
        faults, here = self.hub.faults, self.path
        if self.hub.takes("hang", here):
            self.hub.closing.wait()
            self.close_connection = True
        elif self.hub.takes("redirect_loop", here):
            n = int(self.query.get("n", ["0"])[0]) + 1
            self.say(302, headers={"Location": f"{urlsplit(here).path}?n={n}"})
        elif target := self.hub.takes("redirect_to", here):
            self.say(302, headers={"Location": target})
        elif status := self.hub.takes("status", here):
            headers = {"Retry-After": faults.retry_after} if faults.retry_after else {}
            self.say(status, b'{"error":"made up"}', headers)
        elif here.startswith("/api/") and self.hub.takes("garbage", here):
            self.say(200, b"<html>Sign in to this network</html>")
        else:
            return False
        return True

    # --- the API ----------------------------------------------------------------------------------

    def _whoami(self) -> None:
        if (user := self._user()) is None:
            self.fail(401, "", "Invalid username or password.")
        elif user:
            self.json({"type": "user", "name": user, "id": "0", "auth": {"type": "access_token"}})

    def _search(self) -> None:
        if self._user() == "":
            return
        limit = min(int(self.query.get("limit", ["1000"])[0]), self.hub.page_size)
        start = int(self.query.get("cursor", ["0"])[0])
        found = select(list(self.hub.repos.values()), self.query)
        headers = {}
        if start + limit < len(found):
            asked = self.query | {"cursor": [str(start + limit)]}
            headers["Link"] = (
                f'<{self.hub.endpoint}/api/models?{urlencode(asked, doseq=True)}>; rel="next"'
            )
        self.json([repo.summary() for repo in found[start : start + limit]], headers)

    def _info(self, repo: str, rev: str | None) -> None:
        if found := self._find(repo, rev or "main", needs_access=False):
            self.json(found[0].info(found[1], blobs="blobs" in self.query))

    def _tree(self, repo: str, rev: str, path: str | None) -> None:
        if found := self._find(repo, rev, needs_access=False):
            recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
            self.json(found[0].tree(found[1], path or "", recursive))

    def _paths_info(self, repo: str, rev: str) -> None:
        if found := self._find(repo, rev, needs_access=False):
            files = found[0].commits[found[1]]
            self.json([files[path].entry() for path in self.form["paths"] if path in files])

    # --- files ------------------------------------------------------------------------------------

    def _resolve(self, repo: str, rev: str, path: str) -> None:
        if not (found := self._find(repo, rev)):
            return
        stored, commit = found
        file = stored.commits[commit].get(path)
        if file is None:
            self.fail(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
        elif file.is_lfs and self.hub.uses_cdn:
            size = str(file.content.size)
            linked = {"X-Linked-Size": size, "X-Linked-ETag": f'"{file.etag}"'}
            location = self.hub.link_to(file)
            self.say(302, headers={"X-Repo-Commit": commit, "Location": location} | linked)
        elif file.is_lfs:
            self._send(file, {"X-Repo-Commit": commit, "X-Linked-ETag": f'"{file.etag}"'})
        else:
            cached = f"/api/resolve-cache/models/{repo}/{commit}/{quote(path)}"
            self.say(307, headers={"X-Repo-Commit": commit, "Location": cached})

    def _cached(self, repo: str, rev: str, path: str) -> None:
        if found := self._find(repo, rev):
            self._send(found[0].commits[found[1]][path], {"X-Repo-Commit": found[1]})

    def _cdn(self, etag: str) -> None:
        file = self.hub.linked.get(etag)
        if file is None:
            self.say(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.query.get("Signature", [""])[0] != self.hub.signature:
            self.say(403, b"<Error><Code>AccessDenied</Code><Message>Expired</Message></Error>")
        else:
            self._send(file, {})

    def _find(
        self, repo: str, revision: str, needs_access: bool = True
    ) -> tuple[StoredRepo, str] | None:
        """The repository and commit asked for; None after having said why not."""
        user = self._user()
        if user == "":
            return None
        stored = self.hub.repos.get(repo)
        access = user is not None and self.hub.may_read(user, repo)
        if stored is None or (stored.private and not access):
            code = 404 if user else 401
            text = "Repository not found" if user else "Invalid username or password."
            self.fail(code, "RepoNotFound", text)
        elif (commit := stored.commit_of(revision)) is None:
            self.fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif needs_access and stored.gated and not access:
            self._refuse_gated(repo, user)
        else:
            return stored, commit
        return None

    def _refuse_gated(self, repo: str, user: str | None) -> None:
        text = f"Access to model {repo} is restricted"
        if user is None:
            text += ". You must have access to it and be authenticated to access it."
            self.fail(401, "GatedRepo", text + " Please log in.")
        else:
            text += " and you are not in the authorized list. Visit the page to ask for access."
            self.fail(403, "GatedRepo", text)

    def _user(self) -> str | None:
        """Whose token was sent; None without one, "" after having refused a wrong one."""
        given = self.headers.get("Authorization")
        if given is None:
            return None
        if user := self.hub.tokens.get(given.removeprefix("Bearer ")):
            return user
        self.fail(401, "", "Invalid credentials in Authorization header")
        return ""

    # --- answers ----------------------------------------------------------------------------------

    def json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        self.say(200, as_json(value), {"Content-Type": "application/json"} | (headers or {}))

    def fail(
        self, status: int, code: str, text: str, headers: dict[str, str] | None = None
    ) -> None:
        named = {"X-Error-Code": code} if code else {}
        headers = {"X-Error-Message": text, "Content-Type": "application/json"} | (headers or {})
        self.say(status, as_json({"error": text}), headers | named)

    def say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self._begin(status, {"Content-Length": str(len(body))} | (headers or {}))
        if self.command != "HEAD":
            self.wfile.write(body)
            self.hub.count(self.seen, len(body))
        self.wfile.flush()

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    # --- bodies -----------------------------------------------------------------------------------

    def _send(self, file: StoredFile, headers: dict[str, str]) -> None:
        """The file, or the range of it that was asked for, with the body faults that are set."""
        size, here = file.content.size, self.path
        file, etag = self.hub.as_served(file, here)
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"} | headers
        asked = _range(self.headers.get("Range"), size)
        if asked and (asked[0] >= size or self.hub.takes("refuse_range", here)):
            self.say(416, headers=headers | {"Content-Range": f"bytes */{size}"})
            return
        if self.command == "GET" and asked and self.hub.takes("ignore_range", here):
            asked = None
        start, end = asked or (0, size)
        if asked and self.command == "GET":
            start = min(start + (self.hub.takes("wrong_offset", here) or 0), size)
            end -= self.hub.takes("short_by", here) or 0
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        chunked = bool(self.command == "GET" and self.hub.takes("no_length", here))
        framing = (
            ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(end - start))
        )
        self._begin(206 if asked else 200, headers | dict([framing]))
        if self.command == "GET":
            self._send_body(file, start, end, chunked)
        self.wfile.flush()

    def _send_body(self, file: StoredFile, start: int, end: int, chunked: bool) -> None:
        self.wfile.flush()
        drop = self.hub.takes("drop_after", self.path)
        stall = self.hub.takes("stall_after", self.path) if drop is None else None
        stop = drop if drop is not None else stall
        until = end if stop is None else min(end, start + stop)
        if isinstance(file.content, OnDisk) and not chunked and not self.hub.faults.bytes_per_s:
            self._send_from_disk(file.content, start, until)
        else:
            self._send_pieces(file, start, until, chunked)
        if stall is not None:
            self.hub.closing.wait()
        if stop is not None:
            self.close_connection = True
            self.hang_up()
        elif self.hub.closing.is_set():
            self.close_connection = True
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send_from_disk(self, content: OnDisk, start: int, until: int) -> None:
        with content.path.open("rb") as file:
            while start < until:
                sent = os.sendfile(self.connection.fileno(), file.fileno(), start, until - start)
                self.hub.count(self.seen, sent)
                start += sent

    def _send_pieces(self, file: StoredFile, start: int, until: int, chunked: bool) -> None:
        began, sent, rate = time.monotonic(), 0, self.hub.faults.bytes_per_s
        piece = min(_PIECE, max(1024, int(rate / 50))) if rate else _PIECE
        while start < until and not self.hub.closing.is_set():
            data = file.content.read(start, min(piece, until - start))
            framed = b"%x\r\n%b\r\n" % (len(data), data) if chunked else data
            self.connection.sendall(framed)
            self.hub.count(self.seen, len(data))
            start, sent = start + len(data), sent + len(data)
            if rate:
                self.hub.closing.wait(max(0.0, began + sent / rate - time.monotonic()))

    def hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, end) of "bytes=a-b", "bytes=a-" or "bytes=-n"; None for anything else."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if not found or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
