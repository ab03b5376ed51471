"""The real client library believes the fake hub, so what passes against it means something."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.helpers.fake_hub import FakeHub, Hole, Seeded

REPO = "maker/model-GGUF"
BIG = Seeded(seed=1, size=3_000_000)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    with FakeHub() as hub:
        files = {"m-Q4_K_M.gguf": BIG, "config.json": '{"a": 1}', "sub/x.json": "{}"}
        hub.add_repo(REPO, files, card="# Hello", downloads=7)
        yield hub


def test_files_are_fetched(hub: FakeHub, tmp_path: Path) -> None:
    place = hf_hub_download(REPO, "m-Q4_K_M.gguf", cache_dir=tmp_path, endpoint=hub.endpoint)
    assert hashlib.sha256(Path(place).read_bytes()).hexdigest() == BIG.sha256
    place = hf_hub_download(REPO, "sub/x.json", cache_dir=tmp_path, endpoint=hub.endpoint)
    assert Path(place).read_text() == "{}"
    assert hub.traffic >= BIG.size


def test_metadata(hub: FakeHub) -> None:
    api = HfApi(hub.endpoint)
    info = api.model_info(REPO, files_metadata=True)
    by_name = {file.rfilename: file for file in info.siblings or ()}
    lfs = by_name["m-Q4_K_M.gguf"].lfs
    assert lfs is not None
    assert (lfs.sha256, lfs.size) == (BIG.sha256, BIG.size)
    assert by_name["config.json"].size == 8
    assert api.repo_info(REPO, revision=info.sha).sha == info.sha
    paths = [entry.path for entry in api.list_repo_tree(REPO, recursive=True)]
    assert paths == ["sub", "README.md", "config.json", "m-Q4_K_M.gguf", "sub/x.json"]


def test_search_goes_over_pages(hub: FakeHub) -> None:
    hub.page_size = 2
    for i in range(5):
        hub.add_repo(f"other/tiny-{i}", {"a.gguf": b"GGUF"}, downloads=i)
    found = HfApi(hub.endpoint).list_models(search="tiny", filter="gguf", sort="downloads", limit=4)
    assert [model.id for model in found] == [f"other/tiny-{i}" for i in (4, 3, 2, 1)]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"repo_id": "maker/none", "filename": "a"}, RepositoryNotFoundError),
        ({"repo_id": REPO, "filename": "a"}, RemoteEntryNotFoundError),
        ({"repo_id": REPO, "filename": "a", "revision": "v9"}, RevisionNotFoundError),
        ({"repo_id": "maker/gated", "filename": "a.gguf"}, GatedRepoError),
        ({"repo_id": "maker/gated", "filename": "a.gguf", "token": "hf_no"}, GatedRepoError),
    ],
)
def test_refusals(
    hub: FakeHub, tmp_path: Path, asked: dict[str, Any], error: type[Exception]
) -> None:
    hub.add_repo("maker/gated", {"a.gguf": b"GGUF"}, gated="manual")
    hub.add_token("hf_no", "stranger")
    with pytest.raises((error, LocalEntryNotFoundError)) as caught:
        hf_hub_download(cache_dir=tmp_path, endpoint=hub.endpoint, **asked)
    assert isinstance(caught.value, error) or isinstance(caught.value.__cause__, error)


def test_a_token_opens_what_is_gated_and_stays_with_the_hub(hub: FakeHub, tmp_path: Path) -> None:
    hub.add_repo("maker/gated", {"a.gguf": b"GGUF"}, gated="manual")
    hub.add_token("hf_yes", "friend", access=("maker/gated",))
    hf_hub_download(
        "maker/gated", "a.gguf", cache_dir=tmp_path, endpoint=hub.endpoint, token="hf_yes"
    )
    assert HfApi(hub.endpoint).whoami(token="hf_yes")["name"] == "friend"
    assert not any(seen.authorization for seen in hub.log if seen.is_cdn)


def test_a_hole_costs_no_memory(hub: FakeHub) -> None:
    hole = Hole(b"GGUF", 40_000_000_000)
    assert hole.read(0, 6) == b"GGUF\0\0"
    assert hole.read(39_999_999_999, 10) == b"\0"
    assert len(hole.sha256) == 64
