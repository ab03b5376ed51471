"""Nibble's way in: the window, a sub-command, or a child process.

Kept small: a child imports no Qt, and the window's engine starts before Qt is imported.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--child"] and len(arguments) == 2:
        from app.child import run_child

        run_child(arguments[1])
    from app.cli import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
