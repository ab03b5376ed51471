"""ggml's quantizers for numpy arrays; imported in children only.

Together with `libllama` the only door of this package to libggml and libllama.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from quantize.libllama import lib, lib_dir
from quantize.rows import F32Array
from quantize.types import GgmlType


def _load_ggml_base() -> ctypes.CDLL:
    """The copy that libllama uses: by its own file name, ggml would be loaded a second time, with
    state of its own. A library's handle also finds what that library depends on; not on Windows,
    where one name is one library."""
    if sys.platform == "win32":
        return ctypes.CDLL(str(lib_dir() / "ggml-base.dll"))
    return ctypes.CDLL(lib._lib._name)


T = TypeVar("T")
_ggml = _load_ggml_base()
_FLOATS = ctypes.c_void_p
_ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
_ggml.ggml_quantize_chunk.argtypes = [
    *(ctypes.c_int, _FLOATS, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64),
    _FLOATS,
]
_ggml.ggml_quantize_requires_imatrix.restype = ctypes.c_bool
_ggml.ggml_quantize_requires_imatrix.argtypes = [ctypes.c_int]
_ggml.ggml_quantize_init.restype = None
_ggml.ggml_quantize_init.argtypes = [ctypes.c_int]
_ggml.ggml_validate_row_data.restype = ctypes.c_bool
_ggml.ggml_validate_row_data.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]


def requires_importance(type_: GgmlType) -> bool:
    """Whether ggml aborts the process where it encodes `type_` without an importance matrix."""
    return bool(_ggml.ggml_quantize_requires_imatrix(int(type_)))


def quantize_init(type_: GgmlType) -> None:
    """Build the tables that `type_` needs. ggml takes a lock for it; call before the threads."""
    _ggml.ggml_quantize_init(int(type_))


def quantize_rows(
    type_: GgmlType, rows: F32Array, importance: F32Array | None = None
) -> npt.NDArray[np.uint8]:
    """`rows` (n_rows, n_cols; float32, C-contiguous) as ggml stores them in `type_`: bytes, 1-D.

    `importance`: (n_cols,) float32, the importance matrix's mean squares for these rows. The GIL is
    free meanwhile. Raises ValueError where ggml finds its own result invalid (NaN or Inf in).
    Source: ggml_quantize_chunk in ggml/src/ggml.c.
    """
    n_rows, n_cols = rows.shape
    size = n_rows * n_cols // type_.block_size * type_.type_size
    out = np.empty(size, np.uint8)
    weights = importance.ctypes.data if importance is not None else None
    written = _ggml.ggml_quantize_chunk(
        int(type_), rows.ctypes.data, out.ctypes.data, 0, n_rows, n_cols, weights
    )
    if written != size:
        raise AssertionError(f"{type_.name}: {written} bytes instead of {size}")
    if not _ggml.ggml_validate_row_data(int(type_), out.ctypes.data, size):
        raise ValueError(f"invalid {type_.name} data")
    return out


class _TypeTraits(ctypes.Structure):
    """ggml_type_traits in ggml/include/ggml.h."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
        ("from_float_ref", ctypes.c_void_p),
    )


_ggml.ggml_get_type_traits.restype = ctypes.POINTER(_TypeTraits)
_ggml.ggml_get_type_traits.argtypes = [ctypes.c_int]


def dequantize_rows(type_: GgmlType, data: bytes, n_rows: int, n_cols: int) -> F32Array:
    """The float32 values of `n_rows` whole rows stored in `type_`. The GIL is free meanwhile."""
    out = np.empty((n_rows, n_cols), np.float32)
    if type_ is GgmlType.F32:
        out[:] = np.frombuffer(data, np.float32).reshape(n_rows, n_cols)
        return out
    _ggml.ggml_get_type_traits(int(type_)).contents.to_float(data, out.ctypes.data, out.size)
    return out


_ggml.ggml_op_name.restype = ctypes.c_char_p
_ggml.ggml_op_name.argtypes = [ctypes.c_int]
_ggml.ggml_backend_buffer_is_host.restype = ctypes.c_bool
_ggml.ggml_backend_buffer_is_host.argtypes = [ctypes.c_void_p]
_ggml.ggml_backend_tensor_get.restype = None
_ggml.ggml_backend_tensor_get.argtypes = [
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
]
_N_OPS = 64  # fewer than GGML_OP_COUNT, which ggml_op_name does not check


def op_number(name: str) -> int:
    """The number this build gives to the operation `name` ("MUL_MAT"): it is no part of an API."""
    return next(op for op in range(_N_OPS) if _ggml.ggml_op_name(op) == name.encode())


def is_on_host(buffer: int | None) -> bool:
    """Whether a tensor in `buffer` can be read in place."""
    return not buffer or bool(_ggml.ggml_backend_buffer_is_host(buffer))


def copy_from_device(tensor: int, n_bytes: int) -> ctypes.Array[ctypes.c_char]:
    """The first `n_bytes` of the tensor at address `tensor`, from whatever memory it is in."""
    data = ctypes.create_string_buffer(n_bytes)
    _ggml.ggml_backend_tensor_get(tensor, data, 0, n_bytes)
    return data


class Aborted(Exception):  # noqa: N818 - ggml's word
    """ggml would have ended the process; the text is what it would have said."""


_AbortCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
_ggml.ggml_set_abort_callback.restype = ctypes.c_void_p
_ggml.ggml_set_abort_callback.argtypes = [_AbortCallback]
_parked: list[object] = []


def survive(action: Callable[[], T]) -> T:
    """What `action` returns or raises; Aborted where it runs into one of ggml's assertions.

    An assertion calls back and then ends the process. So `action` runs on a thread of its own,
    which the callback never lets go on: it stays behind, with all it holds. For work that touches
    strangers' files and holds little. Not for two threads at once.
    Source: ggml_abort in ggml/src/ggml.c.
    """
    results: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def park(message: bytes) -> None:
        _parked.append(callback)
        text = message.decode("utf-8", "replace").rsplit("llama.cpp/", 1)[-1]
        results.put(lambda: _raise(Aborted(text)))
        threading.Event().wait()

    def work() -> None:
        try:
            result = action()
            results.put(lambda: result)
        except BaseException as error:
            caught = error
            results.put(lambda: _raise(caught))

    callback = _AbortCallback(park)
    _ggml.ggml_set_abort_callback(callback)
    try:
        threading.Thread(target=work, name="may abort", daemon=True).start()
        return results.get()()
    finally:
        _ggml.ggml_set_abort_callback(_AbortCallback())


def _raise(error: BaseException) -> NoReturn:
    raise error
