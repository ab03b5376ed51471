"""All that can go wrong between here and the hub: one plain sentence each, and no retries."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx2
import huggingface_hub
import pytest

from app.hub import trouble, web
from app.hub.client import Hub
from app.hub.errors import AccessError, HubError, NotFoundError, OfflineError
from app.hub.repo import RemoteFile
from app.hub.trouble import Asked, hub_error
from tests.helpers.fake_hub import FakeHub
from tests.helpers.fake_hub_tls import server_context
from tests.helpers.gguf_files import valid_model

TOKEN = "hf_secret"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.add_repo("a/m", {"m-Q4_0.gguf": valid_model(tmp_path / "m.gguf")}, card="# hi")
        yield hub


def _questions(hub: Hub, commit: str) -> list[Callable[[], object]]:
    file = RemoteFile("a/m", commit, "m-Q4_0.gguf", 10**6)
    return [
        hub.search,
        lambda: hub.repo("a/m"),
        lambda: hub.card("a/m", commit),
        lambda: hub.header(file),
        hub.whoami,
    ]


def refusals(fake: FakeHub, token: str = TOKEN, timeout_s: float = 5) -> list[HubError]:
    """What each kind of question fails with."""
    commit = fake.repos["a/m"].refs["main"]
    errors = []
    for ask in _questions(Hub(fake.endpoint, token=token, timeout_s=timeout_s), commit):
        with pytest.raises(HubError) as caught:
            ask()
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, AccessError, "The hub no longer accepts your token."),
        (403, AccessError, "does not let you have this."),
        (404, NotFoundError, "There is no model"),
        (429, HubError, "asks for a break: too many questions in a short time."),
        (500, HubError, "has trouble of its own (error 500)."),
        (503, HubError, "has trouble of its own (error 503)."),
        (418, HubError, "gave an answer that makes no sense."),
    ],
)
def test_what_the_hub_says_no_with(
    fake: FakeHub, status: int, kind: type[HubError], words: str
) -> None:
    fake.add_token(TOKEN)
    fake.faults.status = status
    errors = refusals(fake)
    assert len(fake.log) == len(errors), "it was asked again"
    for error in errors:
        assert isinstance(error, kind)
        assert words in str(error)
        assert error.hint
        assert TOKEN not in error.detail


def test_a_pause_that_the_hub_asks_for(fake: FakeHub) -> None:
    fake.faults.status, fake.faults.retry_after = 429, "120"
    assert {str(error.hint) for error in refusals(fake)} == {"Try again in 120 seconds."}
    fake.faults.retry_after = "Wed, 21 Oct 2099 07:28:00 GMT"
    assert "in a few minutes" in str(refusals(fake)[0].hint)


def test_a_revoked_token(fake: FakeHub) -> None:
    fake.add_token(TOKEN)
    assert Hub(fake.endpoint, token=TOKEN).search()
    fake.revoke_token(TOKEN)
    for error in refusals(fake):
        assert isinstance(error, AccessError)
        assert str(error) == "The hub no longer accepts your token."
        assert "/settings/tokens" in str(error.hint)


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ("", "make a token at"),
        (TOKEN, "Open {page} in your browser, accept them, then try again here."),
    ],
)
def test_a_gated_model(fake: FakeHub, tmp_path: Path, token: str, hint: str) -> None:
    fake.add_token(TOKEN)
    fake.add_repo("a/gated", {"m-Q4_0.gguf": tmp_path / "m.gguf"}, gated="manual")
    hub = Hub(fake.endpoint, token=token)
    repo = hub.repo("a/gated")
    assert repo.summary.gated == "manual"
    with pytest.raises(AccessError) as caught:
        hub.header(repo.files[0])
    assert str(caught.value) == "The makers of a/gated ask you to accept their terms first."
    assert hint.format(page=f"{fake.endpoint}/a/gated") in str(caught.value.hint)


def test_a_private_model_looks_like_none(fake: FakeHub) -> None:
    fake.add_token(TOKEN)
    fake.add_repo("a/private", {}, private=True)
    for token in ("", TOKEN):
        with pytest.raises(NotFoundError, match="or it is private"):
            Hub(fake.endpoint, token=token).repo("a/private")


def test_a_page_instead_of_an_answer(fake: FakeHub) -> None:
    """A hotel's network answers everything with its own page."""
    fake.add_token(TOKEN)
    fake.faults.garbage = True
    hub = Hub(fake.endpoint, token=TOKEN)
    for ask in (hub.search, lambda: hub.repo("a/m"), hub.whoami):
        with pytest.raises(HubError, match="gave an answer that makes no sense") as caught:
            ask()
        assert "sign in" in str(caught.value.hint)


