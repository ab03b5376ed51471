"""Settings: declared once, kept in one file, never lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.core import settings as s
from app.core.errors import SettingsError
from app.core.settings import Settings

ALL = [setting for _, section in s.SECTIONS for setting in section] + list(s.HIDDEN)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


@pytest.mark.parametrize("setting", ALL, ids=lambda setting: setting.key)
def test_every_default_is_acceptable(setting: s.Setting[str]) -> None:
    assert setting.accepts(setting.default)


def test_keys_are_unique() -> None:
    assert len({setting.key for setting in ALL}) == len(ALL)


def test_shown_settings_have_words() -> None:
    for _, section in s.SECTIONS:
        for setting in section:
            assert setting.label, setting.key
            assert setting.help, setting.key


def test_a_value_is_there_after_a_restart(file: Path) -> None:
    Settings(file).set(s.TEMPERATURE, 1.25)
    assert Settings(file).get(s.TEMPERATURE) == 1.25


def test_a_whole_number_written_by_hand_is_a_fine_temperature(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"sampling.temperature": 1}')
    value = Settings(file).get(s.TEMPERATURE)
    assert (value, type(value)) == (1.0, float)


@pytest.mark.parametrize("value", [-1.0, 2.5, float("nan")])
def test_a_value_out_of_bounds_is_refused(file: Path, value: float) -> None:
    settings = Settings(file)
    with pytest.raises(SettingsError):
        settings.set(s.TEMPERATURE, value)
    assert not file.exists()


@pytest.mark.parametrize("written", ['"hot"', "true", "null", "[1]", "99", "-3"])
def test_a_bad_value_in_the_file_counts_as_the_default(file: Path, written: str) -> None:
    file.parent.mkdir()
    file.write_text(f'{{"sampling.temperature": {written}}}')
    assert Settings(file).get(s.TEMPERATURE) == s.TEMPERATURE.default


def test_a_newer_versions_keys_are_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"from.the.future": [1, 2]}')
    Settings(file).set(s.TOP_K, 20)
    assert json.loads(file.read_text()) == {"from.the.future": [1, 2], "sampling.top_k": 20}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_an_unreadable_file_is_set_aside_and_said(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    settings = Settings(file)
    assert settings.problem is not None
    settings.set(s.TOP_K, 20)
    assert file.with_name("settings.json.unreadable-1").read_bytes() == content


def test_a_disk_that_cannot_be_written_keeps_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(file)
    settings.set(s.TOP_K, 20)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.core.files.os.fsync", full)
    with pytest.raises(SettingsError, match="could not be saved"):
        settings.set(s.TOP_K, 30)
    assert json.loads(file.read_text()) == {"sampling.top_k": 20}
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_reset_goes_back_to_the_default(file: Path) -> None:
    settings = Settings(file)
    settings.set(s.TOP_K, 20)
    settings.reset(s.TOP_K)
    assert Settings(file).get(s.TOP_K) == s.TOP_K.default


@pytest.mark.parametrize(
    ("text", "endpoints"),
    [
        ("", ()),
        (" , ", ()),
        ("https://hub.example/", ("https://hub.example",)),
        ("hub.example, http://mirror:8080", ("https://hub.example", "http://mirror:8080")),
    ],
)
def test_the_hubs_are_read_from_one_line(text: str, endpoints: tuple[str, ...]) -> None:
    assert s.hub_endpoints(text) == endpoints
