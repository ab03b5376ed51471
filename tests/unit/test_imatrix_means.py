"""The older format of importance matrices, and both formats as llama.cpp's own tool wrote them.

goldens/imatrix-experts.imatrix and .dat: the sums of one run (llama.cpp at 0c1e57098,
tools/imatrix/imatrix.cpp) over a small random model with twelve experts.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.errors import GgufError, QuantizeError
from quantize.imatrix import read_imatrix, write_imatrix
from tests.helpers.fuzz import fuzz

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
NEW, OLD = GOLDENS / "imatrix-experts.imatrix", GOLDENS / "imatrix-experts.dat"


def entry(name: bytes, n_calls: int, *values: float) -> bytes:
    head = struct.pack("<i", len(name)) + name
    return head + struct.pack(f"<ii{len(values)}f", n_calls, len(values), *values)


SOUND = struct.pack("<i", 2) + entry(b"blk.0.a.weight", 3, 1, 6) + entry(b"blk.0.b.weight", 0, 0.5)
TAIL = struct.pack("<ii", 7, 4) + b"text"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.dat"


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# What llama.cpp's tool wrote


def test_llama_cpps_file_is_read_and_written_again_byte_for_byte(tmp_path: Path) -> None:
    found = read_imatrix(NEW)
    assert (found.datasets, found.n_chunks, found.chunk_size) == (("text.txt",), 20, 32)
    assert found.sums["blk.0.ffn_down_exps.weight"].shape == (12, 48)
    assert found.counts["blk.0.ffn_down_exps.weight"].sum() == 2 * 20 * 32
    assert found.counts["blk.0.attn_q.weight"].tolist() == [20 * 32]
    write_imatrix(replace(found, path=tmp_path / "again.imatrix"))
    assert (tmp_path / "again.imatrix").read_bytes() == NEW.read_bytes()


def test_both_of_llama_cpps_formats_say_the_same() -> None:
    new, old = read_imatrix(NEW), read_imatrix(OLD)
    assert set(old.sums) == set(new.sums)
    assert len(old.sums) == 8
    assert (old.datasets, old.n_chunks) == (("text.txt",), 20)
    for name in new.sums:
        np.testing.assert_allclose(old.importance(name), new.importance(name), rtol=1e-6)


# The older format


def test_values_are_means_times_calls(path: Path) -> None:
    found = read_imatrix(written(path, SOUND + TAIL))
    importance = found.importance("blk.0.a.weight")
    assert importance is not None
    assert importance.tobytes() == (np.array([1, 6], np.float32) / np.float32(3)).tobytes()
    np.testing.assert_array_equal(found.importance("blk.0.b.weight"), [0.5])
    assert (found.datasets, found.n_chunks) == (("text",), 7)


@pytest.mark.parametrize(
    ("tail", "n_chunks"), [(b"", 0), (TAIL[:4], 7), (TAIL[:8], 7), (struct.pack("<i", -7), 0)]
)
def test_the_texts_name_may_be_missing(path: Path, tail: bytes, n_chunks: int) -> None:
    found = read_imatrix(written(path, SOUND + tail))
    assert (found.datasets, found.n_chunks) == ((), n_chunks)


def test_what_comes_in_the_older_format_goes_out_in_the_newer(path: Path) -> None:
    old = read_imatrix(OLD)
    write_imatrix(replace(old, path=path))
    again = read_imatrix(path)
    assert path.read_bytes()[:4] == b"GGUF"
    for name in old.sums:
        np.testing.assert_array_equal(again.importance(name), old.importance(name))


# Files not to be trusted

HOSTILE: dict[str, Callable[[], bytes]] = {
    "cut within a value": lambda: SOUND[:-1],
    "cut within a name": lambda: SOUND[:11],
    "cut after the first entry": lambda: SOUND[:-30],
    "2^31-1 values": lambda: (
        struct.pack("<ii", 1, 1) + b"a" + struct.pack("<ii", 1, 2**31 - 1) + bytes(64)
    ),
    "no values": lambda: struct.pack("<i", 1) + entry(b"a", 1),
    "-1 values": lambda: struct.pack("<ii", 1, 1) + b"a" + struct.pack("<ii", 1, -1) + bytes(64),
    "name below nothing": lambda: (
        struct.pack("<i", 2) + entry(b"a", 1, 1) + struct.pack("<i", -1) + bytes(64)
    ),
    "name too long": lambda: (
        struct.pack("<i", 2) + entry(b"a", 1, 1) + struct.pack("<i", 64) + bytes(128)
    ),
    "text's name longer than the file": lambda: SOUND + struct.pack("<ii", 1, 99) + b"text",
    "double entry": lambda: struct.pack("<i", 2) + entry(b"a", 1, 1) * 2,
    "NaN": lambda: struct.pack("<i", 1) + entry(b"a", 1, float("nan")),
    "infinity": lambda: struct.pack("<i", 1) + entry(b"a", 1, float("inf")),
    "below 0": lambda: struct.pack("<i", 1) + entry(b"a", 1, -1.0),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_damaged_matrix_is_refused(path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(GgufError, match=r"m\.dat is damaged") as caught:
        read_imatrix(written(path, make()))
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<i", 0) + bytes(64),
        struct.pack("<i", -1) + bytes(64),
        struct.pack("<i", 2**31 - 1) + bytes(64),
        struct.pack("<ii", 1, 64) + bytes(128),
        b"abc",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
    ],
)
def test_a_file_of_no_kind_of_matrix_is_refused(path: Path, data: bytes) -> None:
    with pytest.raises(GgufError, match=r"m\.dat is not a GGUF file"):
        read_imatrix(written(path, data))


def test_an_empty_file_is_refused(path: Path) -> None:
    with pytest.raises(GgufError, match=r"m\.dat is empty"):
        read_imatrix(written(path, b""))


@fuzz
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_only_own_errors_leave_a_mutated_matrix(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_changes: int
) -> None:
    source = random.Random(seed)
    data = bytearray(SOUND + TAIL)
    for _ in range(n_changes):
        data[source.randrange(len(data))] = source.choice((0, 1, 0x7F, 0xFF, source.randrange(256)))
    if source.random() < 0.3:
        del data[source.randrange(len(data)) :]
    path = written(tmp_path_factory.getbasetemp() / "mutated.dat", bytes(data))
    try:
        found = read_imatrix(path)
    except QuantizeError:
        return
    for name in found.sums:
        importance = found.importance(name)
        assert importance is not None
        assert np.isfinite(importance).all()