def test_redirects_in_a_circle(fake: FakeHub) -> None:
    fake.faults.redirect_loop = True
    for error in refusals(fake):
        assert "leads around in a circle" in str(error)
    assert len(fake.log) <= 5 * 6


def test_a_hub_that_never_answers(fake: FakeHub) -> None:
    fake.faults.hang = True
    for error in refusals(fake, timeout_s=0.2):
        assert isinstance(error, OfflineError)
        assert "did not answer in time" in str(error)
    assert len(fake.log) == 5


def test_nobody_there(fake: FakeHub) -> None:
    fake.go_offline()
    for error in refusals(fake):
        assert isinstance(error, OfflineError)
        assert str(error) == f"The connection to {fake.endpoint[7:]} failed."


def test_no_network_at_all(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a computer without a network has it: no name can be looked up."""

    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    with pytest.raises(OfflineError) as caught:
        Hub("https://hub.invalid", token="").search()
    assert str(caught.value) == "You are offline. Everything on this computer still works."


def test_an_address_that_is_none() -> None:
    for endpoint in ("nonsense", "ftp://a.example", "http://[", "https://"):
        with pytest.raises(HubError) as caught:
            Hub(endpoint, token="").search()
        assert str(caught.value) == f"“{endpoint.rstrip('/')}” is not the address of a model hub."


def test_told_to_stay_offline(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for error in refusals(fake):
        assert isinstance(error, OfflineError)
        assert "HF_HUB_OFFLINE" in str(error)
    assert not fake.log


# Secure connections


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[FakeHub, Path]]:
    context, pem = server_context(tmp_path)
    with FakeHub(context) as hub:
        hub.add_repo("a/m", {})
        yield hub, pem


@pytest.fixture
def trusting(secure: tuple[FakeHub, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The fake hub with its certificate among the system's."""

    monkeypatch.setenv("SSL_CERT_FILE", str(secure[1]))
    huggingface_hub.close_session()
    yield secure[0]
    huggingface_hub.close_session()


def test_a_certificate_that_nobody_vouches_for(secure: tuple[FakeHub, Path]) -> None:
    with pytest.raises(HubError) as caught:
        Hub(secure[0].endpoint, token="").search()
    assert "could not prove that it is what it says it is" in str(caught.value)
    assert not isinstance(caught.value, OfflineError)


def test_the_certificates_of_the_system_are_respected(trusting: FakeHub) -> None:
    assert Hub(trusting.endpoint, token="").search()


def test_from_a_secure_address_to_one_that_is_not(trusting: FakeHub) -> None:
    with FakeHub() as plain:
        trusting.faults.redirect_to = plain.endpoint + "/api/models"
        with pytest.raises(HubError, match="led to an address that is not secure"):
            Hub(trusting.endpoint, token=TOKEN).search()
        assert not plain.log


@pytest.mark.parametrize(("code", "words"), [(9, "not yet valid"), (10, "has expired")])
def test_a_clock_that_is_wrong(code: int, words: str) -> None:
    cause = ssl.SSLCertVerificationError(1, f"certificate verify failed: certificate {words}")
    cause.verify_code = code
    error = httpx2.ConnectError("failed")
    error.__cause__ = cause
    said = hub_error(error, Asked("https://hub.example"))
    assert str(said) == "The certificate of hub.example is not valid at this time."
    assert "clock may be wrong" in str(said.hint)


def test_a_clock_that_is_really_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with a real certificate that begins the day after tomorrow."""

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return super().now(tz) + datetime.timedelta(days=3)

    with monkeypatch.context() as patched:
        patched.setattr(datetime, "datetime", Later)
        context, pem = server_context(tmp_path)

    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    huggingface_hub.close_session()
    with FakeHub(context) as hub, pytest.raises(HubError) as caught:
        Hub(hub.endpoint, token="").search()
    huggingface_hub.close_session()
    assert "clock may be wrong" in str(caught.value.hint)


# Answers that a stranger made up


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"id": "a/m"},
        {"id": "a/m", "sha": "main", "siblings": []},
        {"id": 7, "sha": "c" * 40},
        {"id": "../x", "sha": "c" * 40},
        {"id": "a/m", "sha": "c" * 40, "siblings": "x"},
        {"id": "a/m", "sha": "c" * 40, "siblings": [{"size": 3}]},
        {"id": "a/m", "sha": "c" * 40, "lastModified": "yesterday"},
        {"id": "a/m", "sha": "c" * 40, "safetensors": 7},
    ],
)
def test_a_repository_that_is_none(
    fake: FakeHub, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr("tests.helpers.fake_hub_repos.StoredRepo.info", lambda *_, **__: answer)
    with pytest.raises(HubError, match="makes no sense"):
        Hub(fake.endpoint, token="").repo("a/m")


def test_facts_of_the_wrong_kind_are_missing(
    fake: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {
        "id": "a/m",
        "sha": "c" * 40,
        "downloads": "many",
        "likes": -1,
        "gated": "perhaps",
        "tags": ["ok", 7, None, "license:mit\u202e"],
        "cardData": {"license": 7, "base_model": [{"x": 1}, "not a name", "b/ase"]},
        "gguf": [],
        "siblings": [
            {"rfilename": "a.gguf", "size": 5, "lfs": {"size": 6, "sha256": "X", "pointerSize": 1}},
            {"rfilename": "a.gguf", "size": 7},
            {"rfilename": "b.gguf", "size": None},
            {"rfilename": "c.gguf", "size": -5},
            {"rfilename": 7, "size": 5},
        ],
    }
    monkeypatch.setattr("tests.helpers.fake_hub_repos.StoredRepo.info", lambda *_, **__: answer)
    repo = Hub(fake.endpoint, token="").repo("a/m")
    assert [(f.path, f.size_bytes, f.sha256) for f in repo.files] == [("a.gguf", 6, "")]
    summary = repo.summary
    assert (summary.downloads, summary.likes, summary.gated, summary.n_params) == (0, 0, "", 0)
    assert (summary.tags, summary.license, repo.base_model) == (
        ("ok", "license:mit"),
        "mit",
        "b/ase",
    )


def test_a_search_with_strange_results(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [{"id": "../../x"}, {"id": None}, {"id": "a/b c"}, {"id": "ok/one", "tags": "gguf"}]
    repos = [SimpleNamespace(summary=lambda item=item: item) for item in [*found, {}]]
    monkeypatch.setattr("tests.helpers.fake_hub_http.select", lambda *_: repos)
    assert [result.id for result in Hub(fake.endpoint, token="").search()] == ["ok/one"]


def test_an_answer_without_end(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_MAX_ANSWER_BYTES", 1000)
    fake.add_repo("a/many", {}, tags=tuple("t" * 50 for _ in range(50)))
    with pytest.raises(HubError, match="sent far more than was asked for"):
        Hub(fake.endpoint, token="").search()


def test_an_error_that_is_a_book(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.helpers.fake_hub_repos.StoredRepo.commit_of", lambda *_: None)
    monkeypatch.setattr(
        "tests.helpers.fake_hub_http.Handler.fail",
        lambda handler, *_: handler.say(503, b"[1]" * 10**5),
    )
    for ask in _questions(Hub(fake.endpoint, token=""), "c" * 40)[1:4]:
        with pytest.raises(HubError) as caught:
            ask()
        assert "error 503" in str(caught.value) or "makes no sense" in str(caught.value)
        assert len(caught.value.detail) <= 500


def test_signed_addresses_are_not_told() -> None:
    error = httpx2.ConnectError("to https://cdn.example/x?Signature=secret failed")
    assert "secret" not in hub_error(error, Asked("https://hub.example")).detail
    assert "secret" not in trouble.offline("x").detail
