"""The callback by itself, with tensors made here; and models that cannot be measured."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantize import imatrix_collect
from quantize.control import Control
from quantize.errors import Cancelled, CheckpointError
from quantize.imatrix_sums import _MUL_MAT, Sums, _Tensor
from quantize.types import GgmlType
from tests.helpers.llama_float64 import BOS, Reference, Shape, tokens_of, write_tiny_llama

NAME = "blk.0.attn_k_b.weight"


def tensor(values: np.ndarray, name: str = "") -> _Tensor:
    """A tensor in memory whose numbers are `values`; up to four dimensions, outermost first."""
    made = _Tensor(type=int(GgmlType.F32), data=values.ctypes.data, name=name.encode())
    shape = (1,) * (4 - values.ndim) + values.shape
    strides = np.empty(shape, np.float32).strides
    made.ne[:], made.nb[:] = shape[::-1], strides[::-1]
    made.kept = values
    return made


def product(weight: _Tensor, inputs: _Tensor) -> _Tensor:
    made = _Tensor(op=_MUL_MAT)
    made.src[0], made.src[1] = ctypes.pointer(weight), ctypes.pointer(inputs)
    return made


def seen(sums: Sums, operation: _Tensor) -> tuple[bool, bool]:
    """What the callback answers before and after the operation."""
    address = ctypes.addressof(operation)
    return sums._on_operation(address, True, None), sums._on_operation(address, False, None)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_stacked_weights_have_sums_each_and_one_count() -> None:
    sums, inputs = Sums(Control()), numbers(3, 16, 5)
    assert seen(sums, product(tensor(numbers(3, 7, 5), NAME), tensor(inputs))) == (True, True)
    entry = sums.entries[NAME]
    np.testing.assert_allclose(entry.sums, np.square(inputs.astype(float)).sum(axis=1), rtol=1e-6)
    assert entry.counts.tolist() == [16]


def test_inputs_with_more_matrices_than_the_weight_are_rows_of_it() -> None:
    sums, inputs = Sums(Control()), numbers(3, 16, 5)
    seen(sums, product(tensor(numbers(7, 5), NAME), tensor(inputs)))
    entry = sums.entries[NAME]
    wanted = np.square(inputs.astype(float)).sum(axis=(0, 1))[None, :]
    np.testing.assert_allclose(entry.sums, wanted, rtol=1e-6)
    assert entry.counts.tolist() == [48]


def test_a_copy_on_a_device_counts_for_its_weight() -> None:
    sums = Sums(Control())
    seen(sums, product(tensor(numbers(7, 5), f"CUDA0#{NAME}#0"), tensor(numbers(16, 5))))
    assert list(sums.entries) == [NAME]


@pytest.mark.parametrize(
    ("name", "n_rows"), [("output.weight", 16), ("cache_k_l0", 16), (NAME, 15), ("", 16)]
)
def test_other_products_are_not_asked_for(name: str, n_rows: int) -> None:
    sums = Sums(Control())
    operation = product(tensor(numbers(7, 5), name), tensor(numbers(n_rows, 5)))
    assert not seen(sums, operation)[0]
    assert not sums.entries


def test_a_cancelled_job_ends_the_graph_at_the_next_product() -> None:
    control = Control()
    sums = Sums(control)
    operation = product(tensor(numbers(7, 5), NAME), tensor(numbers(16, 5)))
    control.cancel()
    assert seen(sums, operation) == (True, False)
    assert isinstance(sums.error, Cancelled)
    assert not sums.entries


def collected(model: Path, text: str) -> Any:
    return imatrix_collect.collect(
        model,
        text,
        "text.txt",
        model.with_suffix(".imatrix"),
        n_threads=1,
        control=Control(),
        on_progress=lambda *_: None,
        n_ctx=32,
    )


def test_what_looks_like_a_special_token_is_text(tmp_path: Path) -> None:
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape(n_layer=1))
    text = "a <s> b </s> c " * 4
    found, wanted = collected(tiny.path, text), Reference(tiny)
    tokens = tokens_of(text)
    for start in range(0, len(tokens) - 31, 32):
        wanted.read([BOS, *tokens[start + 1 : start + 32]])
    name = "blk.0.attn_q.weight"
    np.testing.assert_allclose(found.sums[name], wanted.sums[name], rtol=1e-5)
    assert found.counts[name].tolist() == wanted.counts[name].tolist()


def test_a_model_whose_numbers_overflow_is_named(tmp_path: Path) -> None:
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape(n_layer=1))
    data = bytearray(tiny.path.read_bytes())
    found = tiny.weights["blk.0.attn_norm.weight"].astype("<f4").tobytes()
    at = data.index(found)
    data[at : at + len(found)] = np.full(len(found) // 4, 3e38, "<f4").tobytes()
    tiny.path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"tiny\.gguf computes .* for blk\.0\.attn_"):
        collected(tiny.path, "Once upon a time. " * 4)
