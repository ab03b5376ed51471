"""Asking a hub: search, a repository's files at a pinned commit, its card, a file's header.

Every question is one request with a time limit and no retries; what goes wrong comes out as a
`HubError`. Nothing here may run on the window's thread. huggingface_hub takes a third of a second
to import, so it is imported with the first question. Downloads are not made here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from app import paths
from app.core.settings import HUB_ENDPOINTS, Settings, hub_endpoints
from app.hub import token as tokens
from app.hub.errors import NoSuchFileError, NotFoundError, OfflineError
from app.hub.reference import parse_reference
from app.hub.repo import RemoteFile, RemoteVariant, Repo, RepoSummary

if TYPE_CHECKING:
    from app.hub.connection import Connection
    from quantize.gguf_header import GgufHeader

_Answer = TypeVar("_Answer")
Sort = Literal["downloads", "likes", "recent"]
_SORT_KEYS: dict[Sort, str] = {
    "downloads": "downloads",
    "likes": "likes",
    "recent": "lastModified",
}
_EXPANDED = ("downloads", "likes", "lastModified", "gated", "tags", "gguf", "safetensors")
_CARD_NAME = "README.md"
_MAX_CARD_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some results. `next_page`: what to ask for the following ones with, "" at the end."""

    results: tuple[RepoSummary, ...]
    next_page: str = ""


class Hub:
    """A hub, and its mirrors where it does not answer. Nothing is read or sent before a question.

    `endpoint` None: those in the settings, else $HF_ENDPOINT, else huggingface.co. `token` None:
    the one of this user (`app.hub.token`), "" for none; it goes to the first hub alone.
    """

    def __init__(
        self, endpoint: str | None = None, token: str | None = None, timeout_s: float = 20.0
    ) -> None:
        self._endpoint = endpoint
        self._token = token
        self._timeout_s = timeout_s

    def search(
        self,
        text: str = "",
        author: str = "",
        gguf_only: bool = True,
        sort: Sort = "downloads",
        limit: int = 50,
    ) -> tuple[RepoSummary, ...]:
        """The first `limit` models whose names hold `text`; of an address, its name.

        Raises HubError.
        """
        return self.search_page(text, author, gguf_only, sort, limit).results

    def search_page(
        self,
        text: str = "",
        author: str = "",
        gguf_only: bool = True,
        sort: Sort = "downloads",
        limit: int = 50,
    ) -> SearchPage:
        """The same with a way on: `next_page` of the answer goes into `more`. Raises HubError."""
        query: dict[str, Any] = {
            "search": _name_in(text),
            "author": author.strip(),
            "filter": "gguf" if gguf_only else "",
            "sort": _SORT_KEYS[sort],
            "limit": limit,
            "expand": list(_EXPANDED),
        }
        wanted = {key: value for key, value in query.items() if value}
        return self._ask(lambda hub: _page(hub, f"{hub.endpoint}/api/models", wanted))

    def more(self, page: SearchPage) -> SearchPage:
        """The results after `page`; none at its end. Raises HubError."""
        if not page.next_page:
            return SearchPage(())
        hubs = [hub for hub in self._hubs if page.next_page.startswith(f"{hub.endpoint}/")]
        return _page((hubs or self._hubs)[0], page.next_page, {})

    def repo(self, repo_id: str, revision: str = "main") -> Repo:
        """The repository as it is at `revision`, its commit and files. Raises HubError."""
        from app.hub.answers import repo_of

        return self._ask(lambda hub: repo_of(hub.model_info(repo_id, revision), hub))

    def card(self, repo_id: str, commit: str) -> str:
        """Its README in Markdown, unsafe as it came; "" without one. Raises HubError.

        What exceeds half a megabyte is left out.
        """
        try:
            data = self._ask(
                lambda hub: hub.first_bytes(repo_id, commit, _CARD_NAME, _MAX_CARD_BYTES)
            )
        except NoSuchFileError:
            return ""
        return data.decode("utf-8", "replace")

    def header(self, file: RemoteFile) -> GgufHeader:
        """What the GGUF `file` says of itself, from its first bytes. Raises HubError, GgufError.

        Kept in the cache folder: a second look needs no network.
        """
        from app.hub.header import read_remote_header

        return self._ask(lambda hub: read_remote_header(file, hub))

    def model_header(self, variant: RemoteVariant) -> GgufHeader:
        """The header of the whole model: with the tensors of all parts of a split one.

        Raises HubError, GgufError.
        """
        from quantize.gguf_split import join_parts

        return join_parts([self.header(file) for file in variant.files])

    def whoami(self) -> str:
        """The account that the token belongs to, "" without a token.

        Raises AccessError for a token that is not accepted, other HubErrors.
        """
        return self._hubs[0].whoami()

    def _ask(self, question: Callable[[Connection], _Answer]) -> _Answer:
        """The first answer of a hub that can be reached; what the first said, where none can."""
        first: OfflineError | None = None
        for hub in self._hubs:
            try:
                return question(hub)
            except OfflineError as error:
                first = first or error
        raise first or AssertionError("there is always a hub")

    @cached_property
    def _hubs(self) -> list[Connection]:
        from app.hub.connection import Connection

        token = tokens.get_token() if self._token is None else self._token
        endpoints = (self._endpoint,) if self._endpoint else _endpoints_in_settings() or (None,)
        return [
            Connection(endpoint, "" if number else token, self._timeout_s)
            for number, endpoint in enumerate(endpoints)
        ]


def _name_in(text: str) -> str:
    """The name to search for; of an address or a reference, that of its repository."""
    try:
        return parse_reference(text).repo
    except NotFoundError:
        return text.strip()


def _endpoints_in_settings() -> tuple[str, ...]:
    chosen = Settings(paths.settings_file())
    return hub_endpoints(chosen.get(HUB_ENDPOINTS))


def _page(hub: Connection, url: str, query: dict[str, Any]) -> SearchPage:
    from app.hub.answers import summaries_of

    answer, next_url = hub.get_json(url, query)
    return SearchPage(summaries_of(answer, hub), next_url)
