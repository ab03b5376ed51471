"""The queue of downloads: the real transfer from a hub on the loopback, good days and bad ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app import paths
from app.hub import sent
from app.hub.errors import OfflineError, TransferError
from app.hub.options import TransferOptions
from app.hub.pull import Request, download_folder, unfinished
from app.hub.repo import RemoteFile
from app.jobs import downloads as module
from app.jobs.downloads import Downloads
from app.jobs.downloadstate import DownloadState, Stage, total_speed
from app.jobs.network import SentWatch
from app.jobs.tasks import TaskThread
from tests.helpers.fake_hub import FakeHub, Seeded

MB = 1_000_000
HASTY = TransferOptions(reserve_bytes=0, stall_s=2.0, retries=1, backoff_s=0.02)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    sent.forget()
    with FakeHub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        yield made


@pytest.fixture
def make_job(qtbot: QtBot) -> Iterator[Callable[..., Downloads]]:
    """Makes jobs as a program that is started again does; the last one is closed in the end."""
    made: list[tuple[Downloads, TaskThread]] = []

    def close() -> None:
        while made:
            job, tasks = made.pop()
            job.close()
            tasks.close()

    def make(options: TransferOptions = HASTY) -> Downloads:
        close()
        tasks = TaskThread("tasks")
        made.append((Downloads(tasks, options), tasks))
        return made[0][0]

    yield make
    close()


@pytest.fixture
def job(make_job: Callable[..., Downloads]) -> Downloads:
    return make_job()


def _request(hub: FakeHub, name: str, size: int = 2 * MB, *, pinned: bool = True) -> Request:
    """A repository with one file, and what is needed to fetch it."""
    repo, content = f"maker/{name}", Seeded(len(name) * 31 + ord(name[0]), size)
    commit = hub.add_repo(repo, {f"{name}.gguf": content})
    file = RemoteFile(repo, commit, f"{name}.gguf", size, content.sha256)
    if not pinned:
        file = RemoteFile(repo, "", f"{name}.gguf", size + 999)
    return Request((file,), download_folder(repo), name, "Q8_0")


def _stage(job: Downloads, download_id: int) -> Stage | None:
    state = job.find(download_id)
    return state.stage if state else None


def _slow(hub: FakeHub, bytes_per_s: float = MB) -> None:
    hub.faults.bytes_per_s = bytes_per_s


def _wait_for(qtbot: QtBot, job: Downloads, download_id: int, *stages: Stage) -> DownloadState:
    qtbot.waitUntil(lambda: _stage(job, download_id) in stages, timeout=15_000)
    state = job.find(download_id)
    assert state is not None
    return state


def _begun(qtbot: QtBot, job: Downloads, download_id: int, n_bytes: int = 100_000) -> DownloadState:
    """Until that much of it is here."""

    def arrived() -> bool:
        state = job.find(download_id)
        return state is not None and state.done_bytes >= n_bytes

    qtbot.waitUntil(arrived, timeout=15_000)
    state = job.find(download_id)
    assert state is not None
    return state


def test_a_download_arrives_whole(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    request = _request(hub, "one")
    with qtbot.waitSignal(job.finished, timeout=15_000) as blocker:
        job.add(request)
    paths_, state = blocker.args
    assert paths_ == (download_folder("maker/one") / "one.gguf",)
    assert paths_[0].stat().st_size == 2 * MB
    assert state.stage is Stage.DONE
    assert state.model == paths_[0]
    assert (state.title, state.variant, state.share) == ("one", "Q8_0", 1.0)
    assert job.n_running == 0


def test_progress_is_told_as_often_as_an_eye_can_follow(
    qtbot: QtBot, hub: FakeHub, job: Downloads
) -> None:
    _slow(hub)
    seen: list[DownloadState] = []
    threads: set[threading.Thread] = set()

    def on_changed(states: tuple[DownloadState, ...]) -> None:
        seen.extend(states)
        threads.add(threading.current_thread())

    job.changed.connect(on_changed)
    with qtbot.waitSignal(job.finished, timeout=15_000):
        job.add(_request(hub, "one", 8 * MB))
    assert threads == {threading.main_thread()}
    fetching = [state for state in seen if state.stage is Stage.FETCHING]
    assert fetching
    assert total_speed(fetching[-1:]) > 0
    assert len(seen) < 60
    shares = [state.share for state in seen]
    assert shares == sorted(shares)


def test_two_at_a_time_and_the_others_in_their_order(
    qtbot: QtBot, hub: FakeHub, job: Downloads
) -> None:
    _slow(hub)
    ids = [job.add(_request(hub, name)) for name in ("one", "two", "three", "four")]
    assert [_stage(job, each) for each in ids[2:]] == [Stage.WAITING, Stage.WAITING]
    done: list[int] = []
    job.finished.connect(lambda _paths, state: done.append(state.id))
    qtbot.waitUntil(lambda: len(done) == 4, timeout=20_000)
    assert set(done[:2]) == set(ids[:2])
    assert [state.id for state in job.states] == ids


def test_more_at_once_when_the_setting_says_so(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    _slow(hub)
    job.set_n_at_once(1)
    ids = [job.add(_request(hub, name)) for name in ("one", "two", "three")]
    assert job.n_running == 1
    job.set_n_at_once(3)
    assert job.n_running == 3
    for each in ids:
        _wait_for(qtbot, job, each, Stage.DONE)


def test_the_same_twice_is_one_download(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    request = _request(hub, "one")
    first = job.add(request)
    assert job.add(request) == first
    assert len(job.states) == 1
    _wait_for(qtbot, job, first, Stage.DONE)


def test_pause_stops_the_traffic_and_resume_goes_on(
    qtbot: QtBot, hub: FakeHub, job: Downloads
) -> None:
    _slow(hub, 2 * MB)
    one = job.add(_request(hub, "one", 30 * MB))
    _begun(qtbot, job, one)
    job.pause(one)
    assert _stage(job, one) is Stage.PAUSED
    qtbot.wait(300)
    before = hub.traffic
    qtbot.wait(300)
    assert hub.traffic - before < MB
    hub.faults.bytes_per_s = 0
    job.resume(one)
    _wait_for(qtbot, job, one, Stage.DONE)
    assert hub.traffic < 45 * MB


def test_a_paused_one_makes_room_for_the_next(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    _slow(hub)
    job.set_n_at_once(1)
    one, two = job.add(_request(hub, "one", 20 * MB)), job.add(_request(hub, "two"))
    _begun(qtbot, job, one)
    job.pause(one)
    _wait_for(qtbot, job, two, Stage.CHECKING, Stage.FETCHING, Stage.DONE)
    job.resume(one)
    _wait_for(qtbot, job, two, Stage.DONE)
    hub.faults.bytes_per_s = 0
    _wait_for(qtbot, job, one, Stage.DONE)


def test_cancel_leaves_nothing(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    _slow(hub)
    request = _request(hub, "one", 20 * MB)
    one = job.add(request)
    _begun(qtbot, job, one)
    assert any(request.folder.iterdir())
    job.cancel(one)
    assert job.states == ()
    qtbot.waitUntil(lambda: not _files(request.folder), timeout=10_000)


def test_what_is_cancelled_can_be_asked_for_again_at_once(
    qtbot: QtBot, hub: FakeHub, job: Downloads
) -> None:
    _slow(hub)
    request = _request(hub, "one", 20 * MB)
    one = job.add(request)
    _begun(qtbot, job, one)
    job.cancel(one)
    again = job.add(request)
    assert _stage(job, again) is Stage.WAITING  # until the first has let go of its files
    hub.faults.bytes_per_s = 0
    _wait_for(qtbot, job, again, Stage.DONE)


def test_a_paused_one_is_cancelled(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    _slow(hub)
    request = _request(hub, "one", 20 * MB)
    one = job.add(request)
    _begun(qtbot, job, one)
    job.pause(one)
    job.cancel(one)
    qtbot.waitUntil(lambda: not _files(request.folder), timeout=10_000)


def test_closing_keeps_what_has_arrived(
    qtbot: QtBot, hub: FakeHub, make_job: Callable[..., Downloads]
) -> None:
    _slow(hub, 3 * MB)
    job = make_job()
    request = _request(hub, "one", 40 * MB)
    one = job.add(request)
    _begun(qtbot, job, one, 2 * MB)
    job = make_job()  # closes the first
    assert unfinished(paths.models_dir()) == (request,)
    hub.faults.bytes_per_s = 0
    hub.forget()
    with qtbot.waitSignal(job.changed):
        job.restore(paths.models_dir())
    (state,) = job.states
    assert (state.stage, state.title) == (Stage.PAUSED, "one")
    assert state.done_bytes > 0
    assert hub.traffic == 0
    job.resume(state.id)
    _wait_for(qtbot, job, state.id, Stage.DONE)
    assert hub.traffic <= 40 * MB - state.done_bytes + MB


def test_a_wrong_checksum_fails_with_a_way_on(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    hub.faults.flip_at = 1_000_000
    request = _request(hub, "one")
    one = job.add(request)
    state = _wait_for(qtbot, job, one, Stage.FAILED)
    assert isinstance(state.error, TransferError)
    assert state.error.hint is not None
    assert not (request.folder / "one.gguf").exists()
    hub.faults.flip_at = None
    job.retry(one)
    assert _wait_for(qtbot, job, one, Stage.DONE).error is None


def test_without_a_network_it_waits_and_goes_on_by_itself(
    qtbot: QtBot, hub: FakeHub, job: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.2,))
    request = _request(hub, "one")
    hub.go_offline()
    one = job.add(request)
    state = _wait_for(qtbot, job, one, Stage.OFFLINE)
    assert isinstance(state.error, OfflineError)
    hub.go_online()
    assert _wait_for(qtbot, job, one, Stage.DONE).error is None


def test_offline_ones_do_not_hold_up_the_queue(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    job.set_n_at_once(1)
    hub.go_offline()
    ids = [job.add(_request(hub, name)) for name in ("one", "two")]
    for each in ids:
        _wait_for(qtbot, job, each, Stage.OFFLINE)
    hub.go_online()
    job.try_offline_again()
    for each in ids:
        _wait_for(qtbot, job, each, Stage.DONE)


def test_the_speed_limit_holds_at_once(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    job.set_limit(0.5 * MB)
    one = job.add(_request(hub, "one", 20 * MB))
    state = _begun(qtbot, job, one, 300_000)
    qtbot.waitUntil(lambda: 0 < total_speed(job.states) < 3 * MB, timeout=10_000)
    assert state.done_bytes < 20 * MB
    job.set_limit(0)
    _wait_for(qtbot, job, one, Stage.DONE)


def test_a_file_without_a_commit_is_asked_for_first(
    qtbot: QtBot, hub: FakeHub, job: Downloads
) -> None:
    request = _request(hub, "one", pinned=False)
    one = job.add(request)
    state = _wait_for(qtbot, job, one, Stage.DONE)
    assert state.request.files[0].commit
    assert state.total_bytes == 2 * MB
    assert job.find_request(request) == state


def test_a_file_that_is_gone_is_said(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    hub.add_repo("maker/one", {"other.gguf": b"GGUF"})
    file = RemoteFile("maker/one", "", "one.gguf", 4)
    one = job.add(Request((file,), download_folder("maker/one"), "one", "Q8_0"))
    state = _wait_for(qtbot, job, one, Stage.FAILED)
    assert state.error is not None
    assert "one.gguf" in str(state.error.text)


def test_done_ones_leave_the_list_and_their_files_stay(
    qtbot: QtBot, hub: FakeHub, job: Downloads
) -> None:
    one, two = job.add(_request(hub, "one")), job.add(_request(hub, "two"))
    _wait_for(qtbot, job, one, Stage.DONE)
    state = _wait_for(qtbot, job, two, Stage.DONE)
    job.cancel(two)
    assert [each.id for each in job.states] == [one]
    job.clear_done()
    assert job.states == ()
    assert state.model is not None
    assert state.model.exists()


def test_the_first_request_is_noticed(qtbot: QtBot, hub: FakeHub, job: Downloads) -> None:
    watch = SentWatch()
    assert not watch.has_sent
    with qtbot.waitSignal(watch.sent, timeout=10_000):
        one = job.add(_request(hub, "one"))
    assert watch.has_sent
    watch.close()
    _wait_for(qtbot, job, one, Stage.DONE)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
