"""kill -9 at any moment, and faults one upon the other: the right file under its name, or none."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.hub.errors import HubError
from app.hub.pull import Progress
from app.hub.sidecar import load_sidecar
from tests.helpers.fake_hub import FakeHub, Seeded
from tests.helpers.pulling import add, fetch, left_over, sha256, start_child

MIB = 1 << 20
BIG = Seeded(seed=5, size=6 * MIB + 777)
NAME = "m-Q4_K_M.gguf"
AMOUNTS = ("drop_after", "stall_after", "wrong_offset", "short_by", "flip_at", "change_after")
SWITCHES = ("ignore_range", "no_length", "refuse_range", "redirect_loop")


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


def kill_at(hub: FakeHub, folder: Path, offset: int) -> None:
    """kill -9 once so many bytes were sent, and again: whole, and with less traffic."""
    hub.faults.bytes_per_s = 12e6
    request = add(hub, folder, {NAME: BIG})
    hub.forget()
    child = start_child(hub, request)
    while hub.traffic < offset and child.poll() is None:
        time.sleep(0.002)
    child.kill()
    child.communicate(timeout=60)
    hub.faults.clear()
    hub.forget()
    assert NAME not in left_over(folder) or sha256(folder / NAME) == BIG.sha256
    sidecar = load_sidecar(folder / NAME)
    n_bytes = sidecar.hashed_bytes if sidecar is not None else 0
    had_it = (folder / NAME).exists()
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256
    assert hub.traffic == (0 if had_it else BIG.size - n_bytes)
    assert left_over(folder) == [NAME]
    if offset > 3 * MIB:
        assert hub.traffic < BIG.size


@pytest.mark.parametrize("offset", [1, 2 * MIB + 1, 4 * MIB])
def test_kill_9(hub: FakeHub, tmp_path: Path, offset: int) -> None:
    kill_at(hub, tmp_path, offset)


@pytest.mark.soak
def test_kill_9_at_50_random_offsets(hub: FakeHub, tmp_path: Path) -> None:
    offsets = random.Random(9).sample(range(BIG.size), 50)
    for i, offset in enumerate(offsets):
        kill_at(hub, tmp_path / str(i), offset)


@pytest.mark.soak
def test_memory_stays_small(hub: FakeHub, tmp_path: Path) -> None:
    """Eight connections that fill the window."""
    request = add(hub, tmp_path, {NAME: Seeded(seed=7, size=200 * MIB)})
    hub.faults.bytes_per_s = 10e6
    child = start_child(hub, request, n_connections=8)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert int(out.splitlines()[-1]) < 100_000_000


def _trouble(hub: FakeHub, chance: random.Random) -> None:
    """Something goes wrong, a few times or for good."""
    hub.faults.clear()
    hub.faults.times = chance.choice([1, 2, 5, None])
    name = chance.choice((*AMOUNTS, *SWITCHES, "status", "links"))
    if name == "links":
        hub.expire_links()
    elif name == "status":
        hub.faults.status = chance.choice([401, 403, 404, 429, 500, 503])
        hub.faults.only = chance.choice(["/cdn/", "/resolve/", ""])
    elif name in SWITCHES:
        setattr(hub.faults, name, True)
    else:
        setattr(hub.faults, name, chance.randrange(1, 3 * MIB))


def chaos(hub: FakeHub, folder: Path, seed: int) -> None:
    """Whatever goes wrong in whatever order: the right file under its name, or none."""
    chance = random.Random(seed)
    request = add(hub, folder, {NAME: BIG})

    def emit(now: Progress) -> None:
        if chance.random() < 0.3:
            _trouble(hub, chance)

    for _ in range(3):
        _trouble(hub, chance)
        with suppress(HubError):
            fetch(hub, request, emit, stall_s=0.1, n_connections=chance.choice([1, 2, 8]))
        assert not (folder / NAME).exists() or sha256(folder / NAME) == BIG.sha256
    hub.faults.clear()
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256
    assert left_over(folder) == [NAME]


@pytest.mark.parametrize("seed", range(6))
def test_chaos(hub: FakeHub, tmp_path: Path, seed: int) -> None:
    chaos(hub, tmp_path, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(6, 206))
def test_more_chaos(hub: FakeHub, tmp_path: Path, seed: int) -> None:
    chaos(hub, tmp_path, seed)
