"""What the engine needs of libllama beyond its functions; imported in children only.

The library itself is loaded by `quantize.libllama`, without the binding's high-level half.
"""

from __future__ import annotations

import ctypes
import sys

from quantize.libllama import LLAMA_CPP_VERSION, lib, lib_dir

__all__ = ["ABORTED", "LLAMA_CPP_VERSION", "NO_KV_SLOT", "StopFlag", "lib", "lib_dir"]

ABORTED = 2  # llama_decode's result when the abort callback ended it
NO_KV_SLOT = 1


class StopFlag:
    """A byte that llama.cpp polls between graph nodes, without Python being called.

    The abort callback is libc's `strlen` over the flag: 0 for an empty string, 1 once it is set.
    Its size_t comes back in the register whose low byte llama.cpp reads as a bool.
    """

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(2)
        libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
        self.callback = ctypes.cast(libc.strlen, lib.ggml_abort_callback)
        self.data = ctypes.cast(self._buffer, ctypes.c_void_p)

    def set(self) -> None:
        self._buffer[0] = b"\x01"

    def clear(self) -> None:
        self._buffer[0] = b"\x00"

    def __bool__(self) -> bool:
        return self._buffer[0] != b"\x00"
