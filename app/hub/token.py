"""The user's Hugging Face token: from $HF_TOKEN, else from the system's keyring.

Where there is no keyring (a bare Linux session, a locked one, a broken backend), a file in the
config folder keeps it, readable by its owner alone. That file also says, by being empty, that the
keyring has it: so nobody without a token is ever asked to unlock a keyring. Nothing here logs, and
no error says the token. The token file of `hf auth login` is not read: a token given to another
program was not given to this one (`token_of_hf_login` is for when the user asks for just that).
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path

from app import paths
from app.core.errors import QT_TRANSLATE_NOOP
from app.core.files import write_atomic
from app.hub.errors import HubError

_SERVICE = "nibble"
_USER = "huggingface"
_TOKEN = re.compile(r"[\x21-\x7e]{4,512}")
_MAX_FILE_BYTES = 4096


class TokenPlace(StrEnum):
    NONE = ""
    ENVIRONMENT = "environment"  # $HF_TOKEN, which nothing here can change
    KEYRING = "keyring"
    FILE = "file"


def token_file() -> Path:
    return paths.config_dir() / "hub-token"


def get_token() -> str:
    """The token to ask the hub with, "" without one. May wait for the user to unlock the keyring.

    Never raises: a keyring that fails is a token that is not there.
    """
    return _from_environment() or _from_file() or (_from_keyring() if _is_in_keyring() else "")


def token_place() -> TokenPlace:
    """Where the token is, without asking the keyring."""
    if _from_environment():
        return TokenPlace.ENVIRONMENT
    if _from_file():
        return TokenPlace.FILE
    return TokenPlace.KEYRING if _is_in_keyring() else TokenPlace.NONE


def save_token(token: str) -> TokenPlace:
    """Keep `token`, in the keyring where there is one. Raises HubError."""
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise _not_a_token()
    place = TokenPlace.KEYRING if _into_keyring(token) else TokenPlace.FILE
    try:
        write_atomic(token_file(), b"" if place is TokenPlace.KEYRING else token.encode())
    except OSError as error:
        raise _not_saved(error) from error
    return place


def forget_token() -> None:
    """Remove it everywhere but from $HF_TOKEN. Raises HubError where a copy stays behind."""
    was_in_keyring = _is_in_keyring()
    try:
        token_file().unlink(missing_ok=True)
    except OSError as error:
        text = QT_TRANSLATE_NOOP("hub", "The token could not be removed.")
        hint = QT_TRANSLATE_NOOP("hub", "Delete the file {path} yourself.")
        raise HubError(text, hint.fill(path=str(token_file())), str(error)) from error
    if was_in_keyring and not _out_of_keyring():
        text = QT_TRANSLATE_NOOP("hub", "The system's keyring did not let the token be removed.")
        hint = QT_TRANSLATE_NOOP("hub", "Remove “{service}” in the system's password manager.")
        raise HubError(text, hint.fill(service=_SERVICE))


def token_of_hf_login() -> str:
    """What `hf auth login` left here, "" for nothing. Only when the user asks for just that."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return _read(Path(home) / "token")


def _from_environment() -> str:
    return _clean(os.environ.get("HF_TOKEN", ""))


def _from_file() -> str:
    return _read(token_file())


def _is_in_keyring() -> bool:
    try:
        return token_file().stat().st_size == 0
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _clean(file.read(_MAX_FILE_BYTES).decode("utf-8", "replace"))
    except OSError:
        return ""


def _clean(text: str) -> str:
    """`text` where it can go into a header, else ""."""
    text = text.strip()
    return text if _TOKEN.fullmatch(text) else ""


# Backends of keyring raise what they like (D-Bus errors, ctypes errors, RuntimeErrors): all of it
# means that there is no keyring to be had.


def _from_keyring() -> str:
    try:
        import keyring

        return _clean(keyring.get_password(_SERVICE, _USER) or "")
    except Exception:
        return ""


def _into_keyring(token: str) -> bool:
    """Whether the keyring took it, and gives it back."""
    try:
        import keyring

        keyring.set_password(_SERVICE, _USER, token)
        return bool(keyring.get_password(_SERVICE, _USER) == token)
    except Exception:
        return False


def _out_of_keyring() -> bool:
    """Whether it is no longer there."""
    try:
        import keyring

        if keyring.get_password(_SERVICE, _USER) is not None:
            keyring.delete_password(_SERVICE, _USER)
        return True
    except Exception:
        return False


def _not_a_token() -> HubError:
    text = QT_TRANSLATE_NOOP("hub", "This is not a token.")
    hint = QT_TRANSLATE_NOOP("hub", "Copy it from the hub whole: it begins with “hf_”.")
    return HubError(text, hint)


def _not_saved(error: OSError) -> HubError:
    text = QT_TRANSLATE_NOOP("hub", "The token could not be saved.")
    hint = QT_TRANSLATE_NOOP("hub", "Check that {folder} can be written to and the disk has space.")
    return HubError(text, hint.fill(folder=str(token_file().parent)), str(error))
