"""The process that the official converter runs in: `python -P official_child.py SCRIPT ARGS`.

Started by its path, it imports nothing of `quantize`. It ends with its parent, whose pipe its stdin
is. A model's folder may bring Python files that transformers runs when asked to trust them, and the
converter asks: here none is ever run.

Source: transformers 5.23.0, dynamic_module_utils.py.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_REMOTE = "transformers.dynamic_module_utils"


def main(script: str, *arguments: str) -> None:
    """Run `script` as if it had been started itself."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    with suppress(ModuleNotFoundError):
        distrust(importlib.import_module(_REMOTE))
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


def distrust(remote: Any) -> None:
    """Make `remote`, transformers' module for foreign code, load none.

    Its callers take `resolve_trust_remote_code` from it when they are imported, which is later.
    """
    ask = remote.resolve_trust_remote_code
    remote.resolve_trust_remote_code = lambda _trust, *args, **kwargs: ask(False, *args, **kwargs)
    remote.get_class_in_module = _refuse


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ValueError("the model brings code of its own, which is not run")


def _end_with_parent() -> None:
    """Not through sys.stdin: Python aborts where a thread still reads from that when it ends."""
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
