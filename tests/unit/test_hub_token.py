"""Where the token is kept, and that it is nowhere else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from app.hub import token
from app.hub.errors import HubError
from app.hub.token import TokenPlace

TOKEN = "hf_" + "aBcD1234" * 4


class MemoryKeyring(KeyringBackend):
    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}
        self.asked = 0
        self.is_locked = False

    def _look(self) -> None:
        self.asked += 1
        if self.is_locked:
            raise RuntimeError("locked, and the token is " + TOKEN)

    def get_password(self, service: str, username: str) -> str | None:
        self._look()
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._look()
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._look()
        del self.held[service, username]


@pytest.fixture
def ring() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    ring = MemoryKeyring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


@pytest.fixture
def no_ring(ring: MemoryKeyring) -> None:
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]


def files_with(home: Path, secret: str) -> list[Path]:
    files = [path for path in home.rglob("*") if path.is_file()]
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_no_token_and_nobody_is_asked_to_unlock_anything(ring: MemoryKeyring) -> None:
    assert token.get_token() == ""
    assert token.token_place() is TokenPlace.NONE
    token.forget_token()
    assert ring.asked == 0


def test_the_keyring_keeps_it(ring: MemoryKeyring, home: Path) -> None:
    assert token.save_token(f"  {TOKEN}\n") is TokenPlace.KEYRING
    assert token.token_place() is TokenPlace.KEYRING
    assert token.get_token() == TOKEN
    assert ring.held == {("nibble", "huggingface"): TOKEN}
    assert files_with(home, TOKEN) == []
    token.forget_token()
    assert (token.get_token(), ring.held) == ("", {})


@pytest.mark.usefixtures("no_ring")
def test_without_a_keyring_a_file_of_the_owner_alone(home: Path) -> None:
    assert token.save_token(TOKEN) is TokenPlace.FILE
    assert token.get_token() == TOKEN
    assert token.token_place() is TokenPlace.FILE
    assert files_with(home, TOKEN) == [token.token_file()]
    if os.name == "posix":
        assert stat.S_IMODE(token.token_file().stat().st_mode) == 0o600
    token.forget_token()
    assert (token.get_token(), files_with(home, TOKEN)) == ("", [])


def test_a_keyring_that_is_locked_or_broken(ring: MemoryKeyring) -> None:
    ring.is_locked = True
    assert token.save_token(TOKEN) is TokenPlace.FILE
    assert token.get_token() == TOKEN


def test_a_keyring_that_locks_later(ring: MemoryKeyring) -> None:
    token.save_token(TOKEN)
    ring.is_locked = True
    assert token.get_token() == ""
    with pytest.raises(HubError) as caught:
        token.forget_token()
    assert str(caught.value) == "The system's keyring did not let the token be removed."
    assert TOKEN not in caught.value.detail
    assert token.token_place() is TokenPlace.NONE


def test_a_keyring_emptied_elsewhere(ring: MemoryKeyring) -> None:
    token.save_token(TOKEN)
    ring.held.clear()
    assert token.get_token() == ""
    token.forget_token()


def test_a_new_token_replaces_the_old(ring: MemoryKeyring, home: Path) -> None:
    token.save_token(TOKEN)
    token.save_token("hf_second")
    assert token.get_token() == "hf_second"
    ring.is_locked = True
    token.save_token("hf_third")
    assert token.get_token() == "hf_third"
    assert files_with(home, TOKEN) == []


def test_the_environment_wins_and_is_left_alone(
    ring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    token.save_token(TOKEN)
    monkeypatch.setenv("HF_TOKEN", "hf_environment")
    assert token.get_token() == "hf_environment"
    assert token.token_place() is TokenPlace.ENVIRONMENT
    token.forget_token()
    assert token.get_token() == "hf_environment"


@pytest.mark.parametrize("text", ["", "  ", "hf", "two words", "naïve_token", "a\nb\nc", "x" * 600])
def test_what_is_no_token(text: str, ring: MemoryKeyring) -> None:
    with pytest.raises(HubError) as caught:
        token.save_token(text)
    assert str(caught.value) == "This is not a token."
    assert ring.held == {}


def test_a_token_that_could_break_a_header_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x\r\nHost: evil")
    assert token.get_token() == ""


@pytest.mark.usefixtures("no_ring")
def test_a_folder_that_cannot_be_written(home: Path) -> None:
    token.token_file().parent.parent.mkdir(parents=True)
    token.token_file().parent.write_text("in the way")
    with pytest.raises(HubError) as caught:
        token.save_token(TOKEN)
    assert str(caught.value) == "The token could not be saved."
    assert TOKEN not in caught.value.detail


@pytest.mark.usefixtures("no_ring")
def test_a_full_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token, "token_file", lambda: small_disk / "hub-token")
    with (small_disk / "full").open("wb", buffering=0) as file:
        file.write(bytes(2 << 20))  # as much of it as there is room for
    with pytest.raises(HubError, match="could not be saved"):
        token.save_token(TOKEN)
    assert [path.name for path in small_disk.iterdir()] == ["full"]


def test_the_token_of_hf_login_only_when_asked_for(home: Path) -> None:
    place = home / ".cache" / "huggingface" / "token"
    place.parent.mkdir(parents=True)
    place.write_text(TOKEN + "\n")
    assert token.get_token() == ""
    assert token.token_of_hf_login() == TOKEN


def test_the_real_keyring_library_never_stops_anything() -> None:
    """With whatever this machine has, in a process of its own."""
    code = f"from app.hub import token; token.save_token('{TOKEN}'); print(token.get_token())"
    environment = os.environ | {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert result.stdout.strip() == TOKEN
