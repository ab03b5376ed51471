"""What is listed of Nibble's own folder, and what a name means."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import paths
from app.core import library
from app.core.errors import ModelFileError
from app.core.library import InstalledModel, Source
from app.core.library.facts import FactsCache
from app.core.library.group import base_name, grouped, is_mmproj
from tests.helpers.fuzz import fuzz
from tests.helpers.gguf_files import F32, METADATA, TENSORS, Tensor, cut, gguf_bytes
from tests.helpers.model_folders import (
    huggingface_repo,
    imatrix_bytes,
    mmproj_bytes,
    model_bytes,
    ollama_model,
    put,
    put_split,
    vocabulary_bytes,
)


@pytest.fixture
def models(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nibble's folder; no starter and no service's models in the way."""
    monkeypatch.setattr(paths, "starter_model", lambda: None)
    monkeypatch.setattr("app.core.library.apps.ollama.SERVICE", home / "nowhere")
    folder = paths.models_dir()
    folder.mkdir(parents=True)
    return folder


def only(found: tuple[InstalledModel, ...]) -> InstalledModel:
    assert len(found) == 1, [model.path for model in found]
    return found[0]


def test_a_download_is_listed_with_its_repository(models: Path) -> None:
    path = put(models / "someone" / "Tiny-GGUF" / "Tiny-Q4_0.gguf", general__name="Tiny")
    model = only(library.installed())
    assert (model.path, model.name, model.variant) == (path, "Tiny", "Q4_0")
    assert (model.source, model.repo) == (Source.NIBBLE, "someone/Tiny-GGUF")
    assert model.size_bytes == path.stat().st_size
    assert model.files == (path,)


def test_the_parts_of_a_split_model_are_one(models: Path) -> None:
    parts = put_split(models / "org" / "big", "big-Q8_0", 3)
    model = only(library.installed())
    assert model.path == parts[0]
    assert model.parts == tuple(parts)
    assert model.size_bytes == sum(part.stat().st_size for part in parts)
    assert model.n_params == 24
    assert model.is_usable


def test_a_missing_part_is_said(models: Path) -> None:
    parts = put_split(models, "big", 3)
    parts[1].unlink()
    model = only(library.installed())
    assert not model.is_usable
    assert model.notice is not None
    assert str(model.notice.text) == "Part 2 of 3 is missing."
    with pytest.raises(ModelFileError, match="Part 2 of 3"):
        library.describe(parts[2])


def test_without_its_first_part_a_model_is_still_listed(models: Path) -> None:
    parts = put_split(models, "big", 2)
    parts[0].unlink()
    model = only(library.installed())
    assert model.path == parts[1]
    assert model.notice is not None
    assert str(model.notice.text) == "Part 1 of 2 is missing."


def test_any_part_stands_for_the_whole(models: Path) -> None:
    parts = put_split(models, "big", 3)
    model = library.describe(parts[2])
    assert model.path == parts[0]
    assert model.parts == tuple(parts)


def test_a_first_part_under_another_name_cannot_be_loaded(models: Path) -> None:
    parts = put_split(models, "big", 2)
    renamed = parts[0].rename(models / "big.gguf")
    parts[1].unlink()
    with pytest.raises(ModelFileError, match="one of 2 parts"):
        library.describe(renamed)


def test_what_a_model_sees_with_belongs_to_it(models: Path) -> None:
    folder = models / "google" / "gemma-GGUF"
    put(folder / "gemma-Q4_K_M.gguf")
    put(folder / "gemma-Q8_0.gguf")
    put(folder / "mmproj-gemma-BF16.gguf", mmproj_bytes())
    best = put(folder / "mmproj-gemma-F16.gguf", mmproj_bytes())
    found = library.installed()
    assert [model.mmproj for model in found] == [best, best]
    assert found[0].mmproj_bytes == best.stat().st_size


