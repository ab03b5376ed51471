"""Sums of squares of what llama.cpp multiplies with its weights, taken while it computes.

llama.cpp calls back around every operation. For each product of a block's weight with a prompt's
activations, the squares of the activations are summed by column. The last of these products ends
the graph: nobody needs the vocabulary's scores. Knows neither texts nor files.

Source: llama.cpp at 0c1e57098, tools/imatrix/imatrix.cpp (collect_imatrix): the same products and
the same counts; ggml/include/ggml.h for the struct. Rejected: products as matrix products (numpy's
BLAS has threads of its own, which get in the way of llama.cpp's: 60 times slower than einsum).
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize import native
from quantize.control import Control
from quantize.libllama import lib
from quantize.rows import F32Array
from quantize.types import GgmlType

MIN_TOKENS = 16  # smaller products are not of whole prompts
_MUL_MAT = native.op_number("MUL_MAT")
_MUL_MAT_ID = native.op_number("MUL_MAT_ID")


class _Tensor(ctypes.Structure):
    """ggml_tensor."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]


class Entry:
    """Of one weight: `sums` (n_mat, n_cols) and `counts` (n_mat,), or (1,) without experts."""

    def __init__(self, n_mat: int, n_cols: int, n_counts: int) -> None:
        self.sums = np.zeros((n_mat, n_cols), np.float64)
        self.counts = np.zeros(n_counts, np.float64)


class Sums:
    """The callback, and all it has summed up.

    It raises nothing into llama.cpp: what goes wrong ends the graph and is kept in `error`.
    """

    def __init__(self, control: Control) -> None:
        self.entries: dict[str, Entry] = {}
        self.callback = lib.ggml_backend_sched_eval_callback(self._on_operation)
        self.error: BaseException | None = None
        self.control = control
        self._n_products = 0
        self._n_products_of_graph = 0
        self._of_inputs: dict[tuple[int, ...], tuple[F32Array, F32Array]] = {}

    def begin_batch(self) -> None:
        """Before each graph. How many products it has is known once one was computed."""
        self._n_products_of_graph = max(self._n_products_of_graph, self._n_products)
        self._n_products = 0
        self._of_inputs.clear()

    def _on_operation(self, address: int, ask: bool, _user_data: Any) -> bool:
        try:
            tensor = _Tensor.from_address(address)
            name = _watched(tensor)
            if ask or name is None:
                return name is not None
            self.control.check()
            self._add(name, tensor)
            self._n_products += 1
            return self._n_products != self._n_products_of_graph
        except BaseException as error:
            self.error = error
            return False

    def _add(self, name: str, tensor: _Tensor) -> None:
        """Products with the same input (q, k and v; gate and up) share its sums."""
        weight, inputs = tensor.src[0].contents, tensor.src[1].contents
        has_experts = tensor.op == _MUL_MAT_ID
        n_mat = weight.ne[2] * weight.ne[3]
        ids = ctypes.addressof(tensor.src[2].contents) if has_experts else 0
        key = (ctypes.addressof(inputs), ids, weight.ne[2], weight.ne[3])
        if key not in self._of_inputs:
            if has_experts:
                self._of_inputs[key] = _expert_sums(n_mat, inputs, tensor.src[2].contents)
            else:
                self._of_inputs[key] = _sums(weight, inputs)
        sums, counts = self._of_inputs[key]
        if name not in self.entries:
            self.entries[name] = Entry(n_mat, inputs.ne[0], len(counts))
        self.entries[name].sums += sums
        self.entries[name].counts += counts


def _watched(tensor: _Tensor) -> str | None:
    """The weight's name, where the operation is a product of a block's weight with a prompt."""
    if tensor.op not in (_MUL_MAT, _MUL_MAT_ID):
        return None
    inputs = tensor.src[1].contents
    if inputs.type != GgmlType.F32:
        return None
    if tensor.op == _MUL_MAT and inputs.ne[1] < MIN_TOKENS:
        return None
    name: str = tensor.src[0].contents.name.decode("utf-8", "replace")
    if "#" in name:  # a copy on a device: PREFIX#name#SUFFIX
        name = name.split("#")[1]
    return name if name.startswith("blk.") else None


def _sums(weight: _Tensor, inputs: _Tensor) -> tuple[F32Array, F32Array]:
    """(n_mat, n_cols) and (1,): every matrix sees as many rows. Matrices repeat where the inputs
    have more."""
    n_mat, n_cols = weight.ne[2] * weight.ne[3], inputs.ne[0]
    sums = np.zeros((n_mat, n_cols), np.float32)
    values = _array(inputs, np.float32)
    for i3 in range(inputs.ne[3]):
        for i2 in range(inputs.ne[2]):
            mat = (i3 % weight.ne[3]) * weight.ne[2] + i2 % weight.ne[2]
            sums[mat] += _squares(values[i3, i2])
    n_rows = inputs.ne[1] * inputs.ne[2] * inputs.ne[3]
    return sums, np.full(1, n_rows // n_mat, np.float32)


def _expert_sums(n_experts: int, inputs: _Tensor, ids: _Tensor) -> tuple[F32Array, F32Array]:
    """(n_experts, n_cols) and (n_experts,): every expert sees the tokens that were sent to it.

    `ids`: (n_tokens, n_used) experts. `inputs`: (n_tokens, 1 or n_used, n_cols).
    """
    chosen = _array(ids, np.int32)[0, 0]
    values = _array(inputs, np.float32)[0]
    n_used = chosen.shape[1]
    order = np.argsort(chosen, axis=None, kind="stable")
    counts = np.bincount(chosen.reshape(-1), minlength=n_experts)
    sums = np.zeros((n_experts, inputs.ne[0]), np.float32)
    end = 0
    for expert in np.flatnonzero(counts):
        start, end = end, end + counts[expert]
        token, slot = np.divmod(order[start:end], n_used)
        sums[expert] = _squares(values[token, slot % values.shape[1]])
    return sums, counts.astype(np.float32)


def _squares(rows: F32Array) -> F32Array:
    """Sums of squares by column."""
    sums: F32Array = np.einsum("ij,ij->j", rows, rows)
    return sums


def _array(tensor: _Tensor, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """The tensor's numbers in numpy's order of dimensions, in place where they are in memory."""
    shape = tuple(reversed(tensor.ne))
    strides = tuple(reversed(tensor.nb))
    size = sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + strides[-1]
    if native.is_on_host(tensor.buffer):
        memory: Any = (ctypes.c_char * size).from_address(tensor.data)
    else:
        memory = native.copy_from_device(ctypes.addressof(tensor), size)
    return np.ndarray(shape, dtype, memory, strides=strides)
