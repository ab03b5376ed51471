"""safetensors files: numbers of sound ones, and what is said about the others."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.errors import CheckpointError, QuantizeError, UnsupportedError
from quantize.positional import PositionalFile
from quantize.safetensors import Stored, StoredRows, read_safetensors
from tests.helpers import safetensors_files as files
from tests.helpers.fuzz import fuzz
from tests.helpers.safetensors_files import ATTACKS, Value, bf16, entry, fp8, with_header

AGAIN = "Download it again, or copy it again from where it came."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def refused(path: Path) -> QuantizeError:
    with pytest.raises(QuantizeError) as caught:
        read_safetensors(path)
    assert caught.value.path == path
    return caught.value


def only(path: Path, value: Value) -> Stored:
    files.write_safetensors(path, {"before": bf16([1]), "x": value, "z": bf16([1])})
    return read_safetensors(path)["x"]


# Sound files


def test_facts_of_a_sound_file(path: Path) -> None:
    tensors = {"b": np.zeros((2, 3), np.float32), "a": bf16([1, 2])}
    files.write_safetensors(path, tensors, {"format": "pt"})
    found = read_safetensors(path)
    assert list(found) == ["a", "b"]
    assert (found["b"].dtype, found["b"].shape, found["b"].n_bytes) == ("F32", (2, 3), 24)
    assert found["a"].offset == found["b"].offset + 24
    assert found["a"].origin == "model.safetensors: a"


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "uint8", "int16"])
def test_rows_of_numbers(path: Path, dtype: str) -> None:
    want = np.random.default_rng(1).normal(0, 30, (7, 5)).astype(dtype)
    rows = StoredRows(only(path, want))
    assert (rows.n_rows, rows.n_cols, rows.source_bytes) == (7, 5, want.nbytes)
    got = rows.read(2, 6)
    assert np.array_equal(got, want[2:6].astype(np.float32))
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.flags.writeable


def test_every_bfloat16(path: Path) -> None:
    bits = np.arange(65_536, dtype="<u2")
    got = StoredRows(only(path, files.Raw("BF16", (256, 256), bits.tobytes()))).read(0, 256)
    assert np.array_equal(got.view(np.uint32).ravel(), bits.astype(np.uint32) << 16)


def test_every_float8_e4m3(path: Path) -> None:
    got = StoredRows(only(path, fp8(np.arange(256).reshape(4, 64)))).read(0, 4).ravel()
    sign = np.where(np.arange(256) < 128, 1, -1)
    code = np.arange(256) % 128
    want = [
        np.nan if c == 127 else (c % 8) / 512 if c < 8 else (1 + c % 8 / 8) * 2.0 ** (c // 8 - 7)
        for c in code
    ]
    assert np.array_equal(got, sign * np.array(want, np.float32), equal_nan=True)
    assert got[126] == 448


def test_every_float8_e5m2(path: Path) -> None:
    codes = np.arange(256, dtype=np.uint8)
    got = StoredRows(only(path, fp8(codes.reshape(2, 128), "F8_E5M2"))).read(0, 2).ravel()
    want = (codes.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    assert np.array_equal(got, want, equal_nan=True)
    assert got[0x7C] == np.inf


def test_vectors_and_scalars_are_one_row(path: Path) -> None:
    vector = StoredRows(only(path, bf16([1, 2, 3])))
    assert (vector.n_rows, vector.n_cols) == (1, 3)
    assert vector.read(0, 1).tolist() == [[1, 2, 3]]
    scalar = StoredRows(only(path, np.array(2.5, np.float32)))
    assert (scalar.n_rows, scalar.n_cols) == (1, 1)
    assert scalar.read(0, 1).tolist() == [[2.5]]


def test_three_dimensions_are_rows_below_each_other(path: Path) -> None:
    want = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    rows = StoredRows(only(path, want))
    assert (rows.n_rows, rows.n_cols) == (6, 4)
    assert np.array_equal(rows.read(2, 5), want.reshape(6, 4)[2:5])


def test_nan_is_read_without_a_warning(path: Path) -> None:
    signalling = np.array([[0x7C01, 0xFC01]], np.uint16).view(np.float16)
    assert np.isnan(StoredRows(only(path, signalling)).read(0, 1)).all()
    assert np.isinf(StoredRows(only(path, np.array([1e300]))).read(0, 1)).all()


def test_no_tensors_and_no_elements(path: Path) -> None:
    path.write_bytes(with_header({}))
    assert read_safetensors(path) == {}
    path.write_bytes(
        with_header({"a": entry("F32", [0, 5], 0, 0), "b": entry("I8", [1], 0, 1)}, b"\1")
    )
    assert read_safetensors(path)["a"].n_elements == 0


def test_threads_read_the_same_rows(path: Path) -> None:
    want = np.random.default_rng(2).normal(size=(400, 64)).astype(np.float32)
    rows = StoredRows(only(path, want))
    wrong: list[int] = []

    def read(start: int) -> None:
        for i in range(start, 400, 8):
            if not np.array_equal(rows.read(i, i + 1), want[i : i + 1]):
                wrong.append(i)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_reading_without_positions(
    path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type[np.floating[np.float32]]
) -> None:
    """As on Windows, where a lock guards the file's one position."""
    monkeypatch.delattr(os, "pread", raising=False)
    monkeypatch.delattr(os, "preadv", raising=False)
    want = np.arange(12, dtype=dtype).reshape(3, 4)
    assert np.array_equal(StoredRows(only(path, want)).read(1, 3), want[1:3])


