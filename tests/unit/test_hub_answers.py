"""Whatever a hub answers, a `Repo`, a `RepoSummary` or a HubError comes of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.hub import answers, snapshot, variants
from app.hub.client import Hub
from app.hub.connection import Connection
from app.hub.errors import HubError
from tests.helpers.fuzz import fuzz

_ANSWER: list[bytes] = []
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=3,
)
_SOUND: dict[str, Any] = {
    "id": "a/m",
    "sha": "c" * 40,
    "siblings": [
        {"rfilename": "m-Q4_0.gguf", "size": 5, "lfs": {"size": 5, "sha256": "", "pointerSize": 1}},
        {"rfilename": "config.json", "size": 5},
    ],
    "tags": ["gguf", "license:mit", "base_model:x/y"],
    "cardData": {"license": "mit", "base_model": ["x/y"], "model-index": []},
    "gguf": {"total": 5},
    "lastModified": "2026-01-01T00:00:00.000Z",
}
_PLACES = [
    *((key,) for key in (*_SOUND, "safetensors", "gated", "downloads", "evalResults", "createdAt")),
    *(("siblings", 0), ("siblings", 1, "rfilename"), ("siblings", 1, "size"), ("tags", 1)),
    *(("siblings", 0, "lfs"), ("siblings", 0, "lfs", "size"), ("siblings", 0, "lfs", "sha256")),
    *(("cardData", "license"), ("cardData", "base_model"), ("cardData", "model-index")),
]
_CHANGES = st.lists(st.tuples(st.sampled_from(_PLACES), _VALUES), min_size=1, max_size=3)


def changed(changes: list[tuple[tuple[Any, ...], Any]]) -> dict[str, Any]:
    """A sound answer with other values at some places."""
    facts = copy.deepcopy(_SOUND)
    for (*way, last), value in changes:
        place: Any = facts
        with suppress(TypeError, LookupError):
            for step in way:
                place = place[step]
            place[last] = value
    return facts


@pytest.fixture(scope="module", autouse=True)
def _answered() -> Iterator[None]:
    """Every request is answered with the last of `_ANSWER`."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=_ANSWER[-1]))
    with httpx2.Client(transport=transport) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.hf_api.get_session", lambda: client)
        patch.setattr("app.hub.web.get_session", lambda: client)
        yield
    _ANSWER.clear()


def hub(answer: Any) -> Hub:
    _ANSWER[:] = [answer if isinstance(answer, bytes) else json.dumps(answer).encode()]
    return Hub("http://hub.invalid", token="")


@given(changes=_CHANGES)
@fuzz
def test_any_repository(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    with suppress(HubError):
        repo = hub(changed(changes)).repo("a/m")
        variants.group(repo)
        snapshot.snapshot_files(repo)


def test_the_sound_answer_is_sound() -> None:
    repo = hub(_SOUND).repo("a/m")
    assert [variant.name for variant in variants.group(repo)] == ["Q4_0"]
    assert repo.summary.n_params == 5


@given(found=st.lists(_CHANGES.map(changed), max_size=2) | _VALUES)
@fuzz
def test_any_search(found: Any) -> None:
    with suppress(HubError):
        results = hub(found).search()
        assert all(answers.REPO_ID.fullmatch(result.id) for result in results)


@given(data=st.binary(max_size=50))
@fuzz
def test_any_bytes(data: bytes) -> None:
    for ask in (hub(data).search, lambda: hub(data).repo("a/m")):
        with suppress(HubError):
            ask()


def test_an_answer_nested_without_end() -> None:
    for ask in (hub(b"[" * 10**6).search, lambda: hub(b"[" * 10**6).repo("a/m")):
        with pytest.raises(HubError, match="makes no sense"):
            ask()


def test_a_card_with_strange_metadata_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    facts = {
        "id": "a/m",
        "sha": "c" * 40,
        "cardData": {"model-index": [{"name": 7}], "language": 5},
    }
    assert hub(facts).repo("a/m").commit == "c" * 40
    assert capfd.readouterr() == ("", "")


def test_the_license_that_makers_wrote_themselves() -> None:
    facts = {
        "id": "a/m",
        "sha": "c" * 40,
        "tags": ["license:other"],
        "cardData": {
            "license": "other",
            "license_name": "llama3.1",
            "base_model": ["b/ase", "c/d"],
        },
    }
    repo = hub(facts).repo("a/m")
    assert (repo.summary.license, repo.base_model) == ("llama3.1", "b/ase")
    facts["cardData"] = {}
    facts["tags"] = ["license:mit", "base_model:quantized:x/y"]
    repo = hub(facts).repo("a/m")
    assert (repo.summary.license, repo.base_model) == ("mit", "x/y")


def test_an_address_with_a_path() -> None:
    url = Connection("https://mirror.example/hf/", "", 5).file_url("a/m", "c" * 40, "x/ä b#.gguf")
    assert url == f"https://mirror.example/hf/a/m/resolve/{'c' * 40}/x/%C3%A4%20b%23.gguf"
