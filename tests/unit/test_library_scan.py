"""Folders that nobody vouches for: loops, dead links, places that hang, no end of files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import paths
from app.core import library
from app.core.library import Source
from app.core.library.group import Found, grouped
from app.core.library.places import Place, parse_folders
from app.core.library.scanning import scan
from app.core.library.walk import Limits, Walk
from app.core.settings import LIBRARY_FOLDERS, Settings
from tests.helpers.model_folders import huggingface_repo, model_bytes, ollama_model, put


@pytest.fixture(autouse=True)
def _alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "starter_model", lambda: None)
    monkeypatch.setattr("app.core.library.apps.ollama.SERVICE", home / "nowhere")


def test_a_loop_of_links_is_walked_once(tmp_path: Path) -> None:
    path = put(tmp_path / "a" / "b" / "m.gguf")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "dead.gguf").symlink_to("nowhere")
    (tmp_path / "folder.gguf").mkdir()
    os.mkfifo(tmp_path / "pipe.gguf")
    assert list(Walk(tmp_path)) == [path]


def test_a_folder_outside_is_entered_once(tmp_path: Path) -> None:
    put(tmp_path / "outside" / "m.gguf")
    root = tmp_path / "root"
    root.mkdir()
    for name in ("one", "two", "three"):
        (root / name).symlink_to(tmp_path / "outside")
    assert [path.name for path in Walk(root)] == ["m.gguf"]


def test_an_unreadable_folder_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the refusal is the system call's own error, made by hand."""
    put(tmp_path / "secret" / "a.gguf")
    path = put(tmp_path / "z" / "b.gguf")
    real = os.scandir

    def refuse(folder: Path | int) -> object:
        if isinstance(folder, Path) and folder.name == "secret":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert list(Walk(tmp_path)) == [path]


def test_a_walk_ends(tmp_path: Path) -> None:
    for n in range(30):
        put(tmp_path / f"{n:02}" / "m.gguf", b"")
    walk = Walk(tmp_path, limits=Limits(max_entries=20))
    assert len(list(walk)) < 30
    assert walk.was_cut
    deep = put(tmp_path / "/".join("abcdefgh"[n % 8] for n in range(20)) / "m.gguf", b"")
    assert deep not in list(Walk(tmp_path, limits=Limits(max_depth=5)))


def test_a_huge_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.gguf")
    for n in range(30):
        put(tmp_path / f"{n}.txt", b"")
    monkeypatch.setattr("app.core.library.walk.Limits", lambda: Limits(max_entries=20))
    found = scan(folders=[tmp_path])
    assert [str(notice.text) for notice in found.notices] == [
        f"{tmp_path} holds so many files that Nibble looked at a part of them only."
    ]


def test_the_users_folders(tmp_path: Path) -> None:
    path = put(tmp_path / "mine" / "deep" / "m.gguf")
    settings = Settings(paths.settings_file())
    settings.set(LIBRARY_FOLDERS, f'["{tmp_path / "mine"}", "{tmp_path / "gone"}"]')
    (model,) = library.installed()
    assert (model.path, model.source) == (path, Source.FOLDER)


@pytest.mark.parametrize(
    "value", ["", "{", "{}", "null", "[1, null]", '["relative"]', '["\\u0000"]', "[" * 99_999]
)
def test_odd_folder_settings(value: str) -> None:
    assert parse_folders(value) == ()


def test_one_file_under_many_names_is_one_model(tmp_path: Path) -> None:
    """It belongs to the first that has it: an app's file stays the app's."""
    snapshot = huggingface_repo(
        Path.home() / "cache" / "huggingface" / "hub", "org/m", {"m.gguf": model_bytes("M")}
    )
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "linked.gguf").symlink_to(snapshot / "m.gguf")
    os.link((snapshot / "m.gguf").resolve(), mine / "hard.gguf")
    (model,) = library.installed(folders=[mine, tmp_path])
    assert model.source is Source.HUGGINGFACE
    assert set(model.also_at) == {mine / "linked.gguf", mine / "hard.gguf"}
    assert model.repo == "org/m"


def test_a_folder_around_an_app_does_not_take_its_models(tmp_path: Path) -> None:
    ollama_model(
        Path.home() / ".ollama" / "models", "registry.ollama.ai/library/m/1b", model_bytes("M")
    )
    (Path.home() / "link.gguf").symlink_to(
        next((Path.home() / ".ollama" / "models" / "blobs").iterdir())
    )
    found = library.installed(folders=[Path.home()])
    assert {model.source for model in found} == {Source.OLLAMA}


class Hanging:
    """A place that answers when it is told to, as a network drive whose server has gone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.first: list[Found] = []
        self.answer = threading.Event()
        self.n_asked = 0

    def find(self, root: Path) -> Iterator[Found]:
        self.n_asked += 1
        yield from self.first
        self.answer.wait(30)
        yield from grouped(Walk(root), Source.FOLDER)

    def places(self, _folders: object) -> list[Place]:
        own = Place(Source.NIBBLE, paths.models_dir(), _files)
        return [Place(Source.FOLDER, self.root, self.find), own]


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    place = Hanging(tmp_path / "gone")
    monkeypatch.setattr("app.core.library.scanning.places", place.places)
    yield place
    place.answer.set()


def test_a_place_that_hangs_is_left_behind(hanging: Hanging) -> None:
    """The next scan does not even ask again; when it answers, all is there."""
    here = put(paths.models_dir() / "here.gguf")
    there = put(hanging.root / "there.gguf")
    for _ in range(3):
        found = scan(patience_s=0.1)
        assert [model.path for model in found.models] == [here]
        assert [str(notice.text) for notice in found.notices] == [
            f"{hanging.root} does not answer, so its models are not listed."
        ]
        assert not found.is_partial
    assert hanging.n_asked == 1
    hanging.answer.set()
    assert {model.path for model in scan().models} == {here, there}
    assert scan().notices == ()


def test_a_slow_place_gives_what_it_has_so_far(hanging: Hanging) -> None:
    first = put(hanging.root / "a.gguf")
    second = put(hanging.root / "b.gguf")
    hanging.first = [Found(first, Source.FOLDER)]
    found = scan(wait_s=0.2)
    assert ([model.path for model in found.models], found.notices) == ([first], ())
    assert found.is_partial
    hanging.answer.set()
    found = scan()
    assert [model.path for model in found.models] == [first, second]
    assert not found.is_partial


def _files(root: Path) -> list[Found]:
    return grouped(Walk(root), Source.NIBBLE)


def test_a_folder_that_vanishes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    put(paths.models_dir() / "here.gguf")

    def vanish(path: Path, *_args: object, **_how: object) -> os.stat_result:
        raise FileNotFoundError(2, "No such file", str(path))

    monkeypatch.setattr("app.core.library.facts.FactsCache.get", vanish)
    assert library.installed() == ()


def test_two_hundred_models_are_listed_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(200):
        put(tmp_path / f"org{n % 20}" / f"repo{n}" / f"m{n}.gguf", model_bytes(f"M{n}"))
    first = library.installed(folders=[tmp_path])
    assert len(first) == 200
    monkeypatch.setattr("app.core.library.facts.read_facts", None)  # a call would be an error
    assert library.installed(folders=[tmp_path]) == first