# Hostile files


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_attack_is_refused(path: Path, attack: Callable[[], bytes]) -> None:
    path.write_bytes(attack())
    started = time.monotonic()
    error = refused(path)
    assert time.monotonic() - started < 3
    assert str(error).startswith("model.safetensors is damaged: ")
    assert error.hint is not None
    assert str(error).isprintable()
    str(error).encode("utf-8")
    error.detail.encode("utf-8")


def test_header_of_empty_lists_takes_bounded_memory(path: Path) -> None:
    path.write_bytes(with_header(b"{" + b'"a":[],' * 10_000_000 + b'"b":[]}'))
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


def test_double_name_is_found_in_linear_time(path: Path) -> None:
    items = [f'"{i}":0' for i in range(200_000)]
    path.write_bytes(with_header(("{" + ",".join([*items, '"199999":1']) + "}").encode()))
    started = time.monotonic()
    assert "'199999' is there twice" in refused(path).detail
    assert time.monotonic() - started < 3


def test_cut_file_says_how_much_is_there(path: Path) -> None:
    path.write_bytes(files.safetensors_bytes({"a": np.zeros(1000, np.float32)})[:-1])
    error = refused(path)
    n = path.stat().st_size
    assert str(error) == f"model.safetensors is damaged: it ends early ({n:,} of {n + 1:,} bytes)."
    assert str(error.hint) == AGAIN


def test_cut_anywhere_is_refused(path: Path) -> None:
    data = files.safetensors_bytes({"a": bf16([1, 2]), "b": np.zeros((2, 2))})
    for n_bytes in range(len(data)):
        path.write_bytes(data[:n_bytes])
        refused(path)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_file_that_shrinks_while_it_is_read(
    path: Path, dtype: type[np.floating[np.float32]]
) -> None:
    rows = StoredRows(only(path, np.zeros((100, 10), dtype)))
    os.truncate(path, path.stat().st_size - 100)
    rows.read(0, 10)
    with pytest.raises(CheckpointError) as caught:
        rows.read(90, 100)
    assert str(caught.value) == "model.safetensors ended within x while it was being read."


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_disk_that_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type[np.floating[np.float32]]
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    rows = StoredRows(only(path, np.zeros((4, 4), dtype)))
    monkeypatch.setattr(PositionalFile, "read", fail)
    monkeypatch.setattr(PositionalFile, "read_into", fail)
    with pytest.raises(CheckpointError) as caught:
        rows.read(0, 4)
    assert str(caught.value) == "x cannot be read from model.safetensors."


def test_unknown_type_is_named(path: Path) -> None:
    path.write_bytes(with_header({"a": entry("F128", [1], 0, 16)}, bytes(16)))
    error = refused(path)
    assert isinstance(error, UnsupportedError)
    assert str(error) == "model.safetensors: a is stored as F128, which Nibble does not know."


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        (b"\x80\x02}q\0." + bytes(40), "This is a PyTorch file"),
        (b"\x80\x04\x95" + bytes(40), "This is a PyTorch file"),
        (b"PK\x03\x04" + bytes(26) + b"archive/data.pkl", "This is a PyTorch file"),
        (b"PK\x03\x04" + bytes(26) + b"readme.txt", "This looks like a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "This is a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "This looks like a web page"),
        (b"GGUF\x03\0\0\0" + bytes(20), "This is a GGUF file"),
        (bytes(4096), "It holds zeros"),
        (b"Entry not found", "Download it again"),
    ],
)
def test_other_files_are_recognised(path: Path, head: bytes, hint: str) -> None:
    path.write_bytes(head)
    error = refused(path)
    assert str(error) == "model.safetensors is not a safetensors file."
    assert str(error.hint).startswith(hint)


