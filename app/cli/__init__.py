"""The command line: the same engine and core as the window, without Qt. The only room that prints.

Exit codes: 0 done, 1 a plain sentence on stderr, 2 bad usage, 130 cancelled.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from app.cli import bench, chat, doctor, fit, models, pull, quantize, recommend
from app.cli.codes import CANCELLED
from app.core.errors import AppError
from app.quantizer import QuantizeError
from quantize import errors as quantize_errors

__all__ = ["CANCELLED", "complain", "run"]

_COMMANDS = (doctor, models, pull, fit, recommend, chat, bench, quantize)


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except quantize_errors.QuantizeError as error:
        return complain(QuantizeError(error.text, error.hint, error.detail), options.debug)
    except AppError as error:
        return complain(error, options.debug)
    except KeyboardInterrupt:
        return CANCELLED
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def complain(error: AppError, debug: bool = False) -> int:
    """Say on stderr what went wrong and the way on; returns the exit code."""
    sys.stdout.flush()
    print(error.text, file=sys.stderr)
    if error.hint:
        print(error.hint, file=sys.stderr)
    if debug:
        print(error.detail, file=sys.stderr)
        raise error
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nibble", description="Chat offline with language models; no command opens the window."
    )
    parser.add_argument("--version", action="version", version=f"nibble {version('nibble-chat')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
