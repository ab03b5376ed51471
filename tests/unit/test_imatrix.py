"""Importance matrices: llama.cpp's format both ways, the arithmetic, files nobody vouches for."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantize.errors import GgufError, OutputError, QuantizeError, UnsupportedError
from quantize.imatrix import Imatrix, check_fits, read_imatrix, write_imatrix
from quantize.model import Weight
from quantize.rows import Held
from quantize.types import GgmlType
from tests.helpers.gguf_files import F32, INT32, INT64, Q4_0, Tensor, Typed, gguf_bytes, write_gguf

DOWN = "blk.0.ffn_down_exps.weight"
QUERY = "blk.0.attn_q.weight"
METADATA: dict[str, object] = {
    "general.type": "imatrix",
    "imatrix.datasets": ["a text.txt", "été.txt"],
    "imatrix.chunk_count": 3,
    "imatrix.chunk_size": 512,
}


def tensor(name: str, shape: tuple[int, ...], *values: float) -> Tensor:
    return Tensor(name, F32, shape, struct.pack(f"<{len(values)}f", *values))


def pair(name: str, sums: list[float], count: float) -> tuple[Tensor, Tensor]:
    return (
        tensor(f"{name}.in_sum2", (len(sums), 1), *sums),
        tensor(f"{name}.counts", (1, 1), count),
    )


EXPERTS = (
    tensor(f"{DOWN}.in_sum2", (2, 3), 1, 2, 3, 4, 0, 0),
    tensor(f"{DOWN}.counts", (1, 3), 1, 4, 0),
)
SOUND = (*pair(QUERY, [1.0, 0.5, 7.0], 3), *EXPERTS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.imatrix"


def written(path: Path, *tensors: Tensor, **changed: object) -> Path:
    metadata = {**METADATA, **{key.replace("__", "."): value for key, value in changed.items()}}
    return write_gguf(path, metadata, tensors)


def measured(path: Path) -> Imatrix:
    return Imatrix(
        path=path,
        sums={
            QUERY: np.array([[1, 0.5, 7]], np.float32),
            DOWN: np.array([[1, 2], [3, 4], [0, 0]], np.float32),
        },
        counts={QUERY: np.array([3], np.float32), DOWN: np.array([1, 4, 0], np.float32)},
        datasets=("a text.txt", "été.txt"),
        n_chunks=3,
        chunk_size=512,
    )


def weight(name: str, *shape: int) -> Weight:
    rows = Held(np.zeros((int(np.prod(shape[1:])), shape[0]), np.float32))
    return Weight(name, GgmlType.F32, shape, rows, name)


# The format


def test_a_matrix_is_written_as_llama_cpp_lays_it_out(path: Path) -> None:
    write_imatrix(measured(path))
    sums = tensor(f"{QUERY}.in_sum2", (3,), 1.0, 0.5, 7.0)  # ggml drops dimensions of 1 at the end
    counts = tensor(f"{QUERY}.counts", (1,), 3)
    assert path.read_bytes() == gguf_bytes(METADATA, (sums, counts, *EXPERTS))


def test_a_matrix_of_another_writer_is_read(path: Path) -> None:
    found = read_imatrix(written(path, *SOUND))
    assert found.datasets == ("a text.txt", "été.txt")
    assert (found.n_chunks, found.chunk_size) == (3, 512)
    assert set(found.sums) == set(found.counts) == {QUERY, DOWN}
    np.testing.assert_array_equal(found.sums[DOWN], [[1, 2], [3, 4], [0, 0]])
    np.testing.assert_array_equal(found.counts[DOWN], [1, 4, 0])


def test_what_is_written_is_read_again(path: Path) -> None:
    write_imatrix(measured(path))
    found, wanted = read_imatrix(path), measured(path)
    assert (found.datasets, found.n_chunks) == (wanted.datasets, wanted.n_chunks)
    for name in wanted.sums:
        np.testing.assert_array_equal(found.sums[name], wanted.sums[name])
        np.testing.assert_array_equal(found.counts[name], wanted.counts[name])


def test_counts_and_sums_need_no_second_dimension(path: Path) -> None:
    sums = tensor(f"{QUERY}.in_sum2", (2,), 1, 2)
    found = read_imatrix(written(path, tensor(f"{QUERY}.counts", (1,), 2), sums))
    np.testing.assert_array_equal(found.importance(QUERY), [0.5, 1])


def test_missing_facts_are_empty_and_0(path: Path) -> None:
    found = read_imatrix(write_gguf(path, {"general.type": "imatrix"}, SOUND))
    assert (found.datasets, found.n_chunks, found.chunk_size) == ((), 0, 0)


# The arithmetic


def test_importance_is_the_mean_square_in_float32(path: Path) -> None:
    found = measured(path).importance(QUERY)
    assert found is not None
    assert found.dtype == np.float32
    wanted = [np.float32(v) / np.float32(3) for v in (1, 0.5, 7)]
    assert found.tobytes() == np.array(wanted, np.float32).tobytes()


def test_an_expert_that_saw_nothing_weighs_all_alike(path: Path) -> None:
    found = measured(path).importance(DOWN)
    np.testing.assert_array_equal(found, [1, 2, 0.75, 1, 1, 1])


def test_a_weight_it_does_not_know_has_no_importance(path: Path) -> None:
    assert measured(path).importance("blk.1.attn_q.weight") is None


# Whose matrix it is


def test_it_fits_the_model_it_was_measured_on(path: Path) -> None:
    check_fits(measured(path), [weight(QUERY, 3, 5), weight(DOWN, 2, 4, 3), weight("other", 9)])


def test_a_matrix_without_any_weight_of_the_model_is_anothers(path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"m\.imatrix was measured on another model"):
        check_fits(measured(path), [weight("blk.7.attn_q.weight", 3, 5)])


def test_a_matrix_of_another_size_is_anothers(path: Path) -> None:
    with pytest.raises(UnsupportedError, match=f"3 values for {QUERY}, which needs 4") as caught:
        check_fits(measured(path), [weight(QUERY, 4, 5)])
    assert "--imatrix auto" in str(caught.value.hint)


def test_a_number_of_experts_that_differs_is_anothers(path: Path) -> None:
    with pytest.raises(UnsupportedError, match=f"6 values for {DOWN}, which needs 8"):
        check_fits(measured(path), [weight(DOWN, 2, 5, 4)])


# Where it is written


def test_an_existing_file_is_not_replaced(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"m\.imatrix is there already"):
        write_imatrix(measured(path))
    assert path.read_bytes() == b"precious"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    sums = {QUERY: np.ones((1, 500_000), np.float32)}
    large = replace(measured(small_disk / "m.imatrix"), sums=sums)
    with pytest.raises(OutputError, match="disk"):
        write_imatrix(large)
    assert not list(small_disk.iterdir())


# Files not to be trusted


def huge_count(path: Path) -> Path:
    """A list of counts of 2**63 numbers in a small file."""
    return written(path, Tensor(f"{QUERY}.counts", F32, (2**62,), bytes(4)), SOUND[0])


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "sums without counts": lambda p: written(p, SOUND[0]),
    "counts without sums": lambda p: written(p, *EXPERTS, SOUND[1]),
    "NaN among the sums": lambda p: written(p, *pair(QUERY, [1.0, float("nan")], 3)),
    "infinite sum": lambda p: written(p, *pair(QUERY, [1.0, float("inf")], 3)),
    "negative sum": lambda p: written(p, *pair(QUERY, [1.0, -1.0], 3)),
    "NaN as count": lambda p: written(p, *pair(QUERY, [1.0], float("nan"))),
    "negative count": lambda p: written(p, *pair(QUERY, [1.0], -1.0)),
    "count that makes means overflow": lambda p: written(p, *pair(QUERY, [3e38], 1e-38)),
    "fewer counts than matrices": lambda p: written(
        p, EXPERTS[0], tensor(f"{DOWN}.counts", (1, 2), 1, 4)
    ),
    "one sum list for several counts": lambda p: written(
        p, tensor(f"{DOWN}.in_sum2", (6,), *range(6)), EXPERTS[1]
    ),
    "three dimensions": lambda p: written(
        p, tensor(f"{DOWN}.in_sum2", (1, 2, 3), *range(6)), EXPERTS[1]
    ),
    "quantized sums": lambda p: written(
        p, Tensor(f"{QUERY}.in_sum2", Q4_0, (32, 1), bytes(18)), SOUND[1]
    ),
    "counts of integers": lambda p: written(
        p, SOUND[0], Tensor(f"{QUERY}.counts", 26, (1, 1), bytes(4))
    ),
    "2^62 counts": huge_count,
    "negative number of chunks": lambda p: written(p, *SOUND, imatrix__chunk_count=-1),
    "2^63 chunks": lambda p: written(
        p, *SOUND, imatrix__chunk_size=Typed(INT64, 2**63 - 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_damaged_matrix_is_refused(path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(GgufError, match=r"m\.imatrix") as caught:
        read_imatrix(make(path))
    assert caught.value.hint


def test_2_63_seen_tokens_are_only_many(path: Path) -> None:
    found = read_imatrix(written(path, *pair(QUERY, [1.0, 0.0], 2.0**63)))
    importance = found.importance(QUERY)
    assert importance is not None
    assert np.isfinite(importance).all()


def test_datasets_that_are_no_texts_are_left_out(path: Path) -> None:
    numbers = Typed(INT32, [1, 2])
    assert read_imatrix(written(path, *SOUND, imatrix__datasets=numbers)).datasets == ()


@pytest.mark.parametrize("kind", ["model", "adapter", 7])
def test_a_gguf_of_another_kind_is_refused(path: Path, kind: object) -> None:
    with pytest.raises(UnsupportedError, match=r"m\.imatrix is not an importance matrix"):
        read_imatrix(written(path, *SOUND, general__type=kind))


def test_a_matrix_of_nothing_is_refused(path: Path) -> None:
    with pytest.raises(UnsupportedError, match="not an importance matrix"):
        read_imatrix(written(path))


@pytest.mark.parametrize("n_missing", [21, 32, 64, 200, 600])
def test_a_file_that_ends_early_is_refused(path: Path, n_missing: int) -> None:
    data = written(path, *SOUND).read_bytes()
    path.write_bytes(data[:-n_missing])
    with pytest.raises(GgufError, match="ends early"):
        read_imatrix(path)


def test_a_file_that_is_not_there_or_no_gguf_is_refused(path: Path) -> None:
    with pytest.raises(GgufError, match="is not there"):
        read_imatrix(path)
    path.write_bytes(b"blk.0.attn_q.weight 1 2 3\n" * 9)
    with pytest.raises(GgufError, match="is not a GGUF"):
        read_imatrix(path)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_only_own_errors_leave_a_mutated_matrix(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_changes: int
) -> None:
    source = random.Random(seed)
    data = bytearray(gguf_bytes(METADATA, SOUND))
    for _ in range(n_changes):
        at = source.randrange(len(data))
        data[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF, source.randrange(256)))
    if source.random() < 0.2:
        del data[source.randrange(len(data)) :]
    path = tmp_path_factory.getbasetemp() / "mutated.imatrix"
    path.write_bytes(data)
    try:
        found = read_imatrix(path)
    except QuantizeError:
        return
    for name in found.sums:
        importance = found.importance(name)
        assert importance is not None
        assert np.isfinite(importance).all()
