"""What a run leaves behind, and what the next one makes of it: kill -9, two at once, damage."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.hub.partfile import PartFile
from app.hub.pull import Progress, discard, unfinished
from app.hub.ranges import Mark
from app.hub.sidecar import (
    ListedFile,
    Manifest,
    Sidecar,
    load_sidecar,
    manifest_of,
    save_manifest,
)
from quantize.control import Control
from quantize.errors import Cancelled
from tests.helpers.fake_hub import FakeHub, Seeded
from tests.helpers.pulling import add, fetch, left_over, sha256, start_child

MIB = 1 << 20
BIG = Seeded(seed=5, size=6 * MIB + 777)
NAME = "m-Q4_K_M.gguf"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


def break_off(hub: FakeHub, folder: Path) -> None:
    """Leave what a run leaves that was ended with three megabytes fetched."""
    request = add(hub, folder, {NAME: BIG, "mmproj.gguf": b"GGUF"})
    listed = tuple(
        ListedFile(file.repo, file.commit, file.path, file.size_bytes, file.sha256)
        for file in request.files
    )
    manifest = Manifest(title="Model", variant="Q4_K_M", files=listed)
    save_manifest(manifest_of(folder, request.files), manifest)
    part = PartFile.take(folder / NAME)
    assert part is not None
    data = BIG.read(0, 3 * MIB)
    part.write(0, data)
    part.checkpoint(request.files[0], "", Mark(len(data), hashlib.sha256(data).hexdigest()))
    part.close()


def really_break_off(hub: FakeHub, folder: Path) -> None:
    request = add(hub, folder, {NAME: BIG, "mmproj.gguf": b"GGUF"})
    control = Control()
    hub.faults.bytes_per_s = 8e6

    def emit(now: Progress) -> None:
        if now.done_bytes >= 3 * MIB:
            control.cancel()

    with pytest.raises(Cancelled):
        fetch(hub, request, emit, control, n_connections=1)
    hub.faults.clear()
    hub.forget()


def part_of(folder: Path) -> Path:
    return folder / (NAME + ".part")


def vouched(folder: Path) -> Sidecar:
    found = load_sidecar(folder / NAME)
    assert found is not None
    return found


def test_a_broken_off_download_goes_on(hub: FakeHub, tmp_path: Path) -> None:
    really_break_off(hub, tmp_path)
    n_bytes = vouched(tmp_path).hashed_bytes
    assert n_bytes >= 2 * MIB
    (request,) = unfinished(tmp_path)
    assert (request.title, request.variant, len(request.files)) == ("Model", "Q4_K_M", 2)
    path, _ = fetch(hub, request)
    assert sha256(path) == BIG.sha256
    assert hub.traffic == BIG.size - n_bytes + len(b"GGUF")
    assert unfinished(tmp_path) == ()
    assert left_over(tmp_path) == [NAME, "mmproj.gguf"]


def test_only_what_is_vouched_for_is_trusted(hub: FakeHub, tmp_path: Path) -> None:
    """A half-written block after it, as a crash leaves it, does not survive."""
    break_off(hub, tmp_path)
    n_bytes = vouched(tmp_path).hashed_bytes
    with part_of(tmp_path).open("r+b") as file:
        file.seek(n_bytes)
        file.write(b"half a block" * 50_000)
    path, _ = fetch(hub, unfinished(tmp_path)[0])
    assert sha256(path) == BIG.sha256
    assert hub.traffic == BIG.size - n_bytes + 4


def test_a_damaged_part_begins_anew(hub: FakeHub, tmp_path: Path) -> None:
    break_off(hub, tmp_path)
    with part_of(tmp_path).open("r+b") as file:
        file.seek(1000)
        file.write(b"x")
    path, _ = fetch(hub, unfinished(tmp_path)[0])
    assert sha256(path) == BIG.sha256
    assert hub.traffic == BIG.size + 4


def test_a_part_that_was_cut_begins_anew(hub: FakeHub, tmp_path: Path) -> None:
    break_off(hub, tmp_path)
    with part_of(tmp_path).open("r+b") as file:
        file.truncate(1000)
    path, _ = fetch(hub, unfinished(tmp_path)[0])
    assert sha256(path) == BIG.sha256


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{" * 100_000,
        b'{"repo": 1}',
        {"hashed_bytes": -1},
        {"hashed_bytes": 10**30},
        {"hashed_bytes": BIG.size + 1},
        {"size_bytes": 1},
        {"sha256": "0" * 64},
        {"prefix_sha256": ""},
        {"version": 99},
    ],
)
def test_a_sidecar_that_says_nonsense_begins_anew(
    hub: FakeHub, tmp_path: Path, said: bytes | dict[str, object]
) -> None:
    break_off(hub, tmp_path)
    place = tmp_path / (NAME + ".part.json")
    if isinstance(said, dict):
        said = json.dumps(json.loads(place.read_bytes()) | said).encode()
    place.write_bytes(said)
    path, _ = fetch(hub, unfinished(tmp_path)[0])
    assert sha256(path) == BIG.sha256
    assert hub.traffic == BIG.size + 4


def test_another_commit_of_the_same_name_begins_anew(hub: FakeHub, tmp_path: Path) -> None:
    break_off(hub, tmp_path)
    other = Seeded(seed=6, size=BIG.size)
    (path,) = fetch(hub, add(hub, tmp_path, {NAME: other}))
    assert sha256(path) == other.sha256


def test_a_hub_that_has_another_file_spoils_nothing(hub: FakeHub, tmp_path: Path) -> None:
    """A mirror behind the times is asked, says no, and the right one goes on."""
    break_off(hub, tmp_path)
    with FakeHub() as mirror:
        add(mirror, tmp_path, {NAME: Seeded(seed=6, size=BIG.size), "mmproj.gguf": b"GGUF"})
        (stale,) = mirror.repos.values()
        request = unfinished(tmp_path)[0]
        stale.commits[request.files[0].commit] = next(iter(stale.commits.values()))
        path, _ = fetch(hub, request, endpoints=(mirror.endpoint, hub.endpoint))
    assert sha256(path) == BIG.sha256
    assert hub.traffic <= 3 * MIB + 777 + 4


@pytest.mark.parametrize(
    "said", [b"", b"{}", b'{"title":"a","variant":"b","files":[]}', b"\0" * 10]
)
def test_a_list_that_says_nonsense_is_not_there(tmp_path: Path, said: bytes) -> None:
    (tmp_path / ".0123456789abcdef.pull.json").write_bytes(said)
    assert unfinished(tmp_path) == ()


def test_a_list_with_names_that_point_away_is_not_there(hub: FakeHub, tmp_path: Path) -> None:
    break_off(hub, tmp_path)
    (place,) = tmp_path.glob(".*.pull.json")
    place.write_bytes(place.read_bytes().replace(NAME.encode(), b"../../m.gguf"))
    assert unfinished(tmp_path) == ()


def test_discard_leaves_nothing(hub: FakeHub, tmp_path: Path) -> None:
    break_off(hub, tmp_path)
    discard(unfinished(tmp_path)[0])
    assert left_over(tmp_path) == []


def test_discard_leaves_another_process_its_part(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    seen: list[str] = []

    def emit(now: Progress) -> None:
        if now.done_bytes and not seen:
            discard(request)
            seen.extend(left_over(tmp_path))

    (path,) = fetch(hub, request, emit)
    assert NAME + ".part" in seen
    assert sha256(path) == BIG.sha256


def test_two_at_once_fetch_it_once(hub: FakeHub, tmp_path: Path) -> None:
    """The second waits, says so, and takes what the first made."""
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.bytes_per_s = 10e6
    told: list[Progress] = []
    second: list[tuple[Path, ...]] = []
    threads: list[threading.Thread] = []

    def emit(now: Progress) -> None:
        if now.done_bytes and not threads:
            thread = threading.Thread(
                target=lambda: second.append(fetch(hub, request, told.append))
            )
            thread.start()
            threads.append(thread)

    first = fetch(hub, request, emit)
    threads[0].join()
    assert second == [first]
    assert hub.traffic == BIG.size
    waiting = [now for now in told if now.phase == "waiting"]
    assert "Another Nibble" in str(waiting[0].note)
    assert left_over(tmp_path) == [NAME]


def test_two_processes_fetch_it_once(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.bytes_per_s = 8e6
    children = [start_child(hub, request) for _ in range(2)]
    said = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert sha256(tmp_path / NAME) == BIG.sha256
    assert hub.traffic == BIG.size
    assert left_over(tmp_path) == [NAME]


def test_killed_between_the_name_and_the_list(hub: FakeHub, tmp_path: Path) -> None:
    """The file is there under its name, but nothing says so yet: it is read, not fetched."""
    break_off(hub, tmp_path)
    request = add(hub, tmp_path, {NAME: BIG})
    (tmp_path / NAME).write_bytes(BIG.read(0, BIG.size))
    (path,) = fetch(hub, request)
    assert hub.traffic == 0
    assert sha256(path) == BIG.sha256
