"""Every way that asking a hub can fail, in one sentence each: `hub_error` is the only translator.

Knows the exceptions of httpx2 and huggingface_hub; callers see `HubError`s alone.
"""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass

import httpx2
from huggingface_hub import errors as hf

from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.hub.errors import AccessError, HubError, NoSuchFileError, NotFoundError, OfflineError

_NO_WAY = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, 10051, 10065}
)
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_*
_DETAIL_CHARS = 500

_CHECK_NETWORK = QT_TRANSLATE_NOOP("hub", "Check the internet connection, then try again.")
_LATER = QT_TRANSLATE_NOOP("hub", "Nothing is lost. Try again in a few minutes.")
_NEW_TOKEN = QT_TRANSLATE_NOOP(
    "hub",
    "Make a new one at {host}/settings/tokens and put it into Settings, or remove this one.",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of whom. `had_token`: whether the question carried one."""

    endpoint: str
    repo: str = ""
    path: str = ""
    had_token: bool = False

    @property
    def host(self) -> str:
        return self.endpoint.partition("://")[2].partition("/")[0] or self.endpoint


def offline(detail: str = "") -> OfflineError:
    return OfflineError(
        QT_TRANSLATE_NOOP("hub", "You are offline. Everything on this computer still works."),
        QT_TRANSLATE_NOOP("hub", "Connect to the internet to search and download."),
        detail,
    )


def hub_error(error: Exception, asked: Asked) -> HubError:
    """The HubError for what httpx2, huggingface_hub or the reading of an answer raised.

    Not for bugs: wrap the asking and the parsing of what a stranger said, nothing else.
    """
    if isinstance(error, HubError):
        return error
    if isinstance(error, (hf.HfHubHTTPError, httpx2.HTTPStatusError)):
        return _status_error(error, error.response, asked)
    if isinstance(error, hf.HFValidationError):
        return _no_such_name(asked, error)
    if isinstance(error, httpx2.TimeoutException):
        return _timeout(asked, error)
    if isinstance(error, httpx2.TransportError):
        return _no_connection(asked, error)
    if isinstance(error, httpx2.TooManyRedirects):
        text = QT_TRANSLATE_NOOP("hub", "{host} leads around in a circle.")
        return HubError(text.fill(host=asked.host), _LATER, _said(error))
    if isinstance(error, (httpx2.InvalidURL, UnicodeError)):
        return bad_address(asked, _said(error))
    return nonsense(asked, _said(error))


def nonsense(asked: Asked, detail: str) -> HubError:
    """The answer is not what a hub says: a captive portal's page, a proxy's, a broken mirror's."""
    return HubError(
        QT_TRANSLATE_NOOP("hub", "{host} gave an answer that makes no sense.").fill(
            host=asked.host
        ),
        QT_TRANSLATE_NOOP(
            "hub", "If this network asks you to sign in, do that in your browser. Then try again."
        ),
        detail[:_DETAIL_CHARS],
    )


def _no_connection(asked: Asked, error: httpx2.TransportError) -> HubError:
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _tls_error(asked, cause)
    if any(_is_no_network(cause) for cause in causes):
        return offline(_said(error))
    if isinstance(error, httpx2.UnsupportedProtocol):
        return bad_address(asked, _said(error))
    if isinstance(error, httpx2.ProxyError):
        text = QT_TRANSLATE_NOOP("hub", "The proxy that this computer is set to use failed.")
        hint = QT_TRANSLATE_NOOP(
            "hub", "Look at the proxy in the system's settings, or HTTPS_PROXY."
        )
        return OfflineError(text, hint, _said(error))
    text = QT_TRANSLATE_NOOP("hub", "The connection to {host} failed.")
    return OfflineError(text.fill(host=asked.host), _CHECK_NETWORK, _said(error))


def _is_no_network(cause: BaseException) -> bool:
    if isinstance(cause, socket.gaierror):
        return True
    return isinstance(cause, OSError) and cause.errno in _NO_WAY


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _tls_error(asked: Asked, error: ssl.SSLError) -> HubError:
    code = getattr(error, "verify_code", 0)
    words = str(error).lower()
    if code in (_NOT_YET_VALID, _EXPIRED) or "not yet valid" in words or "expired" in words:
        text = QT_TRANSLATE_NOOP("hub", "The certificate of {host} is not valid at this time.")
        hint = QT_TRANSLATE_NOOP(
            "hub", "This computer's clock may be wrong: set date and time, then try again."
        )
    else:
        text = QT_TRANSLATE_NOOP("hub", "{host} could not prove that it is what it says it is.")
        hint = QT_TRANSLATE_NOOP(
            "hub",
            "Something on this network looks into secure connections, or the address is wrong."
            " Try another network.",
        )
    return HubError(text.fill(host=asked.host), hint, _said(error))


def _timeout(asked: Asked, error: Exception) -> OfflineError:
    text = QT_TRANSLATE_NOOP("hub", "{host} did not answer in time.")
    return OfflineError(text.fill(host=asked.host), _CHECK_NETWORK, _said(error))


def bad_address(asked: Asked, detail: str) -> HubError:
    text = QT_TRANSLATE_NOOP("hub", "“{endpoint}” is not the address of a model hub.")
    hint = QT_TRANSLATE_NOOP("hub", "Look at the hub's address in Settings, or HF_ENDPOINT.")
    return HubError(text.fill(endpoint=asked.endpoint), hint, detail[:_DETAIL_CHARS])


def _status_error(error: Exception, response: httpx2.Response, asked: Asked) -> HubError:
    status = response.status_code
    if isinstance(error, hf.GatedRepoError):
        return _gated(asked, status, error)
    if status == 401 and asked.had_token:
        text = QT_TRANSLATE_NOOP("hub", "The hub no longer accepts your token.")
        return AccessError(text, _NEW_TOKEN.fill(host=asked.host), _said(error))
    if status == 404 or isinstance(error, hf.RepositoryNotFoundError):
        return _not_found(error, asked)
    if status in (401, 403, 451) or isinstance(error, hf.DisabledRepoError):
        return _forbidden(asked, error)
    if status == 429:
        return _too_many(asked, response, error)
    if status >= 500 or status == 408:
        text = QT_TRANSLATE_NOOP("hub", "{host} has trouble of its own (error {status}).")
        return HubError(text.fill(host=asked.host, status=status), _LATER, _said(error))
    return nonsense(asked, _said(error))


def _gated(asked: Asked, status: int, error: Exception) -> AccessError:
    text = QT_TRANSLATE_NOOP("hub", "The makers of {repo} ask you to accept their terms first.")
    if asked.had_token and status == 403:
        hint = QT_TRANSLATE_NOOP(
            "hub", "Open {page} in your browser, accept them, then try again here."
        )
    else:
        hint = QT_TRANSLATE_NOOP(
            "hub",
            "Accept them at {page}, make a token at {host}/settings/tokens"
            " and put it into Settings (or HF_TOKEN).",
        )
    page = f"{asked.endpoint}/{asked.repo}"
    return AccessError(
        text.fill(repo=asked.repo), hint.fill(page=page, host=asked.host), _said(error)
    )


def _forbidden(asked: Asked, error: Exception) -> AccessError:
    text = QT_TRANSLATE_NOOP("hub", "{host} does not let you have this.")
    if asked.had_token:
        hint = QT_TRANSLATE_NOOP(
            "hub", "Your token may lack the permission to read this repository."
        )
    else:
        hint = QT_TRANSLATE_NOOP("hub", "It may need a token: put one into Settings (or HF_TOKEN).")
    return AccessError(text.fill(host=asked.host), hint, _said(error))


def _not_found(error: Exception, asked: Asked) -> NotFoundError:
    if isinstance(error, hf.RemoteEntryNotFoundError) and asked.path:
        text = QT_TRANSLATE_NOOP("hub", "{repo} has no file {path}.")
        hint = QT_TRANSLATE_NOOP("hub", "Its makers may have renamed it. Look at the list again.")
        return NoSuchFileError(text.fill(repo=asked.repo, path=asked.path), hint, _said(error))
    if isinstance(error, hf.RevisionNotFoundError):
        text = QT_TRANSLATE_NOOP("hub", "This version of {repo} is no longer there.")
        hint = QT_TRANSLATE_NOOP("hub", "Look at its list of files again.")
        return NotFoundError(text.fill(repo=asked.repo), hint, _said(error))
    return _no_such_name(asked, error)


def _no_such_name(asked: Asked, error: Exception) -> NotFoundError:
    text = QT_TRANSLATE_NOOP("hub", "There is no model “{repo}”, or it is private.")
    hint = QT_TRANSLATE_NOOP(
        "hub", "Names look like “maker/model”. Check the spelling, or search for it."
    )
    return NotFoundError(text.fill(repo=asked.repo or asked.host), hint, _said(error))


def _too_many(asked: Asked, response: httpx2.Response, error: Exception) -> HubError:
    text = QT_TRANSLATE_NOOP("hub", "{host} asks for a break: too many questions in a short time.")
    seconds = retry_after_s(response)
    hint: Message = _LATER
    if seconds:
        hint = QT_TRANSLATE_NOOP("hub", "Try again in {seconds} seconds.").fill(seconds=seconds)
    return HubError(text.fill(host=asked.host), hint, _said(error))


def retry_after_s(response: httpx2.Response) -> int:
    """The pause that the hub asks for, in seconds and at most an hour; 0 where it names none."""
    said = response.headers.get("Retry-After", "").strip()
    return min(int(said), 3600) if said.isascii() and said.isdigit() else 0


def _said(error: BaseException) -> str:
    """For the details; an answer's body may be a book, and a URL may carry a signature."""
    words = " ".join(str(error).split("?", 1)[0].split())
    return f"{type(error).__name__}: {words}"[:_DETAIL_CHARS]
