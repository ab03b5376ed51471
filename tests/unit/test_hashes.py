"""Sums of files: kept, outdated, found to differ; two processes; full disks; damaged lists."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from app import paths
from app.core import hashes
from app.core.errors import ModelFileError
from app.core.hashes import Known
from quantize.control import Control
from quantize.errors import Cancelled


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"some weights")
    return path


def change(path: Path, data: bytes) -> None:
    """Write, with another time of change however coarse the clock is."""
    path.write_bytes(data)
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now + 1_000_000))


def test_nothing_is_known_at_first(file: Path) -> None:
    assert hashes.known(file) is None
    assert hashes.last_known(file) is None
    assert hashes.outdated([file]) == ()


def test_what_was_recorded_is_known(file: Path) -> None:
    hashes.record(file, sum_of(b"some weights").upper(), "org/m", "c0ffee")
    known = hashes.known(file)
    assert known is not None
    assert (known.sha256, known.repo, known.commit) == (sum_of(b"some weights"), "org/m", "c0ffee")
    assert not known.has_changed


def test_a_link_to_a_file_is_the_file(file: Path, tmp_path: Path) -> None:
    hashes.record(file, sum_of(b"some weights"))
    (tmp_path / "link").symlink_to(file)
    assert hashes.known(tmp_path / "link") == hashes.known(file)


def test_a_changed_file_is_no_longer_known(file: Path) -> None:
    hashes.record(file, sum_of(b"some weights"))
    change(file, b"other weight")
    assert hashes.known(file) is None
    assert hashes.outdated([file, file.with_name("other")]) == (file,)
    known = hashes.rehash(file)
    assert known.has_changed
    assert (known.sha256, known.present_sha256) == (
        sum_of(b"some weights"),
        sum_of(b"other weight"),
    )
    assert hashes.known(file) == known
    assert hashes.outdated([file]) == ()


def test_a_file_that_changes_back_is_sound_again(file: Path) -> None:
    hashes.record(file, sum_of(b"some weights"), "org/m")
    change(file, b"other weight")
    hashes.rehash(file)
    change(file, b"some weights")
    known = hashes.rehash(file)
    assert not known.has_changed
    assert known.repo == "org/m"


def test_a_change_can_be_accepted(file: Path) -> None:
    hashes.record(file, sum_of(b"some weights"), "org/m")
    change(file, b"other weight")
    hashes.rehash(file)
    hashes.accept(file)
    known = hashes.known(file)
    assert known is not None
    assert (known.sha256, known.repo, known.has_changed) == (sum_of(b"other weight"), "", False)


def test_an_expected_sum_counts_as_known(file: Path) -> None:
    assert hashes.rehash(file, expected="0" * 64).has_changed
    assert hashes.rehash(file, expected=sum_of(b"some weights")).sha256 == "0" * 64


def test_a_file_is_read_in_pieces_and_can_be_left(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(9 * 1024**2))
    heard: list[int] = []
    control = Control()

    def on_bytes(n_bytes: int) -> None:
        heard.append(n_bytes)
        control.cancel()

    with pytest.raises(Cancelled):
        hashes.rehash(path, control, on_bytes)
    assert heard == [4 * 1024**2]
    assert hashes.last_known(path) is None
    assert hashes.rehash(path).sha256 == sum_of(bytes(9 * 1024**2))


def test_a_file_written_meanwhile_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(bytes(5 * 1024**2))
    with pytest.raises(ModelFileError, match="changed while it was being checked"):
        hashes.rehash(path, on_bytes=lambda _n: change(path, bytes(6 * 1024**2)))
    assert hashes.last_known(path) is None


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="could not be read to its end"):
        hashes.rehash(tmp_path / "gone")
    with pytest.raises(ModelFileError, match="could not be read to its end"):
        hashes.rehash(tmp_path)


def test_recording_what_is_gone_is_no_trouble(tmp_path: Path) -> None:
    hashes.record(tmp_path / "gone", "0" * 64)
    hashes.record(tmp_path / "a\0b", "0" * 64)
    hashes.forget([tmp_path / "gone"])
    assert hashes.last_known(tmp_path / "gone") is None


def list_file() -> Path:
    return paths.data_dir() / "hashes.json"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"/a": 1}',
        b'{"/a": {"sha256": 7}}',
        b'{"/a": {"sha256": "x", "size_bytes": 1e400, "mtime_ns": 0, "checked_at": 0}}',
    ],
)
def test_a_damaged_list_is_set_aside(file: Path, data: bytes) -> None:
    list_file().parent.mkdir(parents=True)
    list_file().write_bytes(data)
    assert hashes.known(file) is None
    hashes.record(file, sum_of(b"some weights"))
    assert hashes.known(file) is not None
    kept = list(list_file().parent.glob("hashes.json.unreadable-*"))
    assert [path.read_bytes() for path in kept] == ([data] if data else [])


def test_the_list_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are gone go first, then the oldest."""
    monkeypatch.setattr(hashes, "MAX_RECORDS", 3)
    files = [tmp_path / str(n) for n in range(6)]
    for path in files:
        path.write_bytes(b"x")
        hashes.record(path, "0" * 64)
        if path.name == "3":
            path.unlink()
    assert [path.name for path in files if hashes.last_known(path)] == ["2", "4", "5"]


def test_a_full_disk_costs_the_sum_only(
    small_disk: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "data_dir", lambda: small_disk)
    hashes.record(file, sum_of(b"some weights"))
    before = (small_disk / "hashes.json").read_bytes()
    with pytest.raises(OSError):
        _fill(small_disk / "full")
    other = file.with_name("other")
    other.write_bytes(b"x")
    hashes.record(other, "0" * 64)
    assert hashes.rehash(other).sha256 == sum_of(b"x")
    assert (small_disk / "hashes.json").read_bytes() == before
    assert hashes.known(file) is not None


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))


def test_a_folder_that_cannot_be_made(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "data_dir", lambda: file / "below a file")
    hashes.record(file, "0" * 64)
    assert hashes.known(file) is None


def _record_many(folder: str, first: int) -> None:
    for n in range(first, first + 20):
        path = Path(folder) / f"{n}"
        path.write_bytes(str(n).encode())
        hashes.record(path, sum_of(str(n).encode()))


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_record_many, args=(str(tmp_path), first)) for first in (0, 20)
    ]
    for process in processes:
        process.start()
    _record_many(str(tmp_path), 40)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    known = [hashes.known(tmp_path / str(n)) for n in range(60)]
    assert [entry.sha256 if entry else "" for entry in known] == [
        sum_of(str(n).encode()) for n in range(60)
    ]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=_record_many, args=(str(tmp_path), n * 20)) for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(hashes.known(tmp_path / str(n)) for n in range(60))


def test_known_says_what_is_there() -> None:
    assert Known("a", 1, 2, 3.0).present_sha256 == "a"
    assert Known("a", 1, 2, 3.0, found_sha256="b").present_sha256 == "b"
