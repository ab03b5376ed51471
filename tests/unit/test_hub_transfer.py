"""Transfers against a real server on the loopback that misbehaves in every way we could think of.

Whatever happens: the right bytes are under the final name, or nothing is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import hashes
from app.hub.errors import AccessError, HubError, NotFoundError, OfflineError, TransferError
from app.hub.pull import Progress, SpeedLimit, pull
from quantize.control import Control
from quantize.errors import Cancelled
from tests.helpers.fake_hub import FakeHub, Seeded
from tests.helpers.fake_hub_tls import server_context
from tests.helpers.pulling import REPO, add, fetch, left_over, options, sha256

MIB = 1 << 20
BIG = Seeded(seed=3, size=5 * MIB + 12_345)  # three requests at least
NAME = "m-Q4_K_M.gguf"
DAMAGED = "The download does not match its checksum. The damaged part is thrown away."


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


def test_a_file_is_fetched_whole_and_verified(hub: FakeHub, tmp_path: Path) -> None:
    told: list[Progress] = []
    request = add(hub, tmp_path / "to", {NAME: BIG})
    (path,) = fetch(hub, request, told.append)
    assert sha256(path) == BIG.sha256
    assert left_over(tmp_path) == [NAME]
    assert hub.traffic == BIG.size
    assert told[-1].done_bytes == told[-1].total_bytes == BIG.size
    known = hashes.known(path)
    assert known is not None
    assert (known.sha256, known.repo, known.commit) == (
        BIG.sha256,
        REPO,
        request.files[0].commit,
    )


def test_what_is_there_is_not_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG, "config.json": "{}"})
    fetch(hub, request)
    hub.forget()
    fetch(hub, request)
    hashes.forget([tmp_path / NAME])  # as after a new installation: then it is read once
    fetch(hub, request)
    assert hub.traffic == 0


def test_another_file_of_that_name_and_size_is_replaced(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    (tmp_path / NAME).write_bytes(bytes(BIG.size))
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256


def test_a_whole_snapshot(hub: FakeHub, tmp_path: Path) -> None:
    """Small files have no SHA-256 at the hub; git's name for them is checked instead."""
    files = {
        "config.json": '{"model_type": "llama"}',
        "empty.txt": b"",
        "1_Pooling/config.json": "{}",
        "model-00001-of-00002.safetensors": Seeded(1, 3 * MIB),
        "model-00002-of-00002.safetensors": Seeded(2, MIB + 1),
    }
    request = add(hub, tmp_path, files)
    found = fetch(hub, request)
    assert [str(path.relative_to(tmp_path)) for path in found] == list(files)
    assert found[0].read_text() == files["config.json"]
    assert sha256(found[3]) == Seeded(1, 3 * MIB).sha256
    hub.faults.flip_at, hub.faults.only = 3, "config.json"
    with pytest.raises(HubError):
        fetch(hub, add(hub, tmp_path / "other", files))
    assert not any("config" in name for name in left_over(tmp_path / "other"))


@pytest.mark.parametrize(
    "after",
    [0, 1, 65_535, 65_536, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1],
)
def test_drops(hub: FakeHub, tmp_path: Path, after: int) -> None:
    """What has come is kept, to the byte."""
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.drop_after, hub.faults.times = after, 2
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256
    assert hub.traffic == BIG.size


