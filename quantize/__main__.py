"""`python -m quantize`: the quantizer without the app, in this process."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from quantize import cli, job, worker
from quantize.control import Control
from quantize.errors import QuantizeError
from quantize.job import AnyEvent, Event, MatrixJob


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 a plain sentence on stderr, 2 bad usage, 130 cancelled."""
    parser = argparse.ArgumentParser(
        prog="python -m quantize", description="Original weights to GGUF, in any type."
    )
    parser.add_argument("--json", action="store_true", help="JSON lines on standard output")
    cli.add_quantize_arguments(parser, Path.cwd())
    options = parser.parse_args(arguments)
    if problem := cli.usage_problem(options):
        parser.error(problem)
    try:
        return _run(options)
    except QuantizeError as error:
        return _complain(job.Failed(error.text, error.hint, error.detail))


def _run(options: argparse.Namespace) -> int:
    if options.list_types:
        print(cli.list_types(options.json))
        return 0
    if options.inspect:
        print(cli.inspect(options.inspect, options.against, options.json))
        return 0
    return run_here(cli.job_from(options), options.json)


def run_here(what: job.Job | MatrixJob, as_json: bool) -> int:
    """Run in this process; Ctrl+C cancels."""
    control = Control()
    signal.signal(signal.SIGINT, lambda *_: control.cancel())
    printer = cli.Printer(as_json)
    last: list[Event] = []

    def emit(event: AnyEvent | Event) -> None:
        last[:] = [event]
        printer(event)

    worker.run(what, emit, control)
    if isinstance(last[0], job.Failed):
        return _complain(last[0])
    return 130 if isinstance(last[0], job.Cancelled) else 0


def _complain(failed: job.Failed) -> int:
    print(failed.text, file=sys.stderr)
    if failed.hint:
        print(failed.hint, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
