"""`nibble quantize` and `nibble imatrix`: the quantizer's own command line, run in a child."""

from __future__ import annotations

import argparse
from typing import Any

from app import paths
from app.cli.codes import CANCELLED
from app.cli.parsing import add_command
from app.core import library
from app.core.errors import AppError
from app.quantizer import run_job
from quantize import cli as quantizing
from quantize.job import Cancelled, Job, MatrixJob


def add(commands: Any) -> None:
    parser = add_command(commands, "quantize", quantize, "make GGUF files of original weights")
    quantizing.add_quantize_arguments(parser, paths.models_dir())
    parser.set_defaults(parser=parser)
    parser = add_command(commands, "imatrix", imatrix, "measure which weights matter most")
    quantizing.add_imatrix_arguments(parser)


def quantize(options: argparse.Namespace) -> int:
    """Make the files in a child, or say what there is to choose from."""
    if problem := quantizing.usage_problem(options):
        options.parser.error(problem)
    if options.list_types:
        print(quantizing.list_types(options.json))
    elif options.inspect:
        print(quantizing.inspect(options.inspect, options.against, options.json))
    else:
        return _run_job(quantizing.job_from(options), options.json)
    return 0


def imatrix(options: argparse.Namespace) -> int:
    """Collect an importance matrix in a child."""
    options.model = library.find(options.model)
    return _run_job(quantizing.matrix_job_from(options), options.json)


def _run_job(job: Job | MatrixJob, as_json: bool) -> int:
    printer = quantizing.Printer(as_json)
    cancelled = False
    try:
        for event in run_job(job):
            printer(event)
            cancelled = isinstance(event, Cancelled)
    except AppError as error:
        printer.error(error.text, error.hint)
        raise
    return CANCELLED if cancelled else 0
