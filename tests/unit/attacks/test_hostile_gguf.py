"""Hostile GGUF headers: only GgufError comes out, soon, and without much memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.errors import GgufError
from quantize.gguf_header import ArrayRef, GgufHeader, read_header
from tests.helpers import gguf_files
from tests.helpers.fuzz import fuzz

SOUND = gguf_files.gguf_bytes(gguf_files.METADATA, gguf_files.TENSORS)
HEADER_BYTES = len(SOUND) - sum(-(-len(t.data) // 32) * 32 for t in gguf_files.TENSORS)
MAX_MEMORY_BYTES = 3 * 1024**2
MAX_SECONDS = 2.0


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "victim.gguf"


@contextmanager
def bounded() -> Iterator[None]:
    """Fails what takes long or much memory."""
    tracemalloc.start()
    start = time.monotonic()
    try:
        yield
        assert time.monotonic() - start < MAX_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY_BYTES
    finally:
        tracemalloc.stop()


def read_all(path: Path) -> GgufHeader | GgufError:
    """Reads the header and every array. Only GgufError is caught."""
    with bounded():
        try:
            return touch(read_header(path))
        except GgufError as error:
            return error


def touch(header: GgufHeader) -> GgufHeader:
    for value in header.metadata.values():
        if isinstance(value, ArrayRef):
            assert len(value.read()) == value.count
    assert isinstance(header.variant, str)
    assert header.n_params >= 0
    assert header.data_offset + header.tensor_bytes <= header.file_size_bytes
    assert header.name.isprintable()
    return header


@pytest.mark.parametrize("attack", gguf_files.ATTACKS, ids=lambda attack: attack.__name__)
def test_attack_is_refused(victim: Path, attack: Callable[[], bytes]) -> None:
    victim.write_bytes(attack())
    error = read_all(victim)
    assert isinstance(error, GgufError)
    assert str(error).startswith("victim.gguf is damaged: ")
    assert error.hint is not None
    assert error.detail


def test_header_cut_anywhere_is_refused(victim: Path) -> None:
    for n_bytes in range(HEADER_BYTES):
        victim.write_bytes(SOUND[:n_bytes])
        assert isinstance(read_all(victim), GgufError), n_bytes


def test_many_empty_strings_take_little_memory(victim: Path) -> None:
    victim.write_bytes(gguf_files.gguf_bytes({"a": [""] * 200_000}))
    with bounded():
        read_header(victim)


flip = st.tuples(st.just("flip"), st.integers(0, HEADER_BYTES - 1), st.integers(1, 255))
huge = st.tuples(
    st.just("huge"),
    st.integers(0, HEADER_BYTES - 8),
    st.sampled_from([0, 1, 2**16, 2**31, 2**32 - 1, 2**32, 2**61, 2**63 - 1, 2**63, 2**64 - 1]),
)
splice = st.tuples(st.just("splice"), st.integers(0, HEADER_BYTES), st.binary(max_size=40))
drop = st.tuples(st.just("drop"), st.integers(0, HEADER_BYTES), st.integers(1, 64))
truncate = st.tuples(st.just("truncate"), st.integers(0, len(SOUND)), st.just(0))
mutations = st.lists(st.one_of(flip, huge, splice, drop, truncate), min_size=1, max_size=4)


def mutate(data: bytes, kind: str, at: int, what: int | bytes) -> bytes:
    if isinstance(what, bytes):
        return data[:at] + what + data[at:]
    if kind == "flip" and at < len(data):
        return data[:at] + bytes([data[at] ^ what]) + data[at + 1 :]
    if kind == "huge":
        return data[:at] + what.to_bytes(8, "little") + data[at + 8 :]
    return data[:at] + (data[at + what :] if kind == "drop" else b"")


@given(changes=mutations)
@fuzz
def test_only_gguf_error_comes_out_of_a_changed_header(
    victim: Path, changes: list[tuple[str, int, int | bytes]]
) -> None:
    data = SOUND
    for kind, at, what in changes:
        data = mutate(data, kind, at, what)
    victim.write_bytes(data)
    read_all(victim)


@given(
    n_tensors=st.integers(0, 3),
    n_keys=st.integers(0, 3),
    rest=st.binary(max_size=400),
)
@fuzz
def test_only_gguf_error_comes_out_of_noise(
    victim: Path, n_tensors: int, n_keys: int, rest: bytes
) -> None:
    victim.write_bytes(gguf_files.preamble(n_tensors, n_keys) + rest)
    read_all(victim)
