"""`nibble pull`: a model from the hub, whole and verified; what a broken-off one left is used."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from app.cli.codes import CANCELLED
from app.cli.parsing import add_command
from app.core import hashes
from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.pull import Progress, Request, pull
from app.hub.space import size_text
from quantize.control import Control
from quantize.errors import Cancelled

_LINE_S = 5.0  # between two lines where nobody looks at a terminal
_PHASES = {
    "checking": QT_TRANSLATE_NOOP("cli", "Looking at what is there"),
    "fetching": QT_TRANSLATE_NOOP("cli", "Fetching"),
    "verifying": QT_TRANSLATE_NOOP("cli", "Verifying"),
    "waiting": QT_TRANSLATE_NOOP("cli", "Waiting"),
}
_STAYS = QT_TRANSLATE_NOOP("cli", "Stopped. What was fetched stays for the next time.")


def add(commands: Any) -> None:
    parser = add_command(commands, "pull", run, "download a model, verified; resumes")
    parser.add_argument(
        "name",
        metavar="REPO[:QUANT|:FILE] | CATALOGUE_ID[:QUANT]",
        help="a repository of the hub or a model of the catalogue; without a QUANT the one that"
        " is recommended for this computer",
    )
    parser.add_argument("--revision", default="", help="a branch, tag or commit")
    parser.add_argument(
        "--original", action="store_true", help="the original weights, to quantize them here"
    )


def run(options: argparse.Namespace) -> int:
    """Progress on stderr, the path on stdout. Ctrl+C keeps what there is, for the next time."""
    from app.cli.wanted import request_for, transfer_options

    transfer = transfer_options()
    request = request_for(options.name, options.revision, options.original, transfer)
    control = Control()
    previous = signal.signal(signal.SIGINT, lambda *_: control.cancel())
    show = _Lines() if options.json else _Screen(request)
    try:
        found = pull(request, show.progress, control, transfer)
    except Cancelled:
        show.end()
        print(_STAYS, file=sys.stderr)
        return CANCELLED
    finally:
        signal.signal(signal.SIGINT, previous)
    show.end()
    _print_result(request, found, options.original, options.json)
    return 0


def _print_result(request: Request, found: tuple[Path, ...], original: bool, as_json: bool) -> None:
    """The folder of originals, else the (first part's) file: what chat and quantize take."""
    path = request.folder if original else found[0]
    if not as_json:
        print(path)
        return
    known = hashes.known(found[0])
    sha256 = known.sha256 if known is not None and not original else request.files[0].sha256
    done = {"event": "done", "path": str(path), "sha256": "" if original else sha256}
    more = {"size_bytes": request.size_bytes, "files": [str(file) for file in found]}
    print(json.dumps(done | more), flush=True)


class _Lines:
    """JSON lines on stdout, ten a second at most."""

    def progress(self, progress: Progress) -> None:
        note = str(progress.note) if progress.note is not None else None
        names = ("phase", "done_bytes", "total_bytes", "bytes_per_s", "eta_s")
        figures = {name: getattr(progress, name) for name in names}
        print(json.dumps({"event": "progress", **figures, "note": note}), flush=True)

    def end(self) -> None:
        pass


class _Screen:
    """One line on stderr, written over and over; on no terminal a new one now and then."""

    def __init__(self, request: Request) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._written = 0
        self._next_s = 0.0
        named = f"{request.title} {request.variant}".strip()
        print(f"{named}, {size_text(request.size_bytes)}", file=sys.stderr)

    def progress(self, progress: Progress) -> None:
        if self._is_terminal:
            line = _line(progress)
            print(f"\r{line:<{self._written}}", end="", file=sys.stderr, flush=True)
            self._written = len(line)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _LINE_S
            print(_line(progress), file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._is_terminal and self._written:
            print(file=sys.stderr)


def _line(progress: Progress) -> str:
    done = size_text(progress.done_bytes)
    share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 1.0
    words = [f"{_PHASES[progress.phase]}: {done} ({share:.0%})"]
    if progress.bytes_per_s:
        words.append(f"{progress.bytes_per_s / 1e6:.1f} MB/s")
    if progress.eta_s is not None and progress.phase == "fetching":
        words.append(f"{_time(progress.eta_s)} left")
    if progress.note is not None:
        words.append(str(progress.note))
    return ", ".join(words)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