def test_a_flipped_byte_never_gets_the_name(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.flip_at = 4 * MIB
    with pytest.raises(TransferError) as caught:
        fetch(hub, request)
    assert str(caught.value) == DAMAGED
    assert NAME not in left_over(tmp_path)
    assert NAME + ".part" not in left_over(tmp_path)
    hub.faults.clear()
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256


def test_the_next_mirror_has_it_right(hub: FakeHub, tmp_path: Path) -> None:
    with FakeHub() as mirror:
        request = add(hub, tmp_path, {NAME: BIG})
        add(mirror, tmp_path, {NAME: BIG})
        hub.add_token("hf_secret")
        hub.faults.flip_at = 7
        ends = (hub.endpoint, mirror.endpoint)
        (path,) = fetch(hub, request, endpoints=ends, token="hf_secret")
        assert sha256(path) == BIG.sha256
        assert mirror.traffic == BIG.size
        assert not any(seen.authorization for seen in mirror.log)


def test_a_mirror_takes_over_where_the_first_broke_off(hub: FakeHub, tmp_path: Path) -> None:
    with FakeHub() as mirror:
        request = add(hub, tmp_path, {NAME: BIG})
        add(mirror, tmp_path, {NAME: BIG})
        hub.faults.only, hub.faults.drop_after = "/cdn/", 1_000_000
        hub.faults.status = None
        ends = (hub.endpoint, mirror.endpoint)
        progress: list[int] = []

        def emit(now: Progress) -> None:
            progress.append(now.done_bytes)
            if now.done_bytes:
                hub.faults.status = 500

        (path,) = fetch(hub, request, emit, endpoints=ends, retries=1)
        assert sha256(path) == BIG.sha256
        assert mirror.traffic < BIG.size


def test_a_server_that_ignores_ranges(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.ignore_range = True
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256


def test_a_server_that_ignores_ranges_and_drops(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.ignore_range = True

    def emit(now: Progress) -> None:
        if 0 < now.done_bytes < BIG.size and hub.faults.times is None:
            hub.faults.drop_after, hub.faults.times = 3 * MIB, 3

    hub.faults.bytes_per_s = 20e6
    (path,) = fetch(hub, request, emit)
    assert sha256(path) == BIG.sha256


@pytest.mark.parametrize("fault", ["wrong_offset", "short_by", "stall_after", "drop_after"])
def test_one_wrong_answer_is_asked_for_again(hub: FakeHub, tmp_path: Path, fault: str) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    setattr(hub.faults, fault, 4096)
    hub.faults.times = 1
    (path,) = fetch(hub, request, stall_s=0.2)
    assert sha256(path) == BIG.sha256


@pytest.mark.parametrize("fault", ["wrong_offset", "refuse_range", "stall_after"])
def test_nothing_but_wrong_answers(hub: FakeHub, tmp_path: Path, fault: str) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    setattr(hub.faults, fault, 7)
    with pytest.raises(HubError) as caught:
        fetch(hub, request, stall_s=0.1)
    assert caught.value.hint is not None
    assert NAME not in left_over(tmp_path)


def test_a_body_of_unknown_length(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.no_length = True
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256


def test_the_file_changes_in_between(hub: FakeHub, tmp_path: Path) -> None:
    """The server goes over to another file after the first request."""
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.change_after = 1
    with pytest.raises(TransferError) as caught:
        fetch(hub, request)
    assert str(caught.value) == DAMAGED
    assert not any(NAME in name for name in left_over(tmp_path))


def test_the_file_is_another_than_the_metadata_said(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    for content in (b"another", Seeded(9, BIG.size).read(0, BIG.size)):
        hub.change_file(REPO, NAME, content)
        with pytest.raises(TransferError, match="no longer the same"):
            fetch(hub, request)
        assert not any(NAME in name for name in left_over(tmp_path))
    assert hub.traffic == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_trouble(hub: FakeHub, tmp_path: Path, status: int) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.status, hub.faults.times = status, 3
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256


def test_trouble_in_the_middle_says_why_it_waits(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.status, hub.faults.only, hub.faults.times = 503, "/cdn/", 3
    told: list[Progress] = []
    fetch(hub, request, told.append, backoff_s=0.1)
    waiting = [now for now in told if now.phase == "waiting"]
    assert waiting
    assert all(now.note is not None for now in waiting)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_trouble_that_stays(hub: FakeHub, tmp_path: Path, status: int) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.status = status
    with pytest.raises(HubError):
        fetch(hub, request)
    assert len(hub.log) == 4  # once, and three retries


def test_a_pause_that_is_asked_for_is_kept(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.status, hub.faults.times, hub.faults.retry_after = 429, 1, "1"
    began = time.monotonic()
    fetch(hub, request)
    assert time.monotonic() - began >= 1  # a lower bound only


def test_a_pause_of_an_hour_is_not_waited_for(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.status, hub.faults.retry_after = 429, "3600"
    with pytest.raises(HubError) as caught:
        fetch(hub, request)
    assert "3600" in str(caught.value.hint)
    assert len(hub.log) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, AccessError), (403, AccessError), (404, NotFoundError)]
)
def test_a_refusal_is_not_asked_again(
    hub: FakeHub, tmp_path: Path, status: int, error: type[HubError]
) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.status = status
    with pytest.raises(error):
        fetch(hub, request)
    assert len(hub.log) == 1


def test_gated_files_and_a_revoked_token(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG}, gated="manual")
    hub.add_token("hf_good", "friend", access=(REPO,))
    hub.add_token("hf_other", "stranger")
    for token in ("", "hf_other", "hf_wrong"):
        with pytest.raises(AccessError) as caught:
            fetch(hub, request, token=token)
        assert caught.value.hint is not None
    fetch(hub, request, token="hf_good")
    assert not any(seen.authorization for seen in hub.log if seen.is_cdn)
    assert any(seen.is_cdn for seen in hub.log)
    (tmp_path / NAME).unlink()
    hub.revoke_token("hf_good")
    with pytest.raises(AccessError):
        fetch(hub, request, token="hf_good")


def test_a_file_that_is_gone(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    del hub.repos[REPO].commits[request.files[0].commit][NAME]
    with pytest.raises(NotFoundError):
        fetch(hub, request)


def test_redirects_in_a_circle(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.redirect_loop = True
    with pytest.raises(TransferError, match="circle"):
        fetch(hub, request)
    assert len(hub.log) < 12


def test_signed_addresses_that_expire(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})

    def emit(now: Progress) -> None:
        if now.phase == "fetching" and hub.faults.bytes_per_s:
            hub.faults.bytes_per_s = 0
            hub.expire_links()

    hub.faults.bytes_per_s = 10e6
    (path,) = fetch(hub, request, emit)
    assert sha256(path) == BIG.sha256
    assert len(hub.requests("/resolve/", "HEAD")) == 2


def test_no_network_and_then_one(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.bytes_per_s = 4e6

    def emit(now: Progress) -> None:
        if now.done_bytes > 2 * MIB:
            hub.go_offline()

    with pytest.raises(OfflineError):
        fetch(hub, request, emit, n_connections=1)
    with pytest.raises(OfflineError):
        fetch(hub, request)
    assert NAME + ".part" in left_over(tmp_path)
    hub.faults.clear()
    hub.forget()
    hub.go_online()
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256
    assert hub.traffic < BIG.size - MIB


def test_cancel_keeps_what_there_is(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    control = Control()
    hub.faults.bytes_per_s = 4e6

    def emit(now: Progress) -> None:
        if now.done_bytes > 2 * MIB:
            control.cancel()

    with pytest.raises(Cancelled):
        fetch(hub, request, emit, control, n_connections=1)
    hub.faults.clear()
    hub.forget()
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256
    assert hub.traffic < BIG.size - MIB


@pytest.mark.parametrize("where", ["/resolve/", "/cdn/"])
def test_cancel_while_the_server_says_nothing(hub: FakeHub, tmp_path: Path, where: str) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    hub.faults.hang, hub.faults.only = True, where
    control = Control()

    def emit(now: Progress) -> None:
        if hub.requests(where):
            control.cancel()

    with pytest.raises(Cancelled):
        fetch(hub, request, emit, control, stall_s=60.0)


def test_pause_and_resume(hub: FakeHub, tmp_path: Path) -> None:
    import threading

    request = add(hub, tmp_path, {NAME: BIG})
    control = Control()
    hub.faults.bytes_per_s = 4e6
    seen: list[int] = []

    def resume() -> None:
        hub.faults.bytes_per_s = 0
        seen.append(hub.traffic)
        control.resume()

    def emit(now: Progress) -> None:
        if now.done_bytes > MIB and not seen:
            control.pause()
            seen.append(0)
            timer = threading.Timer(0.3, resume)
            timer.start()

    (path,) = fetch(hub, request, emit, control, n_connections=1)
    assert sha256(path) == BIG.sha256
    assert seen[1] < BIG.size


def test_the_limit_counts_every_byte(hub: FakeHub, tmp_path: Path) -> None:
    class Counted(SpeedLimit):
        spent = 0

        def spend(self, n_bytes: int) -> float:
            self.spent += n_bytes
            return 0.0

    limit = Counted(1.0)
    fetch(hub, add(hub, tmp_path, {NAME: BIG}), limit=limit, n_connections=1)
    assert limit.spent == BIG.size


def test_a_refusal_leaves_nothing_to_go_on_with(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG}, gated="manual")
    with pytest.raises(AccessError):
        fetch(hub, request)
    assert left_over(tmp_path) == []


def test_hostile_names_fetch_nothing(hub: FakeHub, tmp_path: Path) -> None:
    inside = tmp_path / "in"
    for name in ("../out.gguf", "C:\\out.gguf", "\\\\host\\share\\out.gguf", "a\0.gguf"):
        with pytest.raises(TransferError):
            fetch(hub, add(hub, inside, {"good.gguf": b"GGUF", name: b"GGUF"}))
    assert hub.log == []
    assert left_over(tmp_path) == []


def test_odd_names_get_safe_ones(hub: FakeHub, tmp_path: Path) -> None:
    long = "x" * 300 + ".gguf"
    names = {"CON": b"a", long: b"GGUF", "B.gguf": b"B", "b.gguf": b"b", "q&a #1?.json": b"{}"}
    found = fetch(hub, add(hub, tmp_path, names))
    assert [path.read_bytes() for path in found] == list(names.values())
    assert found[0].name == "_CON"


def test_a_link_at_the_parts_place_is_not_followed(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path / "to", {NAME: BIG})
    victim = tmp_path / "precious"
    victim.write_text("mine")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / (NAME + ".part")).symlink_to(victim)
    with pytest.raises(TransferError):
        fetch(hub, request)
    assert victim.read_text() == "mine"


def test_space_is_looked_at_first(hub: FakeHub, tmp_path: Path) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    with pytest.raises(TransferError) as caught:
        fetch(hub, request, reserve_bytes=10**18)
    assert "stay reserved" in str(caught.value)
    assert hub.log == []
    assert left_over(tmp_path) == []


def test_a_disk_that_fills_up(
    hub: FakeHub, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else fills the disk after the space was looked at."""
    request = add(hub, small_disk, {NAME: BIG})
    monkeypatch.setattr("app.hub.space.free_bytes", lambda folder: None)
    with pytest.raises(TransferError, match="The disk is full"):
        fetch(hub, request)
    assert NAME not in left_over(small_disk)


def test_a_folder_that_cannot_be_written(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    request = add(hub, tmp_path / "file" / "to", {NAME: BIG})
    with pytest.raises(TransferError):
        fetch(hub, request)


def test_clocks_do_not_matter(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    now = [4e9]

    def jumping() -> float:
        now[0] = -now[0]
        return now[0]

    monkeypatch.setattr(time, "time", jumping)
    (path,) = fetch(hub, request)
    assert sha256(path) == BIG.sha256
    sent = {name.lower() for seen in hub.log for name in seen.headers}
    assert not sent & {"if-modified-since", "if-range", "date"}


def test_the_environment_names_the_hub(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint + "/")
    (path,) = pull(request, lambda _: None, Control(), options(hub, endpoints=()))
    assert sha256(path) == BIG.sha256


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://127.0.0.1", "http://[", "http://a:b"])
def test_an_address_that_is_none(hub: FakeHub, tmp_path: Path, endpoint: str) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    with pytest.raises(HubError) as caught:
        fetch(hub, request, endpoints=(endpoint,), backoff_s=100.0)
    assert endpoint in str(caught.value)


def test_proxies_are_respected(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.uses_cdn = False
    request = add(hub, tmp_path, {NAME: BIG})
    monkeypatch.setenv("HTTP_PROXY", hub.endpoint)
    monkeypatch.setenv("http_proxy", hub.endpoint)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (path,) = fetch(hub, request, endpoints=("http://hub.example",))
    assert sha256(path) == BIG.sha256


def test_a_proxy_that_is_none(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = add(hub, tmp_path, {NAME: BIG})
    monkeypatch.setenv("HTTP_PROXY", "nonsense://[")
    monkeypatch.setenv("http_proxy", "nonsense://[")
    with pytest.raises(TransferError):
        fetch(hub, request)


def test_certificates_are_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, pem = server_context(tmp_path)
    with FakeHub(tls=context) as hub:
        request = add(hub, tmp_path / "to", {NAME: BIG})
        with pytest.raises(HubError, match="could not prove"):
            fetch(hub, request, backoff_s=100.0)
        assert hub.traffic == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        (path,) = fetch(hub, request)
        assert sha256(path) == BIG.sha256
        path.unlink()
        for where in ("/resolve/", "/cdn/"):
            hub.faults.redirect_to, hub.faults.only = "http://127.0.0.1:1/x", where
            with pytest.raises(TransferError, match="not secure"):
                fetch(hub, request)
        hub.faults.clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(TransferError):
            fetch(hub, request)


def test_offline_is_a_persons_word(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OfflineError):
        fetch(hub, add(hub, tmp_path, {NAME: BIG}))
    assert hub.log == []


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_the_file_has_usual_rights(hub: FakeHub, tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        (path,) = fetch(hub, add(hub, tmp_path, {NAME: BIG}))
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644
