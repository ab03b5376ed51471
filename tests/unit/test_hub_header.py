"""Headers of files that stay on the hub: what they cost, what is kept, what goes wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.hub import header, headercache
from app.hub.client import Hub
from app.hub.errors import HubError, OfflineError, TransferError
from app.hub.repo import RemoteFile
from quantize import gguf_header
from quantize.errors import GgufError
from quantize.gguf_header import ArrayRef, read_header
from tests.helpers import gguf_files
from tests.helpers.fake_hub import FakeHub, Hole
from tests.helpers.gguf_files import (
    F32,
    INT32,
    Typed,
    key_value,
    preamble,
    tensor_info,
    valid_model,
)

GB = 10**9
MB = 1024**2


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub


def big_head(
    n_tokens: int, n_tensors: int = 700, tensor_bytes: int = 58 * 10**6
) -> tuple[bytes, int]:
    """The header of a model like a 70B one, and the size of its file."""
    tokens = [f"token{n:07}" for n in range(n_tokens)]
    values = {
        "general.architecture": "llama",
        "llama.context_length": 131072,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": Typed(INT32, [1] * n_tokens),
        "tokenizer.ggml.merges": [f"{a} {b}" for a, b in zip(tokens, tokens[::-1], strict=True)],
    }
    n = tensor_bytes // 4 // 32 * 32
    infos = [tensor_info(f"blk.{i}.weight", (n,), F32, i * n * 4) for i in range(n_tensors)]
    head = preamble(n_tensors, len(values)) + b"".join(key_value(k, v) for k, v in values.items())
    head += b"".join(infos)
    head += bytes(-len(head) % 32)
    return head, len(head) + n_tensors * n * 4


def remote(fake: FakeHub, content: object, path: str = "m-Q4_K_M.gguf") -> RemoteFile:
    fake.add_repo("a/m", {path: content})  # type: ignore[dict-item]
    (file,) = Hub(fake.endpoint, token="").repo("a/m").files
    fake.forget()
    return file


def hub(fake: FakeHub) -> Hub:
    return Hub(fake.endpoint, token="", timeout_s=5)


def test_a_file_of_40_gb_costs_less_than_16_mb(fake: FakeHub) -> None:
    head, size = big_head(n_tokens=128_256)
    assert size > 40 * GB
    found = hub(fake).header(remote(fake, Hole(head, size)))
    assert (len(found.tensors), found.n_ctx_train, found.file_size_bytes) == (700, 131072, size)
    assert fake.traffic < min(16 * 10**6, len(head) + 2.1 * MB)
    assert all(seen.range for seen in fake.log)


def test_the_longest_header_known_costs_little_more_than_itself(fake: FakeHub) -> None:
    head, size = big_head(n_tokens=262_144)
    assert len(head) > 14 * MB
    hub(fake).header(remote(fake, Hole(head, size)))
    assert fake.traffic < len(head) + 0.8 * MB


def test_the_hub_is_asked_once_for_the_address(fake: FakeHub) -> None:
    head, size = big_head(n_tokens=128_256)
    hub(fake).header(remote(fake, Hole(head, size)))
    assert len([seen for seen in fake.log if not seen.is_cdn]) == 1


def test_a_second_look_needs_no_network(fake: FakeHub, tmp_path: Path) -> None:
    path = valid_model(tmp_path / "m.gguf")
    file = remote(fake, path)
    first = hub(fake).header(file)
    fake.go_offline()
    again = hub(fake).header(file)
    local = read_header(path)
    for found in (first, again):
        assert found.tensors == local.tensors
        assert found.path == Path("m-Q4_K_M.gguf")
        tokens = found.metadata["tokenizer.ggml.tokens"]
        assert isinstance(tokens, ArrayRef)
        assert tokens.read() == ["<s>", "a", "Ġb", ""]
    assert len(list(headercache.folder().iterdir())) == 1


def test_what_is_kept_belongs_to_one_commit(fake: FakeHub, tmp_path: Path) -> None:
    file = remote(fake, valid_model(tmp_path / "m.gguf"))
    hub(fake).header(file)
    other = RemoteFile(file.repo, "f" * 40, file.path, file.size_bytes)
    assert headercache.read(file) is not None
    assert headercache.read(other) is None
    unpinned = RemoteFile(file.repo, "main", file.path, file.size_bytes)
    hub(fake).header(unpinned)
    assert headercache.read(unpinned) is None


def test_a_damaged_keepsake_is_fetched_again(fake: FakeHub, tmp_path: Path) -> None:
    file = remote(fake, valid_model(tmp_path / "m.gguf"))
    hub(fake).header(file)
    (kept,) = headercache.folder().iterdir()
    kept.write_bytes(b"GGUF" + bytes(10))
    assert len(hub(fake).header(file).tensors) == 3
    assert len(kept.read_bytes()) > 100


def test_a_cache_that_cannot_be_written(fake: FakeHub, tmp_path: Path, home: Path) -> None:
    headercache.folder().parent.mkdir(parents=True)
    headercache.folder().write_text("in the way")
    found = hub(fake).header(remote(fake, valid_model(tmp_path / "m.gguf")))
    tokens = found.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, ArrayRef)
    assert tokens.read() == ["<s>", "a", "Ġb", ""]


def test_a_full_disk_keeps_nothing(
    fake: FakeHub, small_disk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(headercache, "folder", lambda: small_disk / "headers")
    head, size = big_head(n_tokens=40_000)
    assert len(hub(fake).header(remote(fake, Hole(head, size))).tensors) == 700
    assert list((small_disk / "headers").iterdir()) == []


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(headercache, "MAX_FILES", 3)
    data = valid_model(tmp_path / "m.gguf").read_bytes()
    files = [RemoteFile("a/m", f"{n:040x}", "m.gguf", len(data)) for n in range(5)]
    for n, file in enumerate(files):
        assert headercache.keep(file, data)
        _age(headercache._place(file), 100 - n)
        headercache.read(files[0])  # used all the time, so it stays
    assert [headercache.read(file) is not None for file in files] == [
        True,
        *[False] * 2,
        *[True] * 2,
    ]
    monkeypatch.setattr(headercache, "MAX_BYTES", len(data) + 10)
    headercache.keep(files[1], data)
    assert len(list(headercache.folder().iterdir())) == 1


def _age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


# What goes wrong on the way


def test_a_server_that_sends_whole_files_only(fake: FakeHub) -> None:
    head, size = big_head(n_tokens=30_000, n_tensors=10, tensor_bytes=4 * MB)
    file = remote(fake, Hole(head, size))
    fake.faults.ignore_range = True
    assert len(hub(fake).header(file).tensors) == 10
    assert len(fake.requests("/cdn/")) == 1


def test_a_header_too_long_for_a_server_without_ranges(
    fake: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "_MAX_UNASKED_BYTES", MB)
    head, size = big_head(n_tokens=60_000)
    file = remote(fake, Hole(head, size))
    fake.faults.ignore_range = True
    with pytest.raises(TransferError) as caught:
        hub(fake).header(file)
    assert "did not give the part of m-Q4_K_M.gguf asked for" in str(caught.value)
    assert "once it has been downloaded" in str(caught.value.hint)


def test_a_range_that_begins_elsewhere(fake: FakeHub, tmp_path: Path) -> None:
    file = remote(fake, valid_model(tmp_path / "m.gguf"))
    fake.faults.wrong_offset = 7
    with pytest.raises(TransferError, match="did not give the part"):
        hub(fake).header(file)


def test_ranges_that_are_shorter_than_asked(fake: FakeHub) -> None:
    head, size = big_head(n_tokens=60_000)
    file = remote(fake, Hole(head, size))
    fake.faults.short_by = 1000
    assert len(hub(fake).header(file).tensors) == 700


def test_a_connection_that_drops_again_and_again(fake: FakeHub) -> None:
    head, size = big_head(n_tokens=20_000)
    file = remote(fake, Hole(head, size))
    fake.faults.drop_after = 300_000
    assert len(hub(fake).header(file).tensors) == 700
    fake.faults.drop_after = 0
    with pytest.raises(OfflineError):
        hub(fake).header(RemoteFile(file.repo, "main", file.path, size))


def test_a_stall(fake: FakeHub, tmp_path: Path) -> None:
    file = remote(fake, valid_model(tmp_path / "m.gguf"))
    fake.faults.stall_after = 0
    with pytest.raises(OfflineError, match="did not answer in time"):
        Hub(fake.endpoint, token="", timeout_s=0.2).header(file)


def test_an_address_that_runs_out_in_between(
    fake: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "_NEXT_BYTES", MB // 4)
    head, size = big_head(n_tokens=60_000)
    file = remote(fake, Hole(head, size))
    read_array = gguf_header._read_array

    def expire(*arguments: object) -> ArrayRef:
        fake.expire_links()
        return read_array(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gguf_header, "_read_array", expire)
    assert len(hub(fake).header(file).tensors) == 700
    assert len([seen for seen in fake.log if not seen.is_cdn]) > 1


def test_another_file_than_the_hub_lists(fake: FakeHub, tmp_path: Path) -> None:
    file = remote(fake, valid_model(tmp_path / "m.gguf"))
    other = RemoteFile(file.repo, file.commit, file.path, file.size_bytes + 1)
    with pytest.raises(TransferError, match="is not the file that the hub lists"):
        hub(fake).header(other)
    fake.faults.ignore_range = True
    with pytest.raises(TransferError, match="is not the file that the hub lists"):
        hub(fake).header(other)


@pytest.mark.parametrize("content", [b"", b"GG", b"<html>", b"GGUF" + bytes(60), b"x" * 3000])
def test_a_file_that_is_no_gguf(fake: FakeHub, content: bytes) -> None:
    file = remote(fake, content)
    with pytest.raises(GgufError) as caught:
        hub(fake).header(file)
    assert "m-Q4_K_M.gguf" in str(caught.value)
    assert headercache.read(file) is None


def test_hostile_headers_are_refused_cheaply(fake: FakeHub) -> None:
    names = {f"{attack.__name__}.gguf": attack() for attack in gguf_files.ATTACKS}
    fake.add_repo("a/attacks", names)
    for file in hub(fake).repo("a/attacks").files:
        fake.forget()
        with pytest.raises(GgufError):
            hub(fake).header(file)
        assert fake.traffic <= file.size_bytes


def test_a_header_that_never_ends(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "_MAX_BYTES", 2 * MB)
    head, size = big_head(n_tokens=100_000)
    file = remote(fake, Hole(head, size))
    with pytest.raises(TransferError, match="did not give the part"):
        hub(fake).header(file)
    assert fake.traffic <= 3 * MB


def test_a_name_that_nobody_should_have(fake: FakeHub, tmp_path: Path) -> None:
    path = "../..//C:\\x\\ä %2e#?.gguf"
    file = remote(fake, valid_model(tmp_path / "m.gguf"), path)
    try:
        hub(fake).header(file)
    except HubError:
        return
    (kept,) = headercache.folder().iterdir()
    assert kept.name.endswith(".head")
