"""One hub with one token: requests out, bytes and JSON back, and nothing but HubErrors raised.

Knows addresses and headers; what answers mean is read in `answers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx2
from huggingface_hub import HfApi, ModelInfo, hf_raise_for_status
from huggingface_hub.errors import HFValidationError

from app.hub import web
from app.hub.trouble import Asked, bad_address, hub_error, nonsense

_ENDPOINT = re.compile(r"https?://[^\s/?#@\[\]]+(?:/[^\s?#]*)?|https?://\[[0-9a-f:.]+\](?::\d+)?")
_NAMED = {"user-agent": "nibble"}  # and nothing about this computer


class Connection:
    """Nothing is sent before a question. Raises HubError for an address that cannot be one."""

    def __init__(self, endpoint: str | None, token: str, timeout_s: float) -> None:
        self._token = token
        self._timeout_s = timeout_s
        self.endpoint = web.endpoint_of(endpoint)
        if not _ENDPOINT.fullmatch(self.endpoint):
            raise bad_address(self.asked(), "http:// or https:// and a host expected")
        # False, not None: None would make it look for the token of `hf auth login`.
        self._api = HfApi(self.endpoint, token=token or False, headers=dict(_NAMED))
        web.session()

    def asked(self, repo: str = "", path: str = "") -> Asked:
        return Asked(self.endpoint, repo, path, had_token=bool(self._token))

    def model_info(self, repo_id: str, revision: str) -> ModelInfo:
        """Raises HubError."""
        with self._asking(self.asked(repo_id), *_MISSHAPEN):
            return self._api.model_info(
                repo_id, revision=revision, timeout=self._timeout_s, files_metadata=True
            )

    def whoami(self) -> str:
        """Raises HubError."""
        if not self._token:
            return ""
        answer, _ = self.get_json(f"{self.endpoint}/api/whoami-v2", {})
        name = answer.get("name") if isinstance(answer, dict) else None
        if not isinstance(name, str):
            raise nonsense(self.asked(), "an account without a name")
        return name

    def get_json(self, url: str, query: dict[str, Any]) -> tuple[Any, str]:
        """The answer, and the address of the next page or "". Raises HubError."""
        if not url.startswith(f"{self.endpoint}/"):  # a next page elsewhere would get the token
            raise nonsense(self.asked(), f"a page at {url}")
        with self._asking(self.asked(), *_MISSHAPEN):
            response = web.session().get(
                url, params=query or None, headers=self._headers(), timeout=self._timeout_s
            )
            _raise_for_status(response)
            return response.json(), response.links.get("next", {}).get("url", "")

    def first_bytes(self, repo: str, commit: str, path: str, max_bytes: int) -> bytes:
        """At most `max_bytes` from the beginning of a file. Raises HubError."""
        data = b""
        with self.stream(self.file_url(repo, commit, path), repo, path) as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) >= max_bytes:
                    break
        return data[:max_bytes]

    def file_url(self, repo: str, commit: str, path: str) -> str:
        return f"{self.endpoint}/{quote(repo)}/resolve/{quote(commit, safe='')}/{quote(path)}"

    @contextmanager
    def stream(
        self, url: str, repo: str, path: str, start: int = 0, n_bytes: int = 0
    ) -> Iterator[httpx2.Response]:
        """A file's answer, its body not yet read; `n_bytes` 0: all of it. Raises HubError.

        Redirects are followed; the token is not sent to other hosts.
        """
        headers = self._headers() if url.startswith(f"{self.endpoint}/") else {}
        headers["Accept-Encoding"] = "identity"
        if n_bytes:
            headers["Range"] = f"bytes={start}-{start + n_bytes - 1}"
        with self._asking(self.asked(repo, path)):
            client = web.session()
            with client.stream("GET", url, headers=headers, timeout=self._timeout_s) as response:
                _raise_for_status(response)
                yield response

    def _headers(self) -> dict[str, str]:
        token = {"authorization": f"Bearer {self._token}"} if self._token else {}
        return {**_NAMED, **token}

    @contextmanager
    def _asking(self, asked: Asked, *also: type[Exception]) -> Iterator[None]:
        """`also`: what the reading of an answer may raise where that is not as it should be."""
        try:
            yield
        except (*_FROM_THE_ROAD, *also) as error:
            raise hub_error(error, asked) from error


_FROM_THE_ROAD: tuple[type[Exception], ...] = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    HFValidationError,
)
_MISSHAPEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
_MAX_ERROR_BYTES = 64 * 1024


def _raise_for_status(response: httpx2.Response) -> None:
    """Reads an error's body first, unless it is a book: the hub says there what is wrong."""
    if response.status_code < 400:
        return
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length) <= _MAX_ERROR_BYTES:
        response.read()
    try:
        hf_raise_for_status(response)
    except (*_MISSHAPEN, httpx2.StreamError) as error:
        if isinstance(error, httpx2.HTTPError):
            raise
        response.raise_for_status()  # huggingface_hub stumbled over a misshapen or unread body
