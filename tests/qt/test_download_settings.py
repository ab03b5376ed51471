"""What the settings say about downloads is what happens; the token is kept and never shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from PySide6.QtWidgets import QLabel, QLineEdit

from app.core import settings as s
from app.hub import token
from app.hub.pull import Request, download_folder
from app.hub.repo import RemoteFile
from app.jobs.downloadstate import Stage, total_speed
from app.ui.tokencard import TokenCard
from app.ui.window import SETTINGS
from tests.helpers.fake_hub import FakeHub, Seeded
from tests.helpers.window_kit import WindowKit

MB = 1_000_000
TOKEN = "hf_" + "a" * 34


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as made:
        yield made


@pytest.fixture
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def card(no_keyring: None, kit: WindowKit) -> TokenCard:
    kit.window.show_page(SETTINGS)
    found = kit.window.current_page.findChild(TokenCard)
    assert found is not None
    return found


def _request(hub: FakeHub, name: str, size: int = 2 * MB) -> Request:
    content = Seeded(size, size)
    commit = hub.add_repo(f"maker/{name}", {f"{name}.gguf": content})
    file = RemoteFile(f"maker/{name}", commit, f"{name}.gguf", size, content.sha256)
    return Request((file,), download_folder(file.repo), name, "Q8_0")


def test_downloads_come_from_where_the_settings_say(hub: FakeHub, kit: WindowKit) -> None:
    kit.window.prefs.set(s.HUB_ENDPOINTS, f"http://127.0.0.1:9, {hub.endpoint}")
    job = kit.window.downloading.job
    job.add(_request(hub, "one"))
    kit.qtbot.waitUntil(lambda: job.states[0].stage is Stage.DONE, timeout=30_000)


def test_the_limit_and_how_many_at_once_hold_at_once(
    hub: FakeHub, kit: WindowKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    kit.window.prefs.set(s.DOWNLOADS_AT_ONCE, 1)
    kit.window.prefs.set(s.DOWNLOAD_LIMIT, 1.0)
    job = kit.window.downloading.job
    for name in ("one", "two"):
        job.add(_request(hub, name, 20 * MB))
    assert [state.stage for state in job.states] == [Stage.CHECKING, Stage.WAITING]
    kit.qtbot.waitUntil(lambda: 0 < total_speed(job.states) < 4 * MB, timeout=15_000)
    kit.window.prefs.set(s.DOWNLOADS_AT_ONCE, 2)
    assert job.n_running == 2
    kit.window.prefs.set(s.DOWNLOAD_LIMIT, 0.0)
    done = lambda: all(state.stage is Stage.DONE for state in job.states)  # noqa: E731
    kit.qtbot.waitUntil(done, timeout=30_000)


def test_a_token_is_saved_and_only_its_being_there_is_shown(
    card: TokenCard, kit: WindowKit
) -> None:
    assert card.field.isVisible()
    assert card.field.echoMode() is QLineEdit.EchoMode.Password
    assert not card.save_button.isEnabled()
    card.field.setText(f"  {TOKEN} ")
    card.save_button.click()
    kit.wait(card.forget_button.isVisible)
    assert token.get_token() == TOKEN
    assert not card.field.isVisible()
    assert card.field.text() == ""
    texts = [label.text() for label in card.findChildren(QLabel) if label.isVisible()]
    assert "In a file only you can read" in texts
    assert not any(TOKEN in text for text in texts)


def test_a_token_is_forgotten(card: TokenCard, kit: WindowKit) -> None:
    token.save_token(TOKEN)
    card._job.look()
    kit.wait(card.forget_button.isVisible)
    card.forget_button.click()
    kit.wait(card.field.isVisible)
    assert token.get_token() == ""


def test_what_is_no_token_is_said(card: TokenCard, kit: WindowKit) -> None:
    card.field.setText("two words")
    card.save_button.click()
    kit.wait(card.trouble.isVisible)
    assert card.trouble.text == "This is not a token."
    assert card.trouble.hint
    assert token.get_token() == ""


def test_a_token_from_the_environment_cannot_be_forgotten_here(
    card: TokenCard, kit: WindowKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    card._job.look()
    kit.wait(card.state.isVisible)
    assert card.state.text() == "Given by HF_TOKEN"
    assert not card.forget_button.isVisible()


def test_the_token_goes_to_the_hub(
    hub: FakeHub, kit: WindowKit, no_keyring: None, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    hub.add_token(TOKEN, "someone", access=("maker/gated",))
    content = Seeded(MB, MB)
    commit = hub.add_repo("maker/gated", {"g.gguf": content}, gated="manual")
    file = RemoteFile("maker/gated", commit, "g.gguf", MB, content.sha256)
    job = kit.window.downloading.job
    number = job.add(Request((file,), download_folder(file.repo), "Gated", "Q8_0"))
    kit.qtbot.waitUntil(lambda: job.states[0].stage is Stage.FAILED, timeout=15_000)
    token.save_token(TOKEN)
    job.retry(number)
    kit.qtbot.waitUntil(lambda: job.states[0].stage is Stage.DONE, timeout=15_000)
