"""The door to libllama and libggml for the engine; imported in children only.

`import llama_cpp` also imports the binding's high-level half: numpy, jinja2 and diskcache (which
unpickles, CVE-2025-69872), 0.2 s and 25 MB that the engine never uses. So the package is entered
without running its `__init__`: only the ctypes layer `llama_cpp.llama_cpp` is loaded.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any


def _load_ctypes_layer() -> Any:
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.submodule_search_locations is None:
            raise ImportError("llama-cpp-python is not installed")
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules["llama_cpp"] = package
    return importlib.import_module("llama_cpp.llama_cpp")


lib: Any = _load_ctypes_layer()
LLAMA_CPP_VERSION = version("llama-cpp-python")

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


def lib_dir() -> Path:
    return Path(str(lib._base_path))
