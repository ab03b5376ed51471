"""Deleting: all that belongs to a model, nothing else, and never what is another app's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from app import paths
from app.core import hashes, library
from app.core.errors import ModelFileError
from app.core.library import Deletion, InstalledModel
from tests.helpers.model_folders import (
    jan_model,
    mmproj_bytes,
    model_bytes,
    ollama_model,
    put,
    put_split,
)


@pytest.fixture(autouse=True)
def _alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "starter_model", lambda: None)
    monkeypatch.setattr("app.core.library.apps.ollama.SERVICE", home / "nowhere")


def model_at(path: Path, **how: object) -> InstalledModel:
    return next(m for m in library.installed(**how) if path in (*m.files, *m.also_at))  # type: ignore[arg-type]


def plan(path: Path, folders: tuple[Path, ...] = ()) -> Deletion:
    models = library.installed(folders=folders)
    return library.plan_deletion(library.find_model(str(path), models), models, folders)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_model_goes_with_what_belongs_to_it() -> None:
    folder = paths.models_dir() / "org" / "seeing"
    parts = put_split(folder, "big-Q8_0", 2)
    see = put(folder / "mmproj-F16.gguf", mmproj_bytes())
    sidecars = [put(folder / f"{parts[1].name}{end}", b"x") for end in (".part", ".part.json")]
    put(paths.models_dir() / "other.gguf")
    hashes.record(parts[0], hashlib.sha256(parts[0].read_bytes()).hexdigest())
    deletion = plan(parts[0])
    gone = {*parts, see, *sidecars}
    assert set(deletion.files) == gone
    assert deletion.files[-1] == parts[0]
    freed_bytes = sum(path.stat().st_size for path in gone)
    assert deletion.freed_bytes == freed_bytes
    assert library.delete(deletion) == freed_bytes
    assert files_in(paths.models_dir()) == {"other.gguf"}
    assert not (paths.models_dir() / "org").exists()
    assert hashes.last_known(parts[0]) is None


def test_what_another_variant_sees_with_stays() -> None:
    folder = paths.models_dir() / "org" / "seeing"
    one, two = put(folder / "m-Q4_0.gguf"), put(folder / "m-Q8_0.gguf")
    see = put(folder / "mmproj-F16.gguf", mmproj_bytes())
    library.delete(plan(one))
    assert files_in(folder) == {two.name, see.name}
    library.delete(plan(two))
    assert not folder.exists()
    assert paths.models_dir().is_dir()


def test_a_users_folder_is_never_removed(tmp_path: Path) -> None:
    path = put(tmp_path / "mine" / "sub" / "m.gguf")
    library.delete(plan(path, (tmp_path / "mine",)))
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_folder_with_something_else_in_it_stays() -> None:
    path = put(paths.models_dir() / "org" / "m" / "m.gguf")
    notes = put(path.with_name("notes.txt"), b"mine")
    library.delete(plan(path))
    assert notes.exists()


def test_a_second_name_frees_nothing(tmp_path: Path) -> None:
    path = put(paths.models_dir() / "m.gguf")
    os.link(path, tmp_path / "kept.gguf")
    deletion = plan(path)
    assert deletion.freed_bytes == 0
    assert library.delete(deletion) == 0
    assert (tmp_path / "kept.gguf").exists()


@pytest.mark.parametrize("app", ["Ollama", "Jan", "LM Studio", "GPT4All", "Hugging Face"])
def test_other_apps_files_are_left_alone(app: str) -> None:
    home = Path.home()
    if app == "Ollama":
        path = ollama_model(
            home / ".ollama" / "models", "registry.ollama.ai/library/m/1b", model_bytes("M")
        )
    elif app == "Jan":
        path = jan_model(home / "data" / "Jan" / "data", "m", model_bytes("M"))
    elif app == "LM Studio":
        path = put(home / ".lmstudio" / "models" / "org" / "m" / "m.gguf")
    elif app == "GPT4All":
        path = put(home / "data" / "nomic.ai" / "GPT4All" / "m.gguf")
    else:
        hub = home / "cache" / "huggingface" / "hub"
        path = put(hub / "models--org--m" / "snapshots" / "abc" / "m.gguf")
    with pytest.raises(ModelFileError, match=f"belongs to {app}, so Nibble leaves it") as caught:
        plan(path, (home,))
    assert f"Delete it in {app}" in str(caught.value.hint)
    assert path.exists()


def test_a_link_into_an_apps_folder_does_not_make_it_ours() -> None:
    """Even where the list did not know: the place that a file really lies at counts."""
    path = put(Path.home() / ".lmstudio" / "models" / "org" / "m" / "m.gguf")
    (paths.models_dir()).mkdir(parents=True)
    (paths.models_dir() / "linked").symlink_to(path.parent)
    inside = paths.models_dir() / "linked" / "m.gguf"
    with pytest.raises(ModelFileError, match="LM Studio"):
        library.plan_deletion(library.describe(inside), ())
    assert path.exists()


def test_a_link_out_of_our_folder_is_not_followed(tmp_path: Path) -> None:
    path = put(tmp_path / "elsewhere" / "m.gguf")
    paths.models_dir().mkdir(parents=True)
    (paths.models_dir() / "linked").symlink_to(path.parent)
    with pytest.raises(ModelFileError, match="outside Nibble's folders"):
        plan(paths.models_dir() / "linked" / "m.gguf")


def test_a_linked_file_of_ours_only_loses_the_link(tmp_path: Path) -> None:
    path = put(tmp_path / "elsewhere" / "m.gguf")
    paths.models_dir().mkdir(parents=True)
    link = paths.models_dir() / "m.gguf"
    link.symlink_to(path)
    assert library.delete(plan(link)) == 0
    assert not link.is_symlink()
    assert path.exists()


def test_a_loaded_model_stays() -> None:
    path = put(paths.models_dir() / "m.gguf")
    models = library.installed()
    with pytest.raises(ModelFileError, match="m is loaded") as caught:
        library.plan_deletion(models[0], models, (), {path})
    assert "Choose another model first" in str(caught.value.hint)


def test_the_starter_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "program" / paths.STARTER_NAME)
    monkeypatch.setattr(paths, "starter_model", lambda: path)
    with pytest.raises(ModelFileError, match="part of Nibble"):
        plan(path)


def test_a_file_opened_by_hand_stays(tmp_path: Path) -> None:
    path = put(tmp_path / "m.gguf")
    models = library.installed(also=[path])
    with pytest.raises(ModelFileError, match="outside Nibble's folders") as caught:
        library.plan_deletion(models[0], models)
    assert str(tmp_path) in str(caught.value.hint)


def test_what_cannot_be_deleted_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(paths.models_dir() / "m.gguf")
    deletion = plan(path)

    def refuse(self: Path, **_how: object) -> None:
        raise PermissionError(13, "in use", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ModelFileError, match=r"m\.gguf could not be deleted"):
        library.delete(deletion)
    assert path.exists()


def test_a_file_that_is_gone_already_is_no_trouble() -> None:
    path = put(paths.models_dir() / "m.gguf")
    deletion = plan(path)
    path.unlink()
    assert library.delete(deletion) == 0
