"""Which models are recognised as the same content, and how sure that is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from app import paths
from app.core import hashes, library
from app.core.library import InstalledModel, Source
from tests.helpers.model_folders import model_bytes, ollama_model, put, put_split


@pytest.fixture(autouse=True)
def _alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "starter_model", lambda: None)
    monkeypatch.setattr("app.core.library.apps.ollama.SERVICE", home / "nowhere")


def by_path() -> dict[Path, InstalledModel]:
    return {model.path: model for model in library.installed()}


def test_two_copies_are_probably_the_same(home: Path) -> None:
    first = put(paths.models_dir() / "a.gguf", model_bytes("Same"))
    second = put(paths.models_dir() / "sub" / "b.gguf", model_bytes("Same"))
    found = by_path()
    assert found[first].is_duplicate_of is None
    assert found[second].is_duplicate_of == first
    assert not found[second].is_surely_duplicate
    assert set(library.unsure(found.values())) == {first, second}


def test_hashes_make_it_sure() -> None:
    first = put(paths.models_dir() / "a.gguf", model_bytes("Same"))
    second = put(paths.models_dir() / "b.gguf", model_bytes("Same"))
    for path in (first, second):
        hashes.rehash(path)
    found = by_path()
    assert found[second].is_duplicate_of == first
    assert found[second].is_surely_duplicate
    assert library.unsure(found.values()) == ()


def test_another_byte_between_the_samples_is_found_by_hashes_only() -> None:
    """136 kB are compared; a model that was changed elsewhere looks the same at first."""
    data = bytearray(_large_model())
    first = put(paths.models_dir() / "a.gguf", bytes(data))
    data[100_000] ^= 1
    second = put(paths.models_dir() / "b.gguf", bytes(data))
    assert by_path()[second].is_duplicate_of == first
    for path in library.unsure(by_path().values()):
        hashes.rehash(path)
    assert by_path()[second].is_duplicate_of is None


def _large_model() -> bytes:
    from tests.helpers.gguf_files import F32, METADATA, Tensor, gguf_bytes

    random = bytes(i * 7 % 251 for i in range(4_000_000))
    return gguf_bytes(dict(METADATA), (Tensor("token_embd.weight", F32, (1000, 1000), random),))


def test_models_of_one_size_with_other_weights_differ() -> None:
    put(paths.models_dir() / "a.gguf", model_bytes("Tune-1"))
    put(paths.models_dir() / "b.gguf", model_bytes("Tune-2"))
    found = library.installed()
    assert found[0].size_bytes == found[1].size_bytes
    assert [model.is_duplicate_of for model in found] == [None, None]


def test_an_apps_copy_is_the_duplicate_of_ones_own() -> None:
    data = model_bytes("Same")
    blob = ollama_model(Path.home() / ".ollama" / "models", "registry.ollama.ai/library/m/1b", data)
    own = put(paths.models_dir() / "org" / "m" / "m.gguf", data)
    hashes.record(own, hashlib.sha256(data).hexdigest(), "org/m", "c0ffee")
    found = by_path()
    assert found[blob].is_duplicate_of == own
    assert found[blob].is_surely_duplicate  # its name is its sum
    assert found[blob].source is Source.OLLAMA


def test_a_hard_link_is_no_duplicate() -> None:
    path = put(paths.models_dir() / "a.gguf")
    os.link(path, paths.models_dir() / "b.gguf")
    (model,) = library.installed()
    assert model.also_at == (paths.models_dir() / "b.gguf",)


def test_split_models_are_compared_part_by_part() -> None:
    one = put_split(paths.models_dir() / "one", "big", 2)
    two = put_split(paths.models_dir() / "two", "big", 2)
    assert by_path()[two[0]].is_duplicate_of == one[0]
    assert set(library.unsure(by_path().values())) == {*one, *two}
    for path in (*one, *two):
        hashes.rehash(path)
    assert by_path()[two[0]].is_surely_duplicate
    data = bytearray(two[1].read_bytes())
    data[-1] ^= 1
    two[1].write_bytes(bytes(data))
    hashes.rehash(two[1])
    assert by_path()[two[0]].is_duplicate_of is None


def test_a_changed_file_is_marked_with_a_way_on() -> None:
    data = model_bytes("Tiny")
    path = put(paths.models_dir() / "a.gguf", data)
    hashes.record(path, hashlib.sha256(data).hexdigest(), "org/a", "c0ffee")
    (model,) = library.installed()
    assert (model.notice, model.repo, model.commit) == (None, "org/a", "c0ffee")
    path.write_bytes(model_bytes("Tony"))
    os.utime(path, ns=(1, 1))
    assert hashes.outdated([path]) == (path,)
    assert library.installed()[0].notice is None  # not before it was read again
    hashes.rehash(path)
    (model,) = library.installed()
    assert model.is_usable
    assert model.notice is not None
    assert str(model.notice.text) == "a.gguf has changed since it was downloaded."
    assert "Download it again" in str(model.notice.hint)
    hashes.accept(path)
    assert library.installed()[0].notice is None


def test_a_touched_file_is_not_marked() -> None:
    data = model_bytes("Tiny")
    path = put(paths.models_dir() / "a.gguf", data)
    hashes.record(path, hashlib.sha256(data).hexdigest())
    os.utime(path, ns=(1, 1))
    assert not hashes.rehash(path).has_changed
    assert library.installed()[0].notice is None
    assert hashes.outdated([path]) == ()


def test_an_apps_damaged_blob_names_the_app() -> None:
    blob = ollama_model(
        Path.home() / ".ollama" / "models", "registry.ollama.ai/library/m/1b", model_bytes("Tiny")
    )
    blob.write_bytes(model_bytes("Tony"))
    (model,) = library.installed()
    hashes.rehash(blob, expected=model.sha256)
    (model,) = library.installed()
    assert model.notice is not None
    assert "not what Ollama downloaded" in str(model.notice.text)
    assert "Get it again in Ollama" in str(model.notice.hint)