def test_in_a_folder_of_many_models_names_decide(models: Path) -> None:
    seeing = put(models / "gemma-3-4b-it-Q4_K_M.gguf")
    blind = put(models / "llama-3.2-3b-Q4_K_M.gguf")
    put(models / "mmproj-model-f16.gguf", mmproj_bytes())
    own = put(models / "mmproj-gemma-3-4b-it-f16.gguf", mmproj_bytes())
    by_path = {model.path: model.mmproj for model in library.installed()}
    assert by_path == {seeing: own, blind: None}


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("gemma-3-4b-it-Q4_K_M.gguf", "gemma-3-4b-it"),
        ("gemma-3-4b-it-UD-Q4_K_XL.gguf", "gemma-3-4b-it"),
        ("mmproj-gemma-3-4b-it-F16.gguf", "gemma-3-4b-it"),
        ("gemma-3-4b-it.mmproj-Q8_0.gguf", "gemma-3-4b-it"),
        ("Qwen3-8B-IQ4_XS-00001-of-00002.gguf", "qwen3-8b"),
        ("gpt-oss-20b-MXFP4.gguf", "gpt-oss-20b"),
        ("mmproj-F16.gguf", ""),
        ("mmproj-model-f16.gguf", "model"),
        ("Llama-3.2-1B.Q8_0.gguf", "llama-3.2-1b"),
    ],
)
def test_base_names(name: str, base: str) -> None:
    assert base_name(Path(name)) == base


_STEMS = st.sampled_from(["a", "b", "mmproj-a", "a-mmproj-F16", "a-Q4_0", "-", "mmproj", "a.b", ""])
_PARTS = st.sampled_from(
    ["", "-00001-of-00002", "-00002-of-00002", "-00000-of-00000", "-00003-of-00002", "-1-of-2"]
)


@fuzz
@given(st.lists(st.builds("{}{}.gguf".format, _STEMS | st.text(max_size=5), _PARTS), max_size=8))
def test_each_file_belongs_to_one_model(names: list[str]) -> None:
    files = sorted({Path("/f") / name.replace("/", "_").replace("\0", "_") for name in names})
    found = grouped(files, Source.NIBBLE)
    taken = [path for each in found for path in each.files]
    assert len(taken) == len(set(taken))
    assert set(taken) == {path for path in files if not is_mmproj(path)}
    assert all(each.mmproj is None or is_mmproj(each.mmproj) for each in found)


def test_what_is_no_model_is_left_out(models: Path) -> None:
    put(models / "imatrix.gguf", imatrix_bytes())
    put(models / "vocab.gguf", vocabulary_bytes())
    put(models / "lora.gguf", gguf_bytes({**METADATA, "general.type": "adapter"}, TENSORS))
    put(models / "mmproj-alone.gguf", mmproj_bytes())
    put(models / "clip.gguf", mmproj_bytes())
    put(models / "text.gguf", b"not a model at all")
    put(models / "loading.gguf.part", model_bytes())
    put(models / ".hidden" / "a.gguf")
    cut(put(models / "whole.gguf"), models / "cut.gguf", 0.5)
    assert [model.path.name for model in library.installed()] == ["whole.gguf"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (imatrix_bytes(), "importance matrix"),
        (vocabulary_bytes(), "vocabulary and no weights"),
        (mmproj_bytes(), "what a model sees with"),
        (gguf_bytes({**METADATA, "general.type": "adapter"}, TENSORS), "an adapter"),
        (gguf_bytes({**METADATA, "general.architecture": "nomic-bert"}, TENSORS), "cannot chat"),
    ],
)
def test_opening_what_is_no_model_says_what_it_is(models: Path, data: bytes, words: str) -> None:
    with pytest.raises(ModelFileError, match=words) as caught:
        library.describe(put(models / "odd.gguf", data))
    assert caught.value.hint


def test_weights_for_another_engine_are_listed_with_the_reason(models: Path) -> None:
    tensors = (*TENSORS, Tensor("v.blk.0.attn_q.weight", F32, (8,), bytes(32)))
    put(models / "both.gguf", gguf_bytes(dict(METADATA), tensors))
    model = only(library.installed())
    assert not model.is_usable
    assert model.notice is not None
    assert "Ollama's own engine" in str(model.notice.text)


def test_the_starter_comes_first(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models / "aaa.gguf")
    starter = put(models / paths.STARTER_NAME)
    monkeypatch.setattr(paths, "starter_model", lambda: starter)
    found = library.installed()
    assert [model.path.name for model in found] == [paths.STARTER_NAME, "aaa.gguf"]
    assert found[0].is_starter


