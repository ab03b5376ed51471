"""The models that the benchmarks measure: all that are here, and variants made of the starter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quantize.errors import GgufError
from quantize.gguf_header import read_header
from tests.bench.fit import ROOT, gemma
from tests.helpers.starter_checkpoint import write_starter_checkpoint

_HALF_BILLION = range(300_000_000, 900_000_000)  # bytes of a 0.5B-class model's file


@contextmanager
def chat_models(starter: Path) -> Iterator[list[tuple[str, Path]]]:
    """The starter, gemma-3-270m, the starter's weights in two other ways, and a 0.5B-class model
    where one lies in .cache/models."""
    with tempfile.TemporaryDirectory(prefix="nibble-bench-") as folder:
        work = Path(folder)
        checkpoint = write_starter_checkpoint(starter, work / "SmolLM2-135M-Instruct")
        quantize_to(checkpoint, work / "out", "Q8_0", "Q4_K_M")
        shutil.rmtree(checkpoint)
        made = sorted((work / "out").glob("*.gguf"))
        found = [("starter", starter), ("gemma-3-270m", gemma())]
        yield [*found, *((path.stem, path) for path in made), *_half_billion()]


@contextmanager
def widened(starter: Path) -> Iterator[Path]:
    """The starter's weights as F32: reading is far faster than writing there."""
    with tempfile.TemporaryDirectory(prefix="nibble-bench-") as folder:
        quantize_to(starter, Path(folder), "F32", "--allow-requantize")
        yield next(Path(folder).glob("*.gguf"))


def quantize_to(source: Path, folder: Path, *types: str) -> None:
    """Make files of `source` with the project's own quantizer; `types` may hold flags."""
    command = [sys.executable, "-m", "quantize", str(source), "-o", str(folder)]
    flags = [flag for each in types for flag in ((each,) if each[0] == "-" else ("-t", each))]
    subprocess.run([*command, *flags], check=True, capture_output=True)


def _half_billion() -> list[tuple[str, Path]]:
    folder = Path(os.environ.get("NIBBLE_TEST_MODELS") or ROOT / ".cache" / "models")
    files = [path for path in sorted(folder.glob("*.gguf")) if path != gemma()]
    return [(path.stem, path) for path in files if _is_half_billion(path)]


def _is_half_billion(path: Path) -> bool:
    try:
        header = read_header(path)
    except GgufError:
        return False
    return bool(header.tensors) and path.stat().st_size in _HALF_BILLION
