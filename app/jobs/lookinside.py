"""A look into a model file for the window, whose names and errors are the app's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.core import library
from app.core.errors import ModelFileError
from quantize.errors import QuantizeError
from quantize.gguf_header import read_header
from quantize.inspect import Inspection, inspect_file


def look_inside(path: Path) -> Inspection:
    """Raises ModelFileError."""
    try:
        name = library.name_of(path, read_header(path))
        return replace(inspect_file(path), name=name)
    except QuantizeError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error
