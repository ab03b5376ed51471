"""The transfer's parts that know no network: hashing in order, how many connections, how fast."""

from __future__ import annotations

import hashlib
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.hub import pace, space
from app.hub.errors import TransferError
from app.hub.pace import SmoothRate, SpeedLimit
from app.hub.ranges import Digest, Ended, HashFront, Segment, Segments
from app.hub.space import check_space, size_text
from app.hub.tuner import Tuner
from tests.helpers.fuzz import fuzz


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@fuzz
@given(
    st.binary(min_size=1, max_size=5000),
    st.lists(st.integers(0, 5000), max_size=12),
    st.randoms(use_true_random=False),
)
def test_pieces_in_any_order_give_the_files_hash(
    data: bytes, cuts: list[int], order: random.Random
) -> None:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)} - {0})
    starts = [0, *ends[:-1]]
    pieces = [(a, data[a:b]) for a, b in zip(starts, ends, strict=True) if b > a]
    order.shuffle(pieces)
    front = HashFront(len(data), len(data), Digest())
    for offset, piece in pieces:
        front.put(offset, piece)
    front.run()
    assert front.is_done
    assert front.digest.sha256 == hashlib.sha256(data).hexdigest()
    assert front.mark().offset == len(data)


def test_the_mark_vouches_for_what_is_whole_only() -> None:
    front = HashFront(30, 30, Digest())
    hashing = threading.Thread(target=front.run)
    hashing.start()
    front.put(20, b"c" * 10)
    front.put(0, b"a" * 10)
    while front.offset < 10:
        front.wait_done(0.01)
    assert (front.mark().offset, front.mark().sha256) == (
        10,
        hashlib.sha256(b"a" * 10).hexdigest(),
    )
    front.stop()
    hashing.join()
    assert front.accepted_bytes == 20


def test_whoever_is_too_far_ahead_waits() -> None:
    front = HashFront(100, 40, Digest())
    front.room(40)
    late = threading.Thread(target=lambda: front.room(41))
    late.start()
    late.join(0.05)
    assert late.is_alive()
    front.put(0, b"x")
    hashing = threading.Thread(target=front.run)
    hashing.start()
    late.join(5)
    assert not late.is_alive()
    front.stop()
    hashing.join()
    with pytest.raises(Ended):
        front.room(100)


def test_gits_name_for_a_file() -> None:
    digest = Digest(git_size=5)
    digest.update(b"hello")
    assert digest.copy().git_oid == "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"
    assert Digest().git_oid == ""


def test_segments_cover_the_file_once() -> None:
    segments = Segments(3, 20)
    found = [segments.take(8), segments.take(8), segments.take(8), segments.take(8)]
    assert found == [Segment(3, 11), Segment(11, 19), Segment(19, 20), None]
    assert segments.left_bytes == 0


def run_tuner(tuner: Tuner, rate_of: dict[int, float], seconds: float) -> list[int]:
    """How many connections it wants, tick by tick, on a road where n of them bring rate_of[n]."""
    now, received, wanted, seen = 0.0, 0.0, 1, []
    while now < seconds:
        now += 0.05
        received += rate_of[wanted] * 0.05
        wanted = tuner.wanted(int(received), now)
        seen.append(wanted)
    return seen


@pytest.mark.parametrize(
    ("rate_of", "settles_at"),
    [
        ({1: 400e6, 2: 300e6, 4: 200e6, 8: 100e6}, 1),  # the machine itself
        ({1: 5e6, 2: 10e6, 4: 20e6, 8: 40e6}, 8),  # each connection is held back
        ({1: 10e6, 2: 10e6, 4: 10e6, 8: 10e6}, 1),  # a slow line
        ({1: 5e6, 2: 10e6, 4: 11e6, 8: 11e6}, 2),
    ],
)
def test_as_many_connections_as_help(rate_of: dict[int, float], settles_at: int) -> None:
    assert run_tuner(Tuner(8, 0.0), rate_of, 5.0)[-1] == settles_at


def test_a_standstill_says_nothing_about_connections() -> None:
    assert set(run_tuner(Tuner(8, 0.0), {1: 0.0, 2: 0.0}, 5.0)) == {1}


def test_a_server_that_complains_gets_fewer() -> None:
    tuner = Tuner(8, 0.0)
    run_tuner(tuner, {1: 5e6, 2: 10e6, 4: 20e6, 8: 40e6}, 5.0)
    tuner.calm(5.0)
    assert tuner.wanted(0, 5.1) == 4


def test_another_try_after_a_while() -> None:
    """The network of a minute ago is not the network of now."""
    tuner = Tuner(8, 0.0)
    seen = run_tuner(tuner, {1: 10e6, 2: 10e6}, 40.0)
    assert 2 in seen[620:]


def test_the_speed_limit_is_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    limit = SpeedLimit(1000.0)
    assert limit.spend(500) == pytest.approx(0.5)
    assert limit.spend(500) == pytest.approx(1.0)  # another connection at the same moment
    clock.now += 10
    assert limit.spend(100) == pytest.approx(0.1)  # nothing is saved up
    limit.set(0)
    assert limit.spend(10**9) == 0


def test_the_rate_is_smooth_and_finds_the_truth() -> None:
    rate = SmoothRate()
    done = 0
    for tick in range(600):
        done += 2_000_000 if tick % 2 else 0
        rate.update(done, tick * 0.1)
    assert rate.bytes_per_s == pytest.approx(10e6, rel=0.05)
    assert rate.eta_s(100_000_000) == pytest.approx(10, rel=0.05)
    assert rate.eta_s(0) == 0
    assert SmoothRate().eta_s(1) is None


def test_a_new_start_is_no_negative_speed() -> None:
    rate = SmoothRate()
    for done, now in ((0, 0.0), (10_000, 1.0), (0, 2.0), (10_000, 3.0)):
        rate.update(done, now)
        assert rate.bytes_per_s >= 0
    assert rate.bytes_per_s == pytest.approx(10_000)


def test_space_names_the_reserve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda folder: 5_000_000_000)
    check_space(tmp_path, 4_000_000_000, 1_000_000_000, "Model")
    with pytest.raises(TransferError) as caught:
        check_space(tmp_path, 4_100_000_000, 1_000_000_000, "Model")
    assert str(caught.value) == (
        "Model needs 4.1 GB, but the disk has 5.0 GB free, and 1.0 GB of that stay reserved"
        " for the system."
    )
    assert "100 MB" in str(caught.value.hint)


@pytest.mark.parametrize(("kind", "is_taken"), [("ext4", True), ("nfs", False), ("", False)])
def test_room_is_taken_where_that_is_cheap(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, is_taken: bool
) -> None:
    taken: list[int] = []
    monkeypatch.setattr(space.sys, "platform", "linux")
    monkeypatch.setattr(space, "_file_system", lambda path: kind)
    monkeypatch.setattr(
        space.os, "posix_fallocate", lambda fd, at, n: taken.append(n), raising=False
    )
    space.preallocate(0, tmp_path, 1000)
    assert taken == ([1000] if is_taken else [])


def test_the_file_system_is_found(tmp_path: Path) -> None:
    assert space._file_system(tmp_path / "m.gguf.part")


def test_what_is_there_already_needs_no_space(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "yet", 0, 10**18, "Model")


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 kB"), (999_999, "1000 kB"), (1_500_000, "2 MB"), (4.58e9, "4.6 GB")],
)
def test_sizes(n_bytes: int, text: str) -> None:
    assert size_text(int(n_bytes)) == text