def test_a_file_opened_by_hand_brings_its_parts(models: Path, tmp_path: Path) -> None:
    parts = put_split(tmp_path / "elsewhere", "big", 2)
    put(tmp_path / "elsewhere" / "another.gguf")
    model = only(library.installed(also=[parts[0]]))
    assert (model.parts, model.source) == (tuple(parts), Source.OPENED)


def test_headers_are_read_once(models: Path) -> None:
    paths_ = [put(models / f"{n}.gguf") for n in range(5)]
    library.installed()
    cache = FactsCache()
    assert [cache.get(path).kind for path in paths_] == ["model"] * 5
    assert cache.n_read == 0
    put(paths_[2], model_bytes("Another"))
    os.utime(paths_[2], ns=(1, 1))
    assert cache.get(paths_[2]).name == "Another"
    assert cache.n_read == 1


def test_damage_is_remembered_too(models: Path) -> None:
    path = put(models / "broken.gguf", b"GGUF" + bytes(100))
    library.installed()
    cache = FactsCache()
    assert cache.get(path).kind == "damaged"
    assert cache.n_read == 0


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_cache_is_read_over(models: Path, data: bytes) -> None:
    put(models / "a.gguf")
    library.installed()
    (file,) = paths.cache_dir().glob("headers-*.json")
    file.write_bytes(data)
    assert len(library.installed()) == 1


# --- names --------------------------------------------------------------------------------------


@pytest.fixture
def several(models: Path) -> dict[str, Path]:
    """One model in two variants, one of Ollama's, one of the Hugging Face cache."""
    home = Path.home()
    hub = huggingface_repo(
        home / "cache" / "huggingface" / "hub",
        "org/Cached-GGUF",
        {"Cached-Q4_0.gguf": model_bytes("Cached")},
    )
    root = home / ".ollama" / "models"
    blob = ollama_model(root, "registry.ollama.ai/library/llama3.2/3b", model_bytes("Llama 3.2"))
    ollama_model(root, "hf.co/org/some-GGUF/Q4_K_M", model_bytes("Some"))
    folder = models / "Org" / "Two-GGUF"
    return {
        "q4": put(folder / "Two-Q4_0.gguf", general__name="Two"),
        "q8": put(folder / "Two-Q8_0.gguf", general__name="Two", general__file_type=7),
        "ollama": blob,
        "cached": hub / "Cached-Q4_0.gguf",
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Two:Q8_0", "q8"),
        ("two:q8_0", "q8"),
        ("Two-Q8_0", "q8"),
        ("Two-Q8_0.gguf", "q8"),
        ("org/two-gguf:Q8_0", "q8"),
        ("Org/Two-GGUF", "q4"),
        ("two", "q4"),
        ("llama3.2:3b", "ollama"),
        ("llama3.2", "ollama"),
        ("Llama 3.2", "ollama"),
        ("org/Cached-GGUF", "cached"),
        ("cached:q4_0", "cached"),
    ],
)
def test_names_find_models(several: dict[str, Path], name: str, key: str) -> None:
    assert library.find(name) == several[key]
    assert library.find_model(name, library.installed()).path == several[key]


def test_what_is_a_path_stays_one(several: dict[str, Path], tmp_path: Path) -> None:
    assert library.find("no/such/model") == Path("no/such/model")
    assert library.find("missing.gguf") == Path("missing.gguf")
    assert library.find(str(tmp_path)) == tmp_path
    blob = several["ollama"]
    assert library.find(str(blob)) == blob
    assert library.find_model(str(blob), library.installed()).aliases == ("llama3.2:3b",)


def test_an_unknown_name_is_one_sentence(several: dict[str, Path]) -> None:
    with pytest.raises(ModelFileError, match="no model called “nothing”"):
        library.find("nothing")
    with pytest.raises(ModelFileError, match="no model called “nothing”"):
        library.find_model("nothing", library.installed())


@pytest.mark.parametrize("name", ["", "\0", "a\0b/c", "x" * 5000, "~nosuchuser/x", ":", "a:", "/"])
def test_odd_names_are_refused_in_a_sentence(several: dict[str, Path], name: str) -> None:
    with contextlib.suppress(ModelFileError):
        assert library.find(name) == Path(name)  # else it is taken for a path
