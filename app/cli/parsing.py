"""What the commands' arguments share: the usual flags, numbers within bounds, sizes in bytes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any

from app.core.errors import AppError

_SIZE = re.compile(r"([0-9]*\.?[0-9]+)\s*([kmgt]?)(i?b?)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def add_command(
    commands: Any, name: str, function: Callable[[argparse.Namespace], int], help_text: str
) -> argparse.ArgumentParser:
    """A sub-command with the flags that every command has."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
    )
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    parser.add_argument("--debug", action="store_true", help="a traceback where there is trouble")
    parser.set_defaults(command=function)
    return parser


def add_model(parser: argparse.ArgumentParser, several: bool = False) -> None:
    parser.add_argument(
        "-m",
        "--model",
        action="append" if several else "store",
        help="a GGUF file, an installed name, or “starter” (the default)",
    )


def bounded(setting: Any, convert: Any) -> Any:
    """A number that `setting` accepts."""

    def parse(text: str) -> Any:
        value = convert(text)
        if not setting.accepts(value):
            raise argparse.ArgumentTypeError(
                f"{text} is not between {setting.minimum:g} and {setting.maximum:g}"
            )
        return value

    parse.__name__ = "number"
    return parse


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def size_bytes(text: str) -> int:
    """ "64GB", "64GiB", "512MiB" or bytes; a bare letter ("64G") counts in 1,024s."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 16GB, 16GiB or 16G")
    number, power, unit = match.groups()
    is_decimal = unit.lower() == "b" and power
    factor: int = (1000 if is_decimal else 1024) ** _POWERS[power.lower()]
    return round(float(number) * factor)


def size(n_bytes: float) -> str:
    """For people, in the same decimal units as the window."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def sentence(error: AppError) -> str:
    return f"{error.text} {error.hint}" if error.hint else str(error.text)