def test_pickle_is_never_run(path: Path, tmp_path: Path) -> None:
    """Unpickled, it would make a file."""
    trap = tmp_path / "trap"
    path.write_bytes(
        b"\x80\x02cos\nmkdir\nU" + bytes([len(str(trap))]) + str(trap).encode() + b"\x85R."
    )
    refused(path)
    assert not trap.exists()


def test_places_that_cannot_be_read(tmp_path: Path, path: Path) -> None:
    assert str(refused(path)) == "model.safetensors is not there."
    path.touch()
    assert str(refused(path)) == "model.safetensors is empty."
    assert str(refused(path / "x")) == "x is not there."
    assert "is not there" in str(refused(Path("a\0")))
    path.unlink()
    path.mkdir()
    assert str(refused(path)) == "model.safetensors is not an ordinary file."


# Changed headers

SOUND = files.safetensors_bytes(
    {
        "model.embed_tokens.weight": bf16(np.zeros((3, 4))),
        "model.norm.weight": np.zeros(4, np.float32),
        "x": fp8(np.zeros((2, 3, 4))),
    },
    {"format": "pt"},
)
HEADER_BYTES = 8 + int.from_bytes(SOUND[:8], "little")
at = st.integers(0, HEADER_BYTES)
numbers = st.sampled_from([0, 1, -1, 3, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, 10**400])
snippets = st.sampled_from(
    [b"[", b"{", b"}", b"]", b",", b":", b'"', b"-", b"e9", b"null", b"1e999", b"\\ud800", b"\0"]
)
flip = st.tuples(st.just("flip"), at, st.integers(1, 255).map(lambda n: bytes([n])))
insert = st.tuples(st.just("insert"), at, st.binary(max_size=20) | snippets)
drop = st.tuples(st.just("drop"), at, st.integers(1, 64).map(bytes))
number = st.tuples(st.just("number"), at, numbers.map(lambda n: str(n).encode()))
length = st.tuples(
    st.just("length"), at, st.integers(0, 2**64 - 1).map(lambda n: struct.pack("<Q", n))
)
changes = st.lists(st.one_of(flip, insert, drop, number, length), min_size=1, max_size=4)


def mutate(data: bytes, kind: str, at: int, what: bytes) -> bytes:
    """`data` with one change; but for "length" and "flip" the header's length is kept right."""
    if kind == "length":
        return what + data[8:]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ what[0]]) + data[at + 1 :] if at < len(data) else data
    at = max(at, 8)
    stop = at + len(what) if kind == "drop" else at
    if kind == "number":
        digits = [i for i in range(at, len(data)) if data[i : i + 1].isdigit()]
        at = digits[0] if digits else at
        stop = next((i for i in range(at, len(data)) if not data[i : i + 1].isdigit()), at)
    data = data[:at] + (b"" if kind == "drop" else what) + data[stop:]
    n_bytes = max(0, len(data) - 8 - (len(SOUND) - HEADER_BYTES))
    return struct.pack("<Q", n_bytes) + data[8:]


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "victim.safetensors"


@given(changes=changes)
@fuzz
def test_only_our_errors_come_out_of_changed_headers(
    victim: Path, changes: list[tuple[str, int, bytes]]
) -> None:
    data = SOUND
    for change in changes:
        data = mutate(data, *change)
    victim.write_bytes(data)
    try:
        found = read_safetensors(victim)
    except QuantizeError as error:
        check_printable(error)
        return
    for tensor in found.values():
        assert 0 <= tensor.offset <= tensor.offset + tensor.n_bytes <= len(data)
        assert tensor.origin.isprintable()
        tensor.read_bytes(0, tensor.n_bytes)


def check_printable(error: QuantizeError) -> None:
    assert str(error).isprintable()


def test_most_changes_reach_the_layout(victim: Path) -> None:
    """The changes above are worth their time: numbers replaced one by one are all refused."""
    texts = set()
    for i in range(8, HEADER_BYTES):
        data = mutate(SOUND, "number", i, b"1234567")
        victim.write_bytes(data)
        if data[:HEADER_BYTES] != SOUND[:HEADER_BYTES]:
            texts.add(refused(victim).detail)
    assert len(texts) > 10


def test_sound_file_is_sound(victim: Path) -> None:
    victim.write_bytes(SOUND)
    assert len(read_safetensors(victim)) == 3
