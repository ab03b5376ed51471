"""The end of a failed pip or compiler run, put into one sentence on what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devtools.console import CommandError, SetupError, say

_HINTS = (
    (("No space left on device", "Errno 28"), "The disk is full: free about 2 GB and try again."),
    (
        ("DO NOT MATCH THE HASHES", "HashMismatch"),
        "A package arrived that is not the one this project was tested with. If the download broke "
        "off, trying again helps; else another package index is set: see “pip config list”.",
    ),
    (
        ("fatal error: Killed", "internal compiler error"),
        "The compiler probably ran out of memory: close other programs, or set "
        "CMAKE_BUILD_PARALLEL_LEVEL=1 and try again.",
    ),
    (
        (
            "NewConnectionError",
            "NameResolutionError",
            "Failed to establish a new connection",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "Connection broken",
            "Temporary failure resolving",
            "ProxyError",
            "SSLError",
            "No matching distribution found",
        ),
        "The packages could not be reached: check the network (or the proxy) and try again; "
        "what was downloaded already is kept.",
    ),
)
_OTHERWISE = "The lines above say why. Trying again is safe: it goes on where it stopped."


def hint_for(tail: Sequence[str]) -> str:
    """What to try next, from the last lines that a failed command wrote; "" when none is known."""
    text = "\n".join(tail)
    return next((hint for signs, hint in _HINTS if any(sign in text for sign in signs)), "")


def explain(error: CommandError, text: str, log: Path) -> SetupError:
    """`text` with a hint; the command's last lines are shown where no hint is known."""
    hint = hint_for(error.tail)
    if not hint:
        say("\n".join(error.tail))
    return SetupError(text, f"{hint or _OTHERWISE} The whole log is {log}.")
