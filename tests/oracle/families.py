"""The small checkpoints, made by the official pair and by us: what differs, and the goldens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from quantize.errors import QuantizeError
from tests.helpers import checkpoints, identity
from tests.helpers.checkpoints import CASES
from tests.helpers.identity import Plan
from tests.oracle import reference
from tests.oracle.reference import Oracle
from tests.oracle.result import Result

_MATRIX = "random.imatrix"
_OUTTYPES = {"BF16": "bf16", "F16": "f16", "F32": "f32"}


def check(oracle: Oracle, scratch: Path, names: Sequence[str]) -> Iterator[Result]:
    """Every case of `names`: made, converted, quantized and compared."""
    jobs = []
    for name in names:
        folder = checkpoints.write_case(scratch, name)
        jobs.append((folder, scratch / f"{name}.gguf", _OUTTYPES[CASES[name].dtype]))
    converted = oracle.convert(jobs)
    for folder, gguf, _ in jobs:
        yield _compare(folder, gguf, **converted[str(folder)])


def _compare(folder: Path, gguf: Path, pre_hash: str, error: str) -> Result:
    result = Result(folder.name)
    if error:
        result.differences.append(f"the official converter: {error.strip().splitlines()[-1]}")
        return result
    matrix = identity.write_matrix_for(gguf, folder.parent / _MATRIX)
    result.golden = {"pre_hash": pre_hash, "metadata": {}, "types": {}}
    with identity.known_tokenizers(pre_hash):
        for plan in identity.plans(CASES[folder.name]):
            try:
                _compare_types(result, folder, gguf, matrix, plan)
            except QuantizeError as failure:
                result.differences.append(f"{failure} {failure.detail}".strip())
    return result


def _compare_types(
    result: Result, folder: Path, gguf: Path, matrix: checkpoints.Matrix, plan: Plan
) -> None:
    out = folder.parent / "ours"
    out.mkdir(exist_ok=True)
    target = folder.parent / "theirs.gguf"
    path = folder.parent / _MATRIX if plan.with_matrix else None
    used = matrix if plan.with_matrix else None
    for type_, mine in identity.make_ours(folder, out, plan, path).items():
        theirs = reference.quantize(gguf, target, type_, used, plan.requantize)
        result.compare(type_, mine, theirs)
        result.golden["types"][type_] = identity.section(theirs)
        result.golden["metadata"] = identity.metadata(theirs)
        mine.unlink()
        theirs.unlink()
