"""The downloads dock: real downloads from a hub on the loopback, what is said, what can be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.core.errors import AppError, Message
from app.hub.options import TransferOptions
from app.hub.pull import Request, download_folder
from app.hub.repo import RemoteFile
from app.jobs.downloads import Downloads
from app.jobs.downloadstate import DownloadState, Stage
from app.jobs.tasks import TaskThread
from app.ui import style
from app.ui.downloads import wording
from app.ui.downloads.dock import DownloadsDock
from app.ui.downloads.row import DownloadRow
from app.ui.theme import theme
from tests.helpers.fake_hub import FakeHub, Seeded

MB = 1_000_000
HASTY = TransferOptions(reserve_bytes=0, stall_s=2.0, retries=1, backoff_s=0.02)
Make = Callable[..., Request]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        yield made


@pytest.fixture
def request_of(hub: FakeHub) -> Make:
    def make(name: str, size: int = MB, suffix: str = "gguf") -> Request:
        repo, content = f"maker/{name}", Seeded(size, size)
        commit = hub.add_repo(repo, {f"{name}.{suffix}": content})
        file = RemoteFile(repo, commit, f"{name}.{suffix}", size, content.sha256)
        return Request((file,), download_folder(repo), name, "Q4_K_M")

    return make


@pytest.fixture
def job(qtbot: QtBot) -> Iterator[Downloads]:
    tasks = TaskThread("tasks")
    made = Downloads(tasks, HASTY)
    yield made
    made.close()
    tasks.close()


@pytest.fixture
def dock(qtbot: QtBot, job: Downloads) -> Iterator[DownloadsDock]:
    made = DownloadsDock(job)
    qtbot.addWidget(made)
    made.resize(880, 200)
    style.apply_theme(made)
    yield made
    theme().follow("light")
    style.apply_text_scale(100)


def _row(dock: DownloadsDock, download_id: int) -> DownloadRow:
    return dock.rows[download_id]


def _wait_for(qtbot: QtBot, job: Downloads, download_id: int, *stages: Stage) -> DownloadState:
    def is_there() -> bool:
        state = job.find(download_id)
        return state is not None and state.stage in stages

    qtbot.waitUntil(is_there, timeout=15_000)
    state = job.find(download_id)
    assert state is not None
    return state


def _fetching(qtbot: QtBot, hub: FakeHub, job: Downloads, request: Request) -> int:
    """Begin a slow download; returns when more than a trifle of it is here."""
    hub.faults.bytes_per_s = 2 * MB
    number = job.add(request)

    def arrived() -> bool:
        state = job.find(number)
        return state is not None and state.done_bytes > 1.5 * MB

    qtbot.waitUntil(arrived, timeout=15_000)
    return number


def test_it_is_there_while_there_is_something_in_it(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, request_of: Make
) -> None:
    assert dock.isHidden()
    number = job.add(request_of("Qwen3"))
    assert not dock.isHidden()
    _wait_for(qtbot, job, number, Stage.DONE)
    assert not dock.isHidden()
    dock.clear_button.click()
    assert dock.isHidden()
    assert dock.rows == {}


def test_a_row_says_how_far_it_is(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, hub: FakeHub, request_of: Make
) -> None:
    number = _fetching(qtbot, hub, job, request_of("Qwen3", 40 * MB))
    row = _row(dock, number)
    state = job.find(number)
    assert state is not None
    assert row.texts == (wording.amount(state), wording.doing(state))
    assert row.texts[0].endswith("of 40 MB")
    assert row.bar.accessibleName() == "Download of Qwen3 Q4_K_M"
    assert row.bar.accessibleDescription() == wording.spoken(state)
    assert row.bar.value() == pytest.approx(state.share * row.bar.maximum(), abs=1)
    assert row.pause_button.accessibleName() == "Pause Qwen3 Q4_K_M"


def test_pause_and_continue_with_the_keyboard(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, hub: FakeHub, request_of: Make
) -> None:
    number = _fetching(qtbot, hub, job, request_of("Qwen3", 40 * MB))
    with qtbot.waitExposed(dock):
        dock.show()
    row = _row(dock, number)
    row.pause_button.setFocus()
    QTest.keyClick(row.pause_button, Qt.Key.Key_Space)
    assert job.find(number).stage is Stage.PAUSED  # type: ignore[union-attr]
    assert row.main_button.text() == "Continue"
    assert row.main_button.hasFocus()
    assert row.texts[1] == "Paused"
    hub.faults.bytes_per_s = 0
    QTest.keyClick(row.main_button, Qt.Key.Key_Space)
    _wait_for(qtbot, job, number, Stage.DONE)
    assert row.main_button.text() == "Chat with it"
    assert row.outcome.text == "Complete. The checksum agrees."


def test_chat_with_it(qtbot: QtBot, dock: DownloadsDock, job: Downloads, request_of: Make) -> None:
    number = job.add(request_of("Qwen3"))
    state = _wait_for(qtbot, job, number, Stage.DONE)
    with qtbot.waitSignal(dock.chat_requested) as blocker:
        _row(dock, number).main_button.click()
    assert blocker.args == [state.model]


def test_weights_are_for_the_quantizer(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, request_of: Make
) -> None:
    request = request_of("Qwen3", suffix="safetensors")
    number = job.add(request)
    _wait_for(qtbot, job, number, Stage.DONE)
    row = _row(dock, number)
    assert row.main_button.text() == "Quantize it…"
    with qtbot.waitSignal(dock.quantize_requested) as blocker:
        row.main_button.click()
    assert blocker.args == [request.folder]


def test_cancelling_asks_where_much_has_arrived(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, hub: FakeHub, request_of: Make
) -> None:
    number = _fetching(qtbot, hub, job, request_of("Qwen3", 40 * MB))
    _row(dock, number).cancel_button.click()
    (box,) = dock.findChildren(QMessageBox)
    assert box.text() == "Cancel the download of Qwen3 Q4_K_M?"
    _button(box, "Keep it").click()
    assert job.find(number) is not None
    qtbot.waitUntil(lambda: not dock.findChildren(QMessageBox))
    _row(dock, number).cancel_button.click()
    (box,) = dock.findChildren(QMessageBox)
    _button(box, "Throw it away").click()
    assert job.states == ()
    assert dock.isHidden()


def test_cancelling_what_only_waits_asks_nothing(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, hub: FakeHub, request_of: Make
) -> None:
    job.set_n_at_once(1)
    _fetching(qtbot, hub, job, request_of("Qwen3", 40 * MB))
    second = job.add(request_of("Gemma"))
    assert _row(dock, second).texts == ("1 MB", "Its turn comes")
    _row(dock, second).cancel_button.click()
    assert dock.findChildren(QMessageBox) == []
    assert job.find(second) is None


def test_a_failure_is_a_sentence_with_a_way_on(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, hub: FakeHub, request_of: Make
) -> None:
    hub.faults.flip_at = 1000
    number = job.add(request_of("Qwen3"))
    _wait_for(qtbot, job, number, Stage.FAILED)
    row = _row(dock, number)
    assert row.outcome.text.endswith(".")
    assert row.outcome.hint.endswith(".")
    assert not row.bar.isVisibleTo(dock)
    hub.faults.flip_at = None
    assert row.main_button.text() == "Try again"
    row.main_button.click()
    _wait_for(qtbot, job, number, Stage.DONE)


def test_offline_says_so_and_can_be_tried_now(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, hub: FakeHub, request_of: Make
) -> None:
    request = request_of("Qwen3")
    hub.go_offline()
    number = job.add(request)
    _wait_for(qtbot, job, number, Stage.OFFLINE)
    row = _row(dock, number)
    assert row.texts[1] == "No connection"
    assert "by itself" in row.bar.toolTip()
    hub.go_online()
    assert row.main_button.text() == "Try now"
    row.main_button.click()
    _wait_for(qtbot, job, number, Stage.DONE)


def test_rows_keep_their_order_and_scroll_when_there_are_many(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, hub: FakeHub, request_of: Make
) -> None:
    with qtbot.waitExposed(dock):
        dock.show()
    numbers = [job.add(request_of(name)) for name in "abcdefg"]
    for number in numbers:
        _wait_for(qtbot, job, number, Stage.DONE)
    QApplication.processEvents()
    places = [_row(dock, number).y() for number in numbers]
    assert places == sorted(places)
    last = _row(dock, numbers[-1])
    area = last.parentWidget().parentWidget()
    assert area.height() < 7 * 36
    assert last.y() > area.height()


def test_the_focus_stays_in_the_dock_when_a_row_goes(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, request_of: Make
) -> None:
    with qtbot.waitExposed(dock):
        dock.show()
    one, two = job.add(request_of("one")), job.add(request_of("two"))
    for number in (one, two):
        _wait_for(qtbot, job, number, Stage.DONE)
    _row(dock, one).cancel_button.setFocus()
    _row(dock, one).cancel_button.click()
    assert dock.focusWidget() is _row(dock, two).cancel_button


@pytest.mark.parametrize(("width", "percent"), [(880, 100), (560, 100), (880, 200), (640, 200)])
def test_nothing_is_cut_off_for_want_of_room(
    qtbot: QtBot, dock: DownloadsDock, job: Downloads, request_of: Make, width: int, percent: int
) -> None:
    style.apply_text_scale(percent)
    style.apply_theme(dock)
    dock.resize(width, 400)
    number = job.add(request_of("A model with quite a long name"))
    state = _wait_for(qtbot, job, number, Stage.DONE)
    with qtbot.waitExposed(dock):
        dock.show()
    row = _row(dock, number)
    for stage in Stage:
        error = AppError(Message("test", "It is so."), Message("test", "Do that."), "detail")
        row.show_state(replace(state, stage=stage, error=error, done_bytes=1, eta_s=3500.0))
        QApplication.processEvents()
        for button in (row.main_button, row.pause_button, row.cancel_button):
            if button.isVisible():
                assert button.width() >= button.sizeHint().width() or button is not row.main_button
                right = button.mapTo(dock, button.rect().topRight()).x()
                assert right <= dock.width(), stage


def test_a_model_in_parts_is_opened_by_its_first(tmp_path: Path) -> None:
    names = ("mmproj-F16.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf")
    paths = tuple(tmp_path / name for name in names)
    state = DownloadState(1, Request((), tmp_path, "Big"), Stage.DONE, paths=paths)
    assert state.model == paths[1]


def _button(box: QMessageBox, text: str):
    return next(button for button in box.buttons() if button.text() == text)
