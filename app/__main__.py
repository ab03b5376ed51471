"""Nibble's way in: the window, a sub-command, or a child process.

Each imports what it needs and no more: a child no Qt, the window no argument parser.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

_CANCELLED = 130  # app.cli.codes, which is not there yet when this is needed


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--child"] and len(arguments) == 2:
        from app.child import run_child

        run_child(arguments[1])
    if all(argument.lower().endswith(".gguf") for argument in arguments):
        return _window(arguments)
    try:
        from app.cli import run
    except KeyboardInterrupt:  # pressed before there was anything to cancel
        return _CANCELLED
    return run(arguments)


def _window(files: Sequence[str]) -> int:
    """The window, with `files` to open."""
    gc.disable()  # the window collects garbage itself, see app/ui/garbage.py
    from app.core.errors import QT_TRANSLATE_NOOP, AppError, EngineError

    try:
        if not _has_display():
            raise EngineError(
                QT_TRANSLATE_NOOP("cli", "There is no screen to show the window on."),
                QT_TRANSLATE_NOOP("cli", "“nibble chat” works in a terminal."),
            )
        from app.ui.application import run_window

        return run_window(files)
    except AppError as error:
        from app.cli import complain

        return complain(error)


def _has_display() -> bool:
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)


if __name__ == "__main__":
    sys.exit(main())
