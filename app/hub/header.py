"""The header of a GGUF on the hub, from its first bytes: so its needs are known before it is here.

The header's length is not known before it is read, so it comes in a few ranges, each some MB, until
it is whole; a 40 GB file costs some 8 MB. What was read is kept in the cache folder
(`headercache`), from where its arrays are read too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub import headercache
from app.hub.connection import Connection
from app.hub.errors import AccessError, NotFoundError, OfflineError, TransferError
from app.hub.repo import RemoteFile
from quantize.gguf_errors import HEAD_BYTES
from quantize.gguf_header import GgufHeader, read_header_from
from quantize.gguf_reader import Reader
from quantize.gguf_split import SPLIT_NAME

_FIRST_BYTES = 1024**2
_LATER_PART_BYTES = 256 * 1024  # the vocabulary is in the first part alone
_NEXT_BYTES = 2 * 1024**2
# The longest headers known have some 15 MB: near their end, less is read in vain.
_LONG_BYTES = 10 * 1024**2
_LAST_BYTES = 512 * 1024
_MAX_BYTES = 32 * 1024**2
# A server that sends whole files only is listened to for as long as this.
_MAX_UNASKED_BYTES = 15 * 1024**2
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class HeldSource:
    """The first bytes of a file of `size_bytes`, in memory: where there is no room in the cache."""

    path: Path
    size_bytes: int
    data: bytes

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        yield Reader(io.BytesIO(self.data), self.path, self.size_bytes)


def read_remote_header(file: RemoteFile, connection: Connection) -> GgufHeader:
    """Raises HubError, GgufError."""
    kept = headercache.read(file)
    if kept is not None:
        return kept
    source = _RemoteSource(file, connection)
    header = read_header_from(source)
    data = source.first_bytes(max(header.data_offset, HEAD_BYTES))
    return headercache.keep(file, data) or read_header_from(
        HeldSource(source.path, file.size_bytes, data)
    )


class _RemoteSource:
    """Read once, from the first byte on; the bytes of all ranges so far are held together."""

    def __init__(self, file: RemoteFile, connection: Connection) -> None:
        self.path = Path(PurePosixPath(file.path).name)
        self._file = file
        self._connection = connection
        self._home = connection.file_url(file.repo, file.commit, file.path)
        self._url = self._home
        part = SPLIT_NAME.search(file.path)
        self._first_bytes = _LATER_PART_BYTES if part and int(part[1]) > 1 else _FIRST_BYTES
        self._data = bytearray()
        self._at = 0

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        yield Reader(self, self.path, self._file.size_bytes)

    def first_bytes(self, n_bytes: int) -> bytes:
        return bytes(self._data[:n_bytes])

    def seek(self, offset: int, /) -> None:
        self._at = offset

    def read(self, n_bytes: int, /) -> bytes:
        end = min(self._at + n_bytes, self._file.size_bytes)
        while len(self._data) < end:
            self._fetch(end - len(self._data))
        data = bytes(self._data[self._at : end])
        self._at = max(self._at, end)
        return data

    def _fetch(self, at_least: int) -> None:
        """One more range, or a part of it. Raises HubError where nothing came."""
        start = len(self._data)
        if start >= _MAX_BYTES:
            raise self._wrong_part(f"a header of more than {start} bytes")
        read_ahead = _read_ahead(start) if start else self._first_bytes
        n_bytes = min(max(at_least, read_ahead), self._file.size_bytes - start)
        try:
            self._fetch_range(start, n_bytes)
        except (AccessError, NotFoundError):
            if self._url == self._home:
                raise
            self._url = self._home  # a signed address has run out; the hub makes a new one
        except OfflineError:
            if len(self._data) == start:
                raise
        else:
            if len(self._data) == start:
                raise self._wrong_part("an empty answer")

    def _fetch_range(self, start: int, n_bytes: int) -> None:
        file = self._file
        with self._connection.stream(self._url, file.repo, file.path, start, n_bytes) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise self._wrong_part("an encoded body")
            if response.status_code == 206:
                self._check_range(response.headers.get("Content-Range", ""), start)
                self._url = str(response.url)
            else:
                self._check_length(response.headers.get("Content-Length", ""), start)
                n_bytes = min(file.size_bytes, _MAX_UNASKED_BYTES)
                self._data.clear()  # the whole file comes, from its first byte on
            end = start + n_bytes if response.status_code == 206 else n_bytes
            for chunk in response.iter_raw():
                self._data += chunk[: end - len(self._data)]
                if len(self._data) >= end:
                    break

    def _check_range(self, content_range: str, start: int) -> None:
        found = _CONTENT_RANGE.fullmatch(content_range)
        if not found or int(found[1]) != start:
            raise self._wrong_part(f"asked from {start} on, got {content_range!r}")
        if found[3] not in ("*", str(self._file.size_bytes)):
            raise self._changed(f"{self._file.size_bytes} bytes expected: {content_range}")

    def _check_length(self, length: str, start: int) -> None:
        if length.isdigit() and int(length) != self._file.size_bytes:
            raise self._changed(f"{self._file.size_bytes} bytes expected, {length} there")
        if start >= _MAX_UNASKED_BYTES:
            raise self._wrong_part("only whole files")

    def _wrong_part(self, detail: str) -> TransferError:
        text = QT_TRANSLATE_NOOP("hub", "The server did not give the part of {name} asked for.")
        return TransferError(text.fill(name=self.path.name), _NOT_KNOWN, detail)

    def _changed(self, detail: str) -> TransferError:
        text = QT_TRANSLATE_NOOP("hub", "{name} on the server is not the file that the hub lists.")
        return TransferError(text.fill(name=self.path.name), _LOOK_AGAIN, detail)


def _read_ahead(start: int) -> int:
    return _NEXT_BYTES if start < _LONG_BYTES else _LAST_BYTES


_NOT_KNOWN = QT_TRANSLATE_NOOP("hub", "What it needs will be known once it has been downloaded.")
_LOOK_AGAIN = QT_TRANSLATE_NOOP("hub", "Look at the list of files again.")
