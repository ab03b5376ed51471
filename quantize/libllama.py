"""Loads libllama through the binding's ctypes layer; imported in children only.

`import llama_cpp` also imports the binding's high-level half: numpy, jinja2 and diskcache (which
unpickles, CVE-2025-69872), 0.2 s and 25 MB that nobody here uses. So the package is entered without
running its `__init__`: only `llama_cpp.llama_cpp` is loaded. The engine's child starts with this
module, so it must not import numpy.
"""

from __future__ import annotations

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


def lib_dir() -> Path:
    return Path(str(lib._base_path))
