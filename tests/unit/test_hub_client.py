"""Search, repositories, cards and headers through the real client, from a hub on the loopback."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from app import paths
from app.core.settings import HUB_ENDPOINTS, Settings
from app.hub import sent
from app.hub.client import Hub, SearchPage
from app.hub.errors import HubError, NotFoundError, OfflineError
from app.hub.variants import group
from tests.helpers.fake_hub import FakeHub, Hole
from tests.helpers.gguf_files import split_model, valid_model

TOKEN = "hf_" + "s3cret" * 5


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


@pytest.fixture
def hub(fake: FakeHub) -> Hub:
    return Hub(fake.endpoint, token="", timeout_s=5)


def ids(results: tuple[object, ...]) -> list[str]:
    return [getattr(result, "id", "") for result in results]


def test_search_asks_for_what_the_page_shows(fake: FakeHub, hub: Hub) -> None:
    fake.add_repo("unsloth/Llama-1B-GGUF", {}, downloads=7, likes=3, gated="manual", license="mit")
    fake.add_repo("meta/Llama-1B", {}, gguf=False, safetensors={"parameters": {}, "total": 10**9})
    (found,) = hub.search("llama")
    assert (found.id, found.downloads, found.likes) == ("unsloth/Llama-1B-GGUF", 7, 3)
    assert (found.gated, found.license, found.has_gguf) == ("manual", "mit", True)
    assert found.updated == "2026-01-01T00:00:00.000Z"
    both = hub.search("llama", gguf_only=False)
    assert {result.id: result.n_params for result in both}["meta/Llama-1B"] == 10**9


def test_search_by_author_and_order(fake: FakeHub, hub: Hub) -> None:
    fake.add_repo("a/one", {}, downloads=1, likes=9, updated="2026-01-02T00:00:00.000Z")
    fake.add_repo("a/two", {}, downloads=2, likes=8, updated="2026-01-03T00:00:00.000Z")
    fake.add_repo("b/three", {}, downloads=3, likes=7, updated="2026-01-01T00:00:00.000Z")
    assert ids(hub.search()) == ["b/three", "a/two", "a/one"]
    assert ids(hub.search(sort="likes")) == ["a/one", "a/two", "b/three"]
    assert ids(hub.search(sort="recent")) == ["a/two", "a/one", "b/three"]
    assert ids(hub.search(author="a")) == ["a/two", "a/one"]
    assert ids(hub.search(limit=1)) == ["b/three"]
    assert hub.search("nothing like this") == ()


def test_search_for_what_was_pasted(fake: FakeHub, hub: Hub) -> None:
    fake.add_repo("unsloth/Llama-1B-GGUF", {})
    fake.add_repo("unsloth/Llama-3B-GGUF", {})
    address = f"{fake.endpoint}/unsloth/Llama-1B-GGUF"
    for text in (
        "https://huggingface.co/unsloth/Llama-1B-GGUF/tree/main",
        "unsloth/Llama-1B-GGUF:Q4_0",
    ):
        assert ids(hub.search(text)) == ["unsloth/Llama-1B-GGUF"]
    assert hub.search(address) == ()  # no hub that anybody set
    assert len(hub.search("unsloth/llama")) == 2


def test_search_goes_on_page_by_page(fake: FakeHub, hub: Hub) -> None:
    for n in range(5):
        fake.add_repo(f"a/model-{n}", {}, downloads=10 - n)
    page = hub.search_page("model", limit=2)
    seen = ids(page.results)
    while page.next_page:
        page = hub.more(page)
        seen += ids(page.results)
    assert seen == [f"a/model-{n}" for n in range(5)]
    assert hub.more(page).results == ()


def test_a_next_page_elsewhere_is_not_asked(fake: FakeHub, hub: Hub) -> None:
    with FakeHub() as other, pytest.raises(HubError, match="makes no sense"):
        hub.more(SearchPage((), f"{other.endpoint}/api/models"))
    assert not other.log


def test_a_repository_at_its_commit(fake: FakeHub, hub: Hub) -> None:
    old = fake.add_repo("a/m-GGUF", {"m-Q4_0.gguf": b"x" * 40})
    new = fake.add_repo("a/m-GGUF", {"m-Q4_0.gguf": b"y" * 50, "config.json": b"{}"},
                        base_model="a/m", tags=("text-generation",))  # fmt: skip
    repo = hub.repo("a/m-GGUF")
    assert (repo.commit, repo.base_model, repo.summary.has_gguf) == (new, "a/m", True)
    assert {f.path: (f.size_bytes, bool(f.sha256)) for f in repo.files} == {
        "config.json": (2, False),
        "m-Q4_0.gguf": (50, True),
    }
    assert hub.repo("a/m-GGUF", old[:8]).files[0].size_bytes == 40
    assert "text-generation" in repo.summary.tags


@pytest.mark.parametrize(
    ("repo_id", "revision", "words"),
    [
        ("no/such", "main", "There is no model “no/such”, or it is private."),
        ("a/m-GGUF", "v9", "This version of a/m-GGUF is no longer there."),
        ("a b", "main", "There is no model “a b”, or it is private."),
        ("../../etc", "main", "There is no model “../../etc”, or it is private."),
        ("", "main", "There is no model"),
    ],
)
def test_what_is_not_there(
    fake: FakeHub, hub: Hub, repo_id: str, revision: str, words: str
) -> None:
    fake.add_repo("a/m-GGUF", {})
    with pytest.raises(NotFoundError) as caught:
        hub.repo(repo_id, revision)
    assert words in str(caught.value)
    assert caught.value.hint


def test_a_card_is_cut_where_it_is_huge(fake: FakeHub, hub: Hub) -> None:
    commit = fake.add_repo("a/m", {}, card="# Hello\n" + "x" * 10**6)
    card = hub.card("a/m", commit)
    assert card.startswith("# Hello")
    assert len(card) == 512 * 1024


def test_no_card_is_no_error(fake: FakeHub, hub: Hub) -> None:
    commit = fake.add_repo("a/m", {})
    assert hub.card("a/m", commit) == ""
    with pytest.raises(NotFoundError):
        hub.card("no/such", commit)


def test_a_card_in_no_known_encoding(fake: FakeHub, hub: Hub) -> None:
    commit = fake.add_repo("a/m", {"README.md": b"caf\xe9"})
    assert hub.card("a/m", commit) == "caf\ufffd"


def test_the_header_of_all_parts(fake: FakeHub, hub: Hub, tmp_path: Path) -> None:
    fake.add_repo("a/m", {f"Q8_0/{path.name}": path for path in split_model(tmp_path)})
    (variant,) = group(hub.repo("a/m"))
    header = hub.model_header(variant)
    assert (len(header.tensors), header.architecture) == (3, "llama")
    assert header.file_size_bytes == variant.size_bytes


def test_later_parts_cost_little(fake: FakeHub, hub: Hub, tmp_path: Path) -> None:
    fake.add_repo(
        "a/m", {path.name: Hole(path.read_bytes(), 10**10) for path in split_model(tmp_path, 9)}
    )
    (variant,) = group(hub.repo("a/m"))
    fake.forget()
    assert len(hub.model_header(variant).tensors) == 9
    assert fake.traffic <= 2**20 + 8 * 2**18


def test_who_a_token_belongs_to(fake: FakeHub) -> None:
    fake.add_token(TOKEN, "someone")
    assert Hub(fake.endpoint, token=TOKEN).whoami() == "someone"
    assert Hub(fake.endpoint, token="").whoami() == ""


def test_the_token_goes_to_the_hub_and_nowhere_else(
    fake: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.add_token(TOKEN, access=("a/gated",))
    fake.add_repo(
        "a/gated", {"m.gguf": valid_model(tmp_path / "m.gguf")}, gated="manual", card="hi"
    )
    hub = Hub(fake.endpoint, token=TOKEN)
    hub.search("gated")
    repo = hub.repo("a/gated")
    hub.card("a/gated", repo.commit)
    hub.header(next(file for file in repo.files if file.path == "m.gguf"))
    with pytest.raises(HubError) as caught:
        Hub(fake.endpoint, token=TOKEN + "x").search()
    assert {seen.authorization for seen in fake.log if seen.is_cdn} == {""}
    assert all(seen.authorization for seen in fake.log if not seen.is_cdn)
    said = "".join(record.getMessage() for record in caplog.records)
    assert TOKEN not in said + caught.value.detail + str(caught.value.hint) + str(caught.value)


def test_nobody_else_s_token_is_sent(
    fake: FakeHub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / ".cache" / "huggingface"
    folder.mkdir(parents=True)
    (folder / "token").write_text(TOKEN)
    Hub(fake.endpoint).search()
    assert [seen.authorization for seen in fake.log] == [""]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fake.add_token(TOKEN)
    Hub(fake.endpoint).search()
    assert fake.log[-1].authorization == f"Bearer {TOKEN}"


def test_the_endpoint_of_the_environment(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", fake.endpoint + "/")
    fake.add_repo("a/m", {})
    assert ids(Hub(token="").search()) == ["a/m"]
    assert fake.log[-1].headers["user-agent"] == "nibble"


def test_nothing_of_the_client_is_loaded_before_a_question() -> None:
    code = "import app.hub.client as c, sys; c.Hub(); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"huggingface_hub", "httpx2", "keyring", "numpy"} & set(loaded)


def test_the_proxy_of_the_system_is_used(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:

    fake.add_repo("a/m", {})
    monkeypatch.setenv("HTTP_PROXY", fake.endpoint)
    huggingface_hub.close_session()
    assert ids(Hub("http://hub.invalid", token="").search()) == ["a/m"]
    huggingface_hub.close_session()
    assert fake.log[-1].path.startswith("http://hub.invalid/api/models")


def test_what_goes_out_is_noted(fake: FakeHub) -> None:

    sent.forget()
    Hub(fake.endpoint, token="")
    assert not sent.has_sent()
    Hub(fake.endpoint, token="").search()
    assert sent.has_sent()


def settle(endpoints: str) -> None:
    Settings(paths.settings_file()).set(HUB_ENDPOINTS, endpoints)


def test_the_hub_of_the_settings(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    settle(fake.endpoint)
    fake.add_repo("a/m", {})
    assert ids(Hub(token="").search()) == ["a/m"]


def test_a_mirror_where_the_hub_does_not_answer(fake: FakeHub, tmp_path: Path) -> None:
    fake.page_size = 1
    fake.add_token(TOKEN)
    for name in ("a/m", "a/n"):
        fake.add_repo(name, {"m.gguf": valid_model(tmp_path / "m.gguf")}, card="hi")
    with FakeHub() as first:
        settle(f"{first.endpoint}, {fake.endpoint}/")
        first.add_token(TOKEN)
        hub = Hub(token=TOKEN, timeout_s=5)
        first.faults.status = 404
        with pytest.raises(NotFoundError):  # it answers, so its word counts
            hub.repo("a/m")
        first.faults.clear()
        first.go_offline()
        page = hub.search_page()
        assert ids(page.results + hub.more(page).results) == ["a/m", "a/n"]
        repo = hub.repo("a/m")
        assert hub.card("a/m", repo.commit) == "hi"
        assert hub.header(repo.files[-1]).architecture == "llama"
        assert {seen.authorization for seen in fake.log} == {""}
        fake.go_offline()
        with pytest.raises(OfflineError) as caught:
            hub.search()
        assert first.endpoint.removeprefix("http://") in str(caught.value)
